"""The public surface, written out: a name appears or disappears only on purpose."""

from __future__ import annotations

import importlib
import inspect

import pytest

# In ruff's order (RUF022): constants, then classes, then the rest.
EXPECTED: dict[str, list[str]] = {
    "crdtstore": [
        "Action",
        "ActionCreator",
        "ActionInfo",
        "ClosedError",
        "Commit",
        "Conflict",
        "Counter",
        "CrdtstoreError",
        "CrdtstoreWarning",
        "DispatchError",
        "ForkedStoreError",
        "FrozenStateError",
        "List",
        "ListView",
        "Map",
        "MapView",
        "Merged",
        "Middleware",
        "MiddlewareAPI",
        "ReducerError",
        "RevokedDraftError",
        "RootState",
        "Set",
        "SetView",
        "ShapeError",
        "Slice",
        "StateValueError",
        "StorageCorruptError",
        "StorageError",
        "StorageLockedError",
        "Store",
        "Table",
        "TableView",
        "Text",
        "TextView",
        "UpdateError",
        "Waitable",
        "configure_store",
        "create_action",
        "create_slice",
        "current",
        "original",
        "to_plain",
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
        if not name.startswith("_")
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
