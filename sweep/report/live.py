"""``--live``: serves the report to this machine's browsers while a sweep runs, and only that."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

ADDRESS = "127.0.0.1"
TIMEOUT_SECONDS = 30.0
"""After which a connection that says nothing is closed."""
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass
class LivePage:
    """A page that changes while it is served.

    Attributes:
        version: Counts up with every change; 0 before the first content.
        content: The page.
        final: Whether it will not change any more.
        fetched: Set when a browser has loaded the final version.
    """

    version: int = 0
    content: bytes = b""
    final: bool = False
    fetched: threading.Event = field(default_factory=threading.Event)

    def show(self, content: bytes, *, final: bool) -> None:
        """Replace the content."""
        self.version, self.content, self.final = self.version + 1, content, final


class _Handler(BaseHTTPRequestHandler):
    """Answers for one page at one path, and to those alone who call this machine by its own name.

    A site elsewhere may point a name of its own at 127.0.0.1 (DNS rebinding); its requests name that host.
    """

    timeout = TIMEOUT_SECONDS
    server_version, sys_version = "tilesweep", ""
    page: ClassVar[LivePage]
    path_of_page: ClassVar[str]
    hosts: ClassVar[tuple[str, ...]] = ()

    def do_GET(self) -> None:
        """Return the page, or that it has not changed."""
        if self.headers.get("Host") not in self.hosts:
            return self.send_error(403)
        if not secrets.compare_digest(self.path.encode(), self.path_of_page.encode()):
            return self.send_error(404)
        version, content, final = self.page.version, self.page.content, self.page.final
        tag = f'"{version}"'
        known = self.headers.get("If-None-Match") == tag
        self.send_response(304 if known else 200)
        for name, value in {**HEADERS, "ETag": tag, **({} if known else {"Content-Length": str(len(content))})}.items():
            self.send_header(name, value)
        self.end_headers()
        if not known:
            self.wfile.write(content)
        if final and self.headers.get("Sec-Fetch-Dest", "document") == "document":  # a look for news loads it next
            self.page.fetched.set()
        return None

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing: requests come every few seconds."""


@contextmanager
def served(page: LivePage) -> Iterator[str]:
    """Serve a page on a port that is free, at a path that nobody can guess; yields its address.

    Args:
        page: What is shown; has content.
    """
    path = f"/{secrets.token_urlsafe(16)}/"
    handler: type[_Handler] = type("Handler", (_Handler,), {"page": page, "path_of_page": path})
    with ThreadingHTTPServer((ADDRESS, 0), handler) as server:
        handler.hosts = tuple(f"{name}:{server.server_port}" for name in (ADDRESS, "localhost"))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield f"http://{ADDRESS}:{server.server_port}{path}"
        finally:
            server.shutdown()
            thread.join()
