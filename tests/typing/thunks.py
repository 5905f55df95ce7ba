"""Async thunks, matchers and tasks: what types flow from payload creators to who waits."""

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeGuard, assert_type

from crdtstore import Action, Counter, configure_store, create_action, create_slice
from crdtstore.errors import RejectedWithValue
from crdtstore.matchers import (
    is_all_of,
    is_any_of,
    is_async_thunk_action,
    is_fulfilled,
    is_pending,
    is_rejected,
    is_rejected_with_value,
)
from crdtstore.nanoid import nanoid
from crdtstore.tasks import Running, Tasks
from crdtstore.thunks import (
    AbortController,
    AsyncThunk,
    AsyncThunkAction,
    AsyncThunkResult,
    ConditionAPI,
    FulfilledAction,
    Meta,
    PendingAction,
    RejectedAction,
    SerializedError,
    ThunkAPI,
    create_async_thunk,
    unwrap_result,
)
from crdtstore.waitable import Waitable


@dataclass
class User:
    name: str


@dataclass
class Users:
    n: Counter = Counter(0)
    status: str = ""


class Services:
    """An extra argument."""

    def find(self, user_id: int) -> User | None: ...


users = create_slice(name="users", initial_state=Users())
store = configure_store([users], extra_argument=Services())

# Payload creators: coroutine functions and plain ones, with the api, without, without anything


async def fetch(user_id: int, api: ThunkAPI[Any, Services]) -> User | RejectedWithValue:
    """Ask a service."""
    assert_type(api.extra, Services)
    assert_type(api.get_state(), Any)
    assert_type(api.request_id, str)
    assert_type(api.signal.aborted, bool)
    api.abort()
    api.abort("a reason")
    api.abort(5)  # type: ignore[arg-type]
    found = api.extra.find(user_id)
    if found is None:
        return api.reject_with_value({"missing": user_id})
    return api.fulfill_with_value(found, {"cached": False})


async def fetch_names(user_id: int, api: ThunkAPI[Any, Services]) -> list[str]:
    """Return a rejection, whatever else is returned."""
    if user_id < 0:
        return api.reject_with_value("bad")
    return [str(user_id)]


def raise_it(user_id: int, api: ThunkAPI) -> list[str]:
    """Raise a rejection."""
    if user_id < 0:
        raise api.reject_with_value("bad", {"cached": False})
    return [str(user_id)]


async def count() -> int:
    """Take nothing."""
    return 5


def read(path: str) -> bytes:
    """Block."""
    return path.encode()


def refresh(_: None, api: ThunkAPI) -> None:
    """Take the api only."""


async def page(number: int | None) -> list[User]:
    """Take an argument that may be left out."""
    return []


fetch_user = create_async_thunk("users/fetch", fetch)
count_users = create_async_thunk("users/count", count)
read_file = create_async_thunk("files/read", read)
refresh_all = create_async_thunk("users/refresh", refresh)
fetch_page = create_async_thunk("users/page", page)
assert_type(fetch_user, AsyncThunk[User, int, SerializedError])
assert_type(fetch_user, AsyncThunk[User, int])
assert_type(create_async_thunk("users/names", fetch_names), AsyncThunk[list[str], int])
assert_type(create_async_thunk("users/names", raise_it), AsyncThunk[list[str], int])
assert_type(count_users, AsyncThunk[int, None])
assert_type(read_file, AsyncThunk[bytes, str])
assert_type(refresh_all, AsyncThunk[None, None])
assert_type(fetch_page, AsyncThunk[list[User], int | None])
assert_type(create_async_thunk("one", lambda: 1), AsyncThunk[int, None])
assert_type(fetch_user.type_prefix, str)
assert_type(fetch_user.fulfilled.type, str)


@create_async_thunk("users/save")
async def save_user(user: User, api: ThunkAPI) -> bool:
    """Be decorated."""
    return True


@create_async_thunk("users/load", dispatch_condition_rejection=True)
def load_users(path: str) -> list[User]:
    """Be decorated, and be plain."""
    return []


assert_type(save_user, AsyncThunk[bool, User])
assert_type(load_users, AsyncThunk[list[User], str])

# What they make

assert_type(fetch_user(1), AsyncThunkAction[User, int])
assert_type(fetch_user(1, signal=AbortController().signal), AsyncThunkAction[User, int])
assert_type(count_users(), AsyncThunkAction[int, None])
assert_type(refresh_all(), AsyncThunkAction[None, None])
assert_type(fetch_page(), AsyncThunkAction[list[User], int | None])
assert_type(fetch_page(2), AsyncThunkAction[list[User], int | None])
fetch_user()  # type: ignore[call-arg]
fetch_user("1")  # type: ignore[arg-type]
count_users(1)  # type: ignore[call-overload]
read_file(b"")  # type: ignore[arg-type]
fetch_user(1, 2)  # type: ignore[call-arg, arg-type]

# Options

create_async_thunk("x", fetch, condition=lambda n, api: n > 1)
create_async_thunk("x", fetch, condition=lambda n: n > 1)
create_async_thunk("x", fetch, id_generator=lambda n: f"{n + 1}")
create_async_thunk("x", fetch, id_generator=nanoid)
create_async_thunk("x", fetch, get_pending_meta=lambda base, api: {"twice": base.arg * 2})


def condition(user_id: int, api: ConditionAPI) -> bool:
    """Decide."""
    return user_id > 0


async def async_condition(user_id: int) -> bool:
    """Decide later."""
    return user_id > 0


def funny(error: object) -> tuple[str, int]:
    """Serialize."""
    return str(error), 1


def number(user_id: int) -> int:
    """Make no id."""
    return user_id


create_async_thunk("x", fetch, condition=condition)
create_async_thunk("x", fetch, condition=async_condition)
create_async_thunk("x", fetch, id_generator=number)  # type: ignore[arg-type]
create_async_thunk("x", fetch, unknown=1)  # type: ignore[call-overload]
create_async_thunk(fetch)  # type: ignore[call-overload]
funny_thunk = create_async_thunk("x", fetch, serialize_error=funny)
assert_type(funny_thunk, AsyncThunk[User, int, tuple[str, int]])

# Dispatching and waiting

result = store.dispatch(fetch_user(1))
assert_type(result, AsyncThunkResult[User, int])
assert_type(result.arg, int)
assert_type(result.request_id, str)
assert_type(result.unwrap(), Waitable[User])
assert_type(result.unwrap().wait(1), User)
assert_type(result.wait(), FulfilledAction[User, int] | RejectedAction[int])
assert_type(result.cancelled(), bool)
result.abort()
result.abort("a reason")
assert_type(fetch_user(1)(store.dispatch, store.get_state), AsyncThunkResult[User, int])


async def main(api: ThunkAPI) -> None:
    """Await."""
    action = await store.dispatch(fetch_user(1))
    if fetch_user.fulfilled.match(action):
        assert_type(action, FulfilledAction[User, int])
        assert_type(action.payload, User)
        assert_type(action.meta, Meta[int])
        assert_type(action.meta.arg, int)
        assert_type(action.meta.request_id, str)
    else:
        assert_type(action, RejectedAction[int])
        assert_type(action.error, SerializedError)
        assert_type(action.error.message, str | None)
        assert_type(action.meta.aborted, bool)
    assert_type(unwrap_result(action), User)
    assert_type(await store.dispatch(fetch_user(1)).unwrap(), User)
    assert_type(await api.dispatch(fetch_user(1)).unwrap(), User)
    funny_action = await store.dispatch(funny_thunk(1))
    if funny_thunk.rejected.match(funny_action):
        assert_type(funny_action.error, tuple[str, int])


# The actions in reducers, and by themselves


@users.add_case(fetch_user.pending)
def pending(state: Users, action: Action[None]) -> None:
    state.status = "pending"


@users.add_case(fetch_user.fulfilled)
def fulfilled(state: Users, action: Action[User]) -> None:
    state.status = action.payload.name


@users.add_case(fetch_user.fulfilled)  # type: ignore[arg-type]
def wrong(state: Users, action: Action[str]) -> None: ...


assert_type(fetch_user.pending("id", 1), PendingAction[int])
assert_type(fetch_user.fulfilled(User("x"), "id", 1), FulfilledAction[User, int])
assert_type(fetch_user.rejected(None, "id", 1), RejectedAction[int])
fetch_user.fulfilled("x", "id", 1)  # type: ignore[arg-type]
fetch_user.pending()  # type: ignore[call-arg]

# Matchers

ping = create_action("ping")
either = is_any_of(fetch_user.fulfilled, read_file.fulfilled)


def special(action: Action[Any]) -> bool:
    """Decide by the payload."""
    return action.payload is None


def is_text(action: object) -> TypeGuard[Action[str]]:
    """Decide by the payload, and say so."""
    return isinstance(action, Action)


both = is_all_of(fetch_user.fulfilled, special)
texts = is_all_of(is_text, special)
assert_type(is_any_of(special, fetch_user.pending)(ping()), bool)


def narrow(action: object) -> None:
    """Learn what an action is."""
    if either(action):
        assert_type(action, FulfilledAction[User, int] | FulfilledAction[bytes, str])
        assert_type(action.payload, User | bytes)
    elif both(action):
        assert_type(action, FulfilledAction[User, int])
    elif texts(action):
        assert_type(action, Action[str])
    elif fetch_user.settled(action):
        assert_type(action, FulfilledAction[User, int] | RejectedAction[int])


def narrow_requests(one: object, two: object, three: object, four: object) -> None:
    """Learn whose request it is."""
    if is_pending(fetch_user)(one):
        assert_type(one, PendingAction[int])
    if is_pending(two):
        assert_type(two, PendingAction[Any])
    if is_fulfilled(fetch_user, read_file)(three):
        assert_type(three, FulfilledAction[User, int] | FulfilledAction[bytes, str])
    if is_rejected()(four):
        assert_type(four, RejectedAction[Any, Any])


def narrow_more(one: object, two: object, three: object) -> None:
    """Learn more."""
    if is_rejected_with_value(funny_thunk)(one):
        assert_type(one, RejectedAction[int, tuple[str, int]])
    if is_async_thunk_action(fetch_user)(two):
        assert_type(two, PendingAction[int] | FulfilledAction[User, int] | RejectedAction[int])
    if is_async_thunk_action(three):
        assert_type(three.meta.request_id, str)


# Tasks, and thunks by hand


async def later(dispatch: Any, get_state: Any) -> str:
    """Be a thunk."""
    return ""


def work() -> Coroutine[Any, Any, int]:
    """Be some work."""
    return count()


running = Tasks("tasks").run(work(), "work")
assert_type(running, Running[int])
assert_type(running.wait(), int)
assert_type(running.cancel("a reason"), bool)
assert_type(store.tasks, Tasks)
assert_type(store.dispatch(later).wait(), str)

# Errors as state


@dataclass
class Request:
    error: dict[str, str | None] | None = None
    last: SerializedError | None = None


requests = create_slice(name="requests", initial_state=Request())


@requests.reducer
def failed(state: Request, action: Action[RejectedAction[int]]) -> None:
    """Keep errors."""
    state.error = action.payload.error
    state.error = dict(action.payload.error)
    state.last = action.payload.error
    assert_type(action.payload.error.message, str | None)
    assert_type(action.payload.error["message"], str | None)
