"""Where a store is kept: the port, and adapters for a file and for memory.

An adapter of your own implements ``Storage`` and passes ``crdtstore.storage.acceptance``.
"""

from crdtstore.storage.journal import Durability
from crdtstore.storage.memory import MemoryStorage
from crdtstore.storage.port import LogSize, Opened, Quarantined, Record, Storage
from crdtstore.storage.sqlite import SqliteStorage

__all__ = [
    "Durability",
    "LogSize",
    "MemoryStorage",
    "Opened",
    "Quarantined",
    "Record",
    "SqliteStorage",
    "Storage",
]
