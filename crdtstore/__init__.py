"""Redux Toolkit for Python, without a centre: slices backed by CRDT documents."""

from crdtstore.actions import Action, ActionCreator, create_action
from crdtstore.configure import configure_store
from crdtstore.draft import current, original
from crdtstore.errors import (
    ClosedError,
    CrdtstoreError,
    CrdtstoreWarning,
    DispatchError,
    ForkedStoreError,
    FrozenStateError,
    ReducerError,
    RevokedDraftError,
    ShapeError,
    StateValueError,
    StorageCorruptError,
    StorageError,
    StorageLockedError,
    UpdateError,
)
from crdtstore.kinds import (
    Counter,
    List,
    ListView,
    Map,
    MapView,
    Set,
    SetView,
    Table,
    TableView,
    Text,
    TextView,
)
from crdtstore.middleware import Middleware, MiddlewareAPI
from crdtstore.replication import ActionInfo, Commit, Conflict, Merged
from crdtstore.slice import Slice, create_slice
from crdtstore.state import RootState
from crdtstore.store import Store
from crdtstore.values import to_plain
from crdtstore.waitable import Waitable

__all__ = [
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
]
