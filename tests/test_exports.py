"""The public surface, written out: a name appears or disappears only on purpose."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

# In ruff's order (RUF022): constants, then classes, then the rest.
EXPECTED: dict[str, list[str]] = {
    "crdtstore": [
        "SHOULD_AUTOBATCH",
        "AbortController",
        "AbortError",
        "AbortSignal",
        "Action",
        "ActionCreator",
        "ActionInfo",
        "AsyncThunk",
        "AsyncThunkAction",
        "AsyncThunkOptions",
        "AsyncThunkResult",
        "AutoBatchOption",
        "Cases",
        "Changes",
        "ClosedError",
        "CombinedSlices",
        "Commit",
        "ConditionAPI",
        "ConditionError",
        "Conflict",
        "Counter",
        "CrdtstoreError",
        "CrdtstoreWarning",
        "Difference",
        "DispatchError",
        "DynamicMiddleware",
        "EntityAdapter",
        "EntitySelectors",
        "EntityState",
        "ForkApi",
        "ForkedStoreError",
        "ForkedTask",
        "FrozenStateError",
        "FulfilledAction",
        "List",
        "ListView",
        "ListenerApi",
        "ListenerErrorHandler",
        "ListenerErrorInfo",
        "ListenerMiddleware",
        "Many",
        "Map",
        "MapView",
        "Matcher",
        "Merged",
        "Meta",
        "Middleware",
        "MiddlewareAPI",
        "NonSerializableValue",
        "PendingAction",
        "Reducer",
        "ReducerCreators",
        "ReducerError",
        "RejectedAction",
        "RejectedWithValue",
        "RemoteOrigin",
        "Revert",
        "RevokedDraftError",
        "RootState",
        "Running",
        "Selector",
        "SerializedError",
        "Set",
        "SetView",
        "ShapeError",
        "Slice",
        "SliceSelector",
        "Startable",
        "StateValueError",
        "StorageCorruptError",
        "StorageError",
        "StorageLockedError",
        "Store",
        "Table",
        "TableView",
        "TaskAbortError",
        "TaskCancelled",
        "TaskRejected",
        "TaskResolved",
        "TaskResult",
        "Tasks",
        "Text",
        "TextView",
        "ThunkAPI",
        "ThunkDispatch",
        "ThunkError",
        "Trail",
        "Unsubscribe",
        "Update",
        "UpdateError",
        "Waitable",
        "Watch",
        "WithEntities",
        "add_listener",
        "bind_action_creators",
        "clear_all_listeners",
        "clock_ranges",
        "combine_slices",
        "compose",
        "configure_store",
        "create_action",
        "create_action_creator_invariant_middleware",
        "create_async_thunk",
        "create_draft_safe_selector",
        "create_draft_safe_selector_creator",
        "create_dynamic_middleware",
        "create_entity_adapter",
        "create_listener_middleware",
        "create_next_state",
        "create_reducer",
        "create_selector",
        "create_selector_creator",
        "create_serializable_state_invariant_middleware",
        "create_slice",
        "create_structured_selector",
        "current",
        "differences",
        "find_non_serializable_value",
        "freeze",
        "is_action",
        "is_action_creator",
        "is_all_of",
        "is_any_of",
        "is_async_thunk_action",
        "is_draft",
        "is_flux_standard_action",
        "is_fulfilled",
        "is_pending",
        "is_plain",
        "is_rejected",
        "is_rejected_with_value",
        "lru_memoize",
        "merged",
        "mini_serialize_error",
        "nanoid",
        "original",
        "prepare_auto_batched",
        "reference_equality_check",
        "remove_listener",
        "reset_all",
        "revert",
        "set_global_dev_mode_checks",
        "thunk_middleware",
        "to_plain",
        "unwrap_result",
        "weak_map_memoize",
    ],
    "sync": [
        "DivergenceError",
        "Limits",
        "LinkStatus",
        "LocalProtocolError",
        "Peer",
        "PeerConfigError",
        "PeerError",
        "PeerStatus",
        "PeerStoppedError",
        "ProtocolError",
        "RemoteProtocolError",
        "TransportError",
    ],
}


@pytest.mark.parametrize("package", EXPECTED)
def test_the_names_are_the_expected_ones(package: str) -> None:
    """``__all__`` is this list, in this order."""
    assert list(importlib.import_module(package).__all__) == EXPECTED[package]


@pytest.mark.parametrize("package", EXPECTED)
def test_the_names_are_sorted(package: str) -> None:
    """A reader finds a name where the alphabet puts it."""

    def key(name: str) -> tuple[int, str]:
        return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)

    assert sorted(EXPECTED[package], key=key) == EXPECTED[package] != []


@pytest.mark.parametrize("package", EXPECTED)
def test_every_name_is_there(package: str) -> None:
    """Whatever ``__all__`` promises can be imported."""
    module = importlib.import_module(package)
    assert [name for name in EXPECTED[package] if not hasattr(module, name)] == []


@pytest.mark.parametrize("package", EXPECTED)
def test_nothing_private_is_public(package: str) -> None:
    """No underscore name is exported, and what is visible beside ``__all__`` is only submodules."""
    module = importlib.import_module(package)
    assert [n for n in module.__all__ if n.startswith("_") and n != "__version__"] == []
    visible = {
        name
        for name, value in vars(module).items()
        if not name.startswith(("_", "@"))  # pytest adds names with @ where it rewrites asserts
        and name != "annotations"  # from __future__ import annotations
        and not (inspect.ismodule(value) and value.__name__.startswith(f"{package}."))
    }
    assert visible - set(module.__all__) == set()


@pytest.mark.parametrize("package", EXPECTED)
def test_everything_public_says_what_it_is(package: str) -> None:
    """Every public class and function has a docstring of its own."""
    module = importlib.import_module(package)
    silent = [
        name
        for name in module.__all__
        if (inspect.isclass(value := getattr(module, name)) or inspect.isfunction(value))
        and not (vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__)
    ]
    assert silent == []


def test_the_tools_are_imported_when_they_are_asked_for() -> None:
    """They need an extra; where it is not there, that is what one is told."""
    names = ["DevTools", "DevToolsError", "DevToolsStatus"]
    sync = importlib.import_module("sync")
    assert [getattr(sync, name).__name__ for name in names] == names
    code = """
import sys
sys.modules["websockets"] = None
import sync
assert not [name for name in sys.modules if name.startswith("sync.devtools")]
for what in (lambda: sync.DevTools, lambda: sync.nothing):
    try:
        what()
    except (ImportError, AttributeError) as error:
        print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == [
        'sync.DevTools needs websockets, which is not installed: pip install "crdtstore[devtools]"',
        "module 'sync' has no attribute 'nothing'",
    ]
