"""The demo's CDN: stands in front of the PoPs, and says where visitors come from."""

import argparse
import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from edge.errors import UpstreamError
from edge.worker.site.upstream import RawHeaders, Upstream, chunks, end_to_end
from origin.demo.processes import LOOPBACK

GEO_HEADER: Final = b"x-geo-country"
FORWARDED_HEADER: Final = b"x-forwarded-for"
TIMEOUT_S: Final = 15.0
BACKLOG: Final = 512


@dataclass(frozen=True)
class Front:
    """An address of the CDN: who comes by it is in `country`, and is served by the edge at `edge`."""

    port: int
    country: str
    edge: str

    @classmethod
    def parse(cls, text: str) -> "Front":
        """``PORT,COUNTRY,URL``."""
        port, country, edge = text.split(",")
        return cls(int(port), country, edge)

    def __str__(self) -> str:
        return f"{self.port},{self.country},{self.edge}"


class Cdn:
    """Passes each request to the edge of the front that it came in by.

    A CDN knows the country by the visitor's address. All visitors of a demo
    have the same one, so here it is the front that says it; as with a CDN,
    what visitors claim in that header does not count.
    """

    def __init__(self, fronts: Sequence[Front]) -> None:
        self._countries = {front.port: front.country.encode() for front in fronts}
        self._edges: Mapping[int, Upstream] = {
            front.port: Upstream(front.edge, TIMEOUT_S) for front in fronts
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        port = scope["server"][1]
        request = Request(scope, receive)
        body = request.stream() if _has_body(request) else None
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        headers = _to_edge(scope, self._countries[port])
        try:
            response = await self._edges[port].send(scope["method"], target, headers, body)
        except UpstreamError as error:
            answer = PlainTextResponse(f"The PoP does not answer: {error}\n", 502)
            await answer(scope, receive, send)
            return
        try:
            fields = end_to_end(response.headers.raw)
            await send({"type": "http.response.start", "status": response.status_code, "headers": fields})
            async for chunk in chunks(response):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close the connections to the edges."""
        for edge in self._edges.values():
            await edge.close()


def _has_body(request: Request) -> bool:
    return "content-length" in request.headers or "transfer-encoding" in request.headers


def _to_edge(scope: Scope, country: bytes) -> RawHeaders:
    before = b"".join(value + b", " for name, value in scope["headers"] if name == FORWARDED_HEADER)
    fields = end_to_end(scope["headers"], frozenset((GEO_HEADER, FORWARDED_HEADER)))
    client: Any = scope.get("client") or (LOOPBACK, 0)
    return [*fields, (GEO_HEADER, country), (FORWARDED_HEADER, before + client[0].encode())]


def main() -> None:
    """Serve all fronts on this machine alone."""
    parser = argparse.ArgumentParser("cdn", description=__doc__)
    parser.add_argument(
        "--front", type=Front.parse, action="append", required=True, metavar="PORT,COUNTRY,URL"
    )
    fronts: list[Front] = parser.parse_args().front
    asyncio.run(serve(fronts))


async def serve(fronts: Sequence[Front]) -> None:
    """Serve until a signal comes."""
    cdn = Cdn(fronts)
    sockets = [socket.create_server((LOOPBACK, front.port), backlog=BACKLOG) for front in fronts]
    # Whatever stands in that header, it is not who asks: nobody is before a CDN.
    config = uvicorn.Config(cdn, lifespan="off", access_log=False, proxy_headers=False, log_level="warning")
    config.server_header = config.date_header = False
    await uvicorn.Server(config).serve(sockets)
    await cdn.close()


if __name__ == "__main__":
    main()
