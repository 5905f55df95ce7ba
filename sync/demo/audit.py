"""The audit: what the processes say they hold, against the account.

Both are brought into the same form, a dict of places, and compared place by place: nothing may be
missing, nothing may be there twice or come back, and nothing may be other than it should be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sync.demo.account import Account, Place, words_of

__all__ = ["audit", "conflicts_left", "differences", "in_order", "observed"]

_MISSING = object()


def audit(account: Account, reports: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a sentence for everything that is not as it must be, after the last step of the script.

    That step sorts the todos; ``in_order`` is for before it.
    """
    yield from account.problems
    expected = account.holdings()
    for name, report in reports.items():
        for found in differences(expected, observed(report)):
            yield f"peer {name}: {found}"
        titles = [todo["title"] for todo in report["board"]["todos"]]
        if titles != sorted(titles):
            yield f"peer {name}: todos: the list is not sorted by title, as it was left"
    digests = {name: report["digest"] for name, report in reports.items()}
    if len(set(digests.values())) > 1:
        yield f"the peers did not converge: {digests}"


def observed(report: Mapping[str, Any]) -> dict[Place, Any]:
    """Bring a worker's report into the form of ``Account.holdings``."""
    board = report["board"]
    out: dict[Place, Any] = {("notes",): words_of(board["notes"])}
    for todo in board["todos"]:
        path = ("todos", todo["id"])
        # An element that is there twice must not hide behind its twin.
        out[path] = "there" if path not in out else "there more than once"
        out.update({(*path, name): todo[name] for name in ("done", "owner", "votes")})
        out.update({(*path, name): todo["plan"][name] for name in ("priority", "due")})
        out[*path, "title"] = words_of(todo["title"])
        out[*path, "tags"] = sorted(todo["tags"])
    for name, person in board["people"].items():
        path = ("people", name)
        out[path] = "there"
        out.update({(*path, part): person[part] for part in ("role", "hours")})
        out[*path, "note"] = words_of(person["note"])
        out[*path, "skills"] = sorted(person["skills"])
    out.update({("meetings", day): place for day, place in board["meetings"].items()})
    out.update({("tally", name): value for name, value in report["tally"].items()})
    for place, values in report["conflicts"]:
        path = tuple(part for part in place if part != "plan")
        is_text = path[-1] in ("note", "title")
        out[*path, "conflicts"] = [words_of(value) if is_text else value for value in values]
    return out


def differences(expected: Mapping[Place, Any], found: Mapping[Place, Any]) -> Iterator[str]:
    """Yield a sentence for every place that is not as it must be, in a canonical order."""
    for path in sorted({*expected, *found}):
        if len(path) == 3 and expected.get(path[:2]) != found.get(path[:2]):
            continue  # said once, for the whole row
        must, does = expected.get(path, _MISSING), found.get(path, _MISSING)
        if must == does:
            continue
        where = " / ".join(path)
        if does is _MISSING:
            yield f"{where} is missing: it must be {_brief(must)}"
        elif must is _MISSING:
            yield f"{where} must not be there: it is {_brief(does)}"
        elif isinstance(must, list) and isinstance(does, list) and "conflicts" not in path:
            lost = [item for item in must if item not in does]
            extra = [item for item in does if item not in must]
            yield f"{where}: lost {lost}, not supposed to be there {extra}, or not as often"
        else:
            yield f"{where} must be {_brief(must)}, and is {_brief(does)}"


def _brief(value: object) -> str:
    return repr(value) if len(repr(value)) <= 200 else repr(value)[:200] + "…"


def in_order(account: Account, report: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for all words and todos that stand in another order than they must."""
    board = report["board"]
    texts: dict[Place, dict[str, int]] = {("notes",): _positions(board["notes"])}
    for todo in board["todos"]:
        texts["todos", todo["id"], "title"] = _positions(todo["title"])
    for name, person in board["people"].items():
        texts["people", name, "note"] = _positions(person["note"])
    for path, words in account.runs():
        found = texts.get(path, {})
        places = [found[word] for word in words if word in found]
        if places != sorted(places):
            yield f"{' / '.join(path)}: the words {words} were typed in this order"
    rows = {todo["id"]: index for index, todo in enumerate(board["todos"])}
    for above, below in account.ordered():
        if above in rows and below in rows and rows[above] > rows[below]:
            yield f"todos: {below} was added below {above}, and nobody moved either"


def _positions(text: str) -> dict[str, int]:
    return {word: index for index, word in enumerate(text.split(" "))}


def conflicts_left(holdings: Mapping[Place, Any]) -> str:
    """Return how many conflicts there are, and one of them, in words."""
    found = {place[:-1]: values for place, values in holdings.items() if "conflicts" in place}
    if not found:
        return "none left"
    text = f"{len(found)} left; the latest value shows, store.conflicts() has the others"
    for place, (latest, *others) in found.items():
        if isinstance(latest, str):
            rest = ", ".join(map(repr, others))
            return f"{text}: {' / '.join(place)} shows {latest!r}, at the same time came {rest}"
    return text
