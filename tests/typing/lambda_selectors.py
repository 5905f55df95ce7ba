# pyright: basic
"""Selectors of lambdas: what nobody knows the type of is ``Any``, so it has every attribute.

Not checked as strictly as the rest, for strict pyright tells of every such type that it is unknown.
"""

from crdtstore import create_selector

select_open = create_selector(
    lambda root: root.todos.items, lambda items: [todo.title for todo in items if not todo.done]
)
select_first = create_selector(
    lambda root: root.todos.items, lambda root, count: count, lambda items, count: items[:count]
)


@create_selector.over(lambda root: root.todos.items, lambda root: root.todos.filter)
def visible(items: list[str], by: str) -> list[str]:
    """Be the result function."""
    return [item for item in items if by in item]
