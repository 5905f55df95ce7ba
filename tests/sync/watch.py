"""Waiting for what a peer or a store says, without sleeping."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sync import Limits, PeerStatus
from sync.port import ReplicatedStore

PATIENCE = 20.0
"""Seconds after which a test gives up; nothing here takes that long."""

FAST = replace(
    Limits(),
    heartbeat_seconds=0.2,
    timeout_seconds=5.0,
    sync_seconds=0.5,
    request_seconds=1.0,
    backoff_first_seconds=0.01,
    backoff_last_seconds=0.1,
    handshake_seconds=1.0,
)


class Watch:
    """Pass it as ``on_status``; ``until`` returns the first status that fits, of all so far."""

    def __init__(self) -> None:
        self.seen: list[PeerStatus] = []
        self._news = threading.Condition()

    def __call__(self, status: PeerStatus) -> None:
        with self._news:
            self.seen.append(status)
            self._news.notify_all()

    def until(self, fits: Callable[[PeerStatus], bool]) -> PeerStatus:
        with self._news:
            found = self._news.wait_for(
                lambda: next((s for s in self.seen if fits(s)), None), PATIENCE
            )
        assert found is not None, "\n".join(map(str, self.seen[-3:]))
        return found

    def error(self, words: str) -> str:
        """The first error of a link that contains ``words``."""

        def errors(status: PeerStatus) -> list[str]:
            return [x.last_error for x in status.links if x.last_error and words in x.last_error]

        return errors(self.until(lambda status: bool(errors(status))))[0]


def until(store: ReplicatedStore, fits: Callable[[], bool]) -> None:
    """Wait until a commit of ``store`` makes ``fits`` true."""
    news = threading.Condition()

    def tell(_: Any) -> None:
        with news:
            news.notify_all()

    stop = store.on_commit(tell)
    try:
        with news:
            assert news.wait_for(fits, PATIENCE)
    finally:
        stop()
