"""A proxy in front of an origin that passes everything on, but for what a test bends."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from tests.e2e.stack import LOOPBACK

Bend = Callable[[str, bytes], bytes]
"""From the path below the site, and the honest answer's body (or line of news), what to send."""

DROPPED = {"host", "connection", "content-length", "transfer-encoding", "date", "server"}


def honest(_path: str, body: bytes) -> bytes:
    """What the origin said."""
    return body


class LyingOrigin:
    """Listens on a port of its own; `bend` may be set at any time."""

    def __init__(self, origin_url: str) -> None:
        self.origin_url = origin_url
        self.bend: Bend = honest
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"

    def close(self) -> None:
        """Answer no more; streams that are open end with the origin's."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(lying: LyingOrigin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.pass_on(b"")

        def do_POST(self) -> None:
            self.pass_on(self.rfile.read(int(self.headers["content-length"] or 0)))

        def pass_on(self, asked: bytes) -> None:
            fields = {k: v for k, v in self.headers.items() if k.lower() not in DROPPED}
            path = self.path.partition("/v1/sites/")[2].partition("/")[2].partition("?")[0]
            with httpx.stream(
                self.command, lying.origin_url + self.path, headers=fields, content=asked, timeout=30
            ) as answer:
                if path == "news":
                    self.begin(answer.status_code, answer.headers)
                    for line in answer.iter_lines():
                        self.wfile.write(lying.bend(path, line.encode() + b"\n"))
                    return
                body = answer.read()
                bent = lying.bend(path, body)
                # A liar answers also what the origin would not.
                self.begin(answer.status_code if bent == body else 200, answer.headers)
                self.wfile.write(bent)

        def begin(self, status: int, fields: httpx.Headers) -> None:
            self.send_response(status)
            for name, value in fields.items():
                if name.lower() not in DROPPED:
                    self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
