"""What a peer says about itself: frozen, cheap to take, readable when printed."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LinkStatus", "PeerStatus"]


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """One connection, or one address that is being tried."""

    address: str
    """Where to, for links that this side makes; otherwise where it was accepted."""
    outgoing: bool
    state: str
    """``connecting``, ``waiting`` (before the next try), ``handshake``, ``open``, ``closed``,
    ``duplicate`` (another link goes to the same peer), ``self`` (the address is our own) or
    ``stopped``."""
    replica: str | None = None
    """The other side's lasting name, once it is known."""
    session: str | None = None
    in_sync: bool = False
    """Whether nothing that is known of is outstanding in either direction."""
    diverged: tuple[str, ...] = ()
    """Slices whose content differs although both sides have seen the same changes."""
    unshared: tuple[str, ...] = ()
    """Slices of this store that do not travel on this link."""
    bytes_in: int = 0
    bytes_out: int = 0
    frames_in: int = 0
    frames_out: int = 0
    unacked_frames: int = 0
    """Changes and diffs sent and not yet durable over there."""
    unacked_bytes: int = 0
    queued_bytes: int = 0
    """Bytes that the connection does not take yet."""
    drops: int = 0
    """How often live changes were dropped, for one diff instead, because the peer was slow."""
    round_trip: float | None = None
    """Seconds, when last measured by a heartbeat."""
    last_error: str | None = None

    def __str__(self) -> str:
        arrow = "->" if self.outgoing else "<-"
        who = f" {self.replica[:8]}" if self.replica else ""
        line = f"{arrow} {self.address}{who}: {self.state}"
        if self.state == "open":
            lag = f"{self.unacked_frames} changes ({self.unacked_bytes} bytes) behind"
            line += ", in sync" if self.in_sync else f", {lag}"
            line += f"; in {self.bytes_in} bytes, out {self.bytes_out} bytes"
        if self.diverged:
            line += f"; DIVERGED: {', '.join(self.diverged)}"
        if self.last_error:
            line += f"; last error: {self.last_error}"
        return line


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """One peer and all its links at one moment."""

    replica: str
    session: str
    namespace: str
    state: str
    """``new``, ``running`` or ``stopped``."""
    addresses: tuple[str, ...]
    """Where others can connect to, with real ports."""
    links: tuple[LinkStatus, ...]
    last_error: str | None = None

    @property
    def connected(self) -> tuple[str, ...]:
        """The replicas with an open link, sorted."""
        return tuple(sorted({x.replica for x in self.links if x.state == "open" and x.replica}))

    @property
    def in_sync(self) -> bool:
        """Whether at least one link is open and every open one is in sync."""
        links = [link.in_sync for link in self.links if link.state == "open"]
        return bool(links) and all(links)

    def __str__(self) -> str:
        where = ", ".join(self.addresses) or "nowhere"
        lines = [
            f"peer {self.replica[:8]} in namespace {self.namespace!r}: {self.state}, "
            f"listening on {where}"
        ]
        if self.last_error:
            lines.append(f"  last error: {self.last_error}")
        lines += [f"  {link}" for link in self.links] or ["  no links"]
        return "\n".join(lines)
