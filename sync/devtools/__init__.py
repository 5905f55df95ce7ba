"""Redux DevTools and the timeline of all peers, served by the program itself."""

from __future__ import annotations

__all__: list[str] = []
