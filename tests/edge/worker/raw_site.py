"""A site that answers with exact bytes, so that tests see what really crossed the wire."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager


class RawSite:
    """Answers each path with its bytes, then closes the connection where they end it; remembers requests."""

    def __init__(self, answers: Mapping[bytes, bytes], pause_s: float = 0) -> None:
        self.answers = answers
        self.pause_s = pause_s
        self.heard: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request on one connection."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heard.append(head)
            await asyncio.sleep(self.pause_s)
            writer.write(self.answers.get(head.split(b" ")[1], ok(b"plain")))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def ok(body: bytes, fields: bytes = b"") -> bytes:
    """A whole response."""
    return b"HTTP/1.1 200 OK\r\n%scontent-length: %d\r\nconnection: close\r\n\r\n%s" % (
        fields,
        len(body),
        body,
    )


@asynccontextmanager
async def serving(site: RawSite) -> AsyncIterator[str]:
    """Run the site; its URL, with a name for its host, as cookies are kept by name."""
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    try:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()
