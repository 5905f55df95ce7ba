"""What the server of the tools answers to plain HTTP, and who may ask.

Whatever runs in a browser on this machine can reach a port on it. So a request is answered only if
it was made for an address of ours (or a name that somebody else controls could be pointed at us),
and a WebSocket only if the page that opens it came from here; programs send no origin. Paths are
looked up, never joined to a folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

__all__ = ["VERSION", "Answer", "Website"]

VERSION = 1
"""Of what one server of the tools and its clients say to each other."""

_PAGES = Path(__file__).resolve().parent / "pages"
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_HTML, _TEXT = _KINDS[".html"], _KINDS[".txt"]

_OURS = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)

_HEADERS = (
    (
        "Content-Security-Policy",
        # Styles may be inline: the components of the Redux DevTools app write their own.
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-cache"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP response, whole."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Website:
    """The pages; ``who`` tells other programs what serves here.

    ``bundle`` returns the folder of the built Redux DevTools app or ``None``; it is asked at every
    look at ``/redux/``, so an app that is built meanwhile appears.
    """

    def __init__(
        self, *, bundle: Callable[[], Path | None], who: Callable[[], Mapping[str, object]]
    ) -> None:
        self._bundle = bundle
        self._who = who
        self._pages = {path.name: path for path in _PAGES.iterdir() if path.suffix in _KINDS}

    @staticmethod
    def refusal(host: str | None, origin: str | None) -> str | None:
        """Say why a request, or a WebSocket, with these headers is not ours to answer.

        The port is any: who forwards one of theirs to ours (over SSH) names theirs.
        """
        if host is None or _OURS.fullmatch(host) is None:
            return f"this server is for this machine, not for {_short(host)}\n"
        if origin is not None and origin.lower() != f"http://{host.lower()}":
            return f"pages of {_short(origin)} may not use this server\n"
        return None

    def answer(self, target: str, accept_encoding: str = "") -> Answer:
        """Answer a GET of ``target``, the path with its query as the request has it."""
        path = target.partition("?")[0]
        if path == "/who":
            about = {"crdtstore-devtools": VERSION, **self._who()}
            return self._whole(200, _KINDS[".json"], json.dumps(about).encode())
        if path == "/redux":
            return self._whole(308, _TEXT, b"moved to /redux/\n", ("Location", "/redux/"))
        if path.startswith("/redux/"):
            return self._redux(path.removeprefix("/redux/"), "gzip" in accept_encoding)
        name = path.removeprefix("/") or "index.html"
        page = self._pages.get(name) or self._pages.get(f"{name}.html")
        return self.missing(path) if page is None else self._file(page)

    def missing(self, path: str) -> Answer:
        """Answer that there is no such page."""
        return self._whole(404, _TEXT, f"there is no {_short(path)} here\n".encode())

    def refused(self, why: str) -> Answer:
        """Answer a request that is not ours to answer."""
        return self._whole(403, _TEXT, why.encode())

    # ---- parts ----

    def _redux(self, name: str, gzip: bool) -> Answer:
        folder = self._bundle()
        if folder is None:
            return self._whole(200 if name == "" else 404, _HTML, _page_without(_why()))
        files = {path.name: path for path in folder.iterdir() if path.suffix in _KINDS}
        files["licenses.txt"] = files["THIRD_PARTY_LICENSES.txt"]
        found = files.get(name or "index.html")
        return self.missing(f"/redux/{name}") if found is None else self._file(found, gzip)

    def _file(self, path: Path, gzip: bool = False) -> Answer:
        kind = _KINDS[path.suffix]
        packed = path.with_name(f"{path.name}.gz")
        try:
            if gzip and packed.is_file():
                return self._whole(200, kind, packed.read_bytes(), ("Content-Encoding", "gzip"))
            return self._whole(200, kind, path.read_bytes())
        except OSError:  # removed under us: a cache is anybody's to clear
            return self.missing(path.name)

    def _whole(self, status: int, kind: str, body: bytes, *more: tuple[str, str]) -> Answer:
        length = ("Content-Length", str(len(body)))
        headers = (("Content-Type", kind), length, ("Connection", "close"), *more, *_HEADERS)
        return Answer(status, headers, body)


def _short(text: str | None) -> str:
    return "nobody" if text is None else repr(text[:100])


def _why() -> Iterator[str]:
    yield "The Redux DevTools app is not built on this machine."
    yield "Where Node 18 or newer and npm are installed, this builds it (once; half a minute):"
    yield "$ crdtstore devtools --build-ui"
    yield "Then load this page again."


def _page_without(lines: Iterator[str]) -> bytes:
    text = "".join(
        f"<pre>{escape(line)}</pre>" if line.startswith("$") else f"<p>{escape(line)}</p>"
        for line in lines
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Redux DevTools</title>'
        '<meta name="color-scheme" content="light dark">'
        "<style>body{font:16px/1.5 system-ui,sans-serif;margin:4rem auto;max-width:40rem;"
        "padding:0 1rem}pre{padding:.8rem;border:1px solid;border-radius:.4rem}</style>"
        f"<h1>Redux DevTools</h1>{text}"
        '<p>Until then there is <a href="/timeline">the timeline</a>, which needs nothing: '
        "actions, state, differences, and every peer.</p>"
    ).encode()
