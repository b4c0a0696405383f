"""The site: the one place from which requests leave a worker."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from edge.errors import UpstreamError

MAX_CONNECTIONS: Final = 256
KEEP_ALIVE_S: Final = 5.0

RawHeaders = list[tuple[bytes, bytes]]

# RFC 9110, section 7.6.1: they belong to one connection, not to the message.
HOP_BY_HOP: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization",
     b"te", b"trailer", b"transfer-encoding", b"upgrade")
)  # fmt: skip


# Who names these in Connection would take from the site, or from us, what it decides by.
_NEVER_OF_CONNECTION: Final = frozenset(
    (b"cookie", b"authorization", b"host", b"cache-control", b"content-length", b"content-type",
     b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"set-cookie", b"vary")
)  # fmt: skip

# Beside httpx's own: what aiohttp raises and the transport does not translate, and an address it can't read.
_FAILURES: Final = (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError)


class Upstream:
    """A client of the site that is personalized; keeps nothing of one visitor for another."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url.rstrip("/")
        self._timeout = {"timeout": httpx.Timeout(timeout_s).as_dict()}
        self._transport = AiohttpTransport(client=_open_session)

    async def send(
        self,
        method: str,
        target: bytes,
        headers: RawHeaders,
        body: AsyncIterator[bytes] | None,
        interim: Callable[[int, RawHeaders], None] | None = None,
    ) -> httpx.Response:
        """The site's response, headers read, body still to be streamed; the caller closes it.

        Raises
        ------
        UpstreamError
            ``target``: not a path of the site; ``upstream``: no connection, no
            answer in time, or no HTTP.
        """
        if not target.startswith(b"/"):
            raise UpstreamError("target", "not a path: it could name another host")
        try:
            url = self._url + target.decode("latin-1")
            request = httpx.Request(method, url, headers=headers, content=body, extensions=self._timeout)
            return await self._transport.handle_async_request(request)
        except _FAILURES as error:
            raise UpstreamError("upstream", f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


def _open_session() -> aiohttp.ClientSession:
    # By default it would keep the cookies that the site sets for one visitor and send them with the
    # requests of all others, and name itself where a client says nothing.
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=MAX_CONNECTIONS, keepalive_timeout=KEEP_ALIVE_S, ssl=httpx.create_ssl_context()
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
    )


async def chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """The response's body as it comes.

    Raises
    ------
    UpstreamError
        ``upstream-body``: it broke off.
    """
    try:
        async for chunk in response.aiter_raw():
            yield chunk
    except _FAILURES as error:
        raise UpstreamError("upstream-body", f"{type(error).__name__}: {error}") from error


def end_to_end(headers: Iterable[tuple[bytes, bytes]], also: frozenset[bytes] = frozenset()) -> RawHeaders:
    """Headers without those of the connection, those that Connection names, and `also`; in lower case."""
    named = [(name.lower(), value) for name, value in headers]
    dropped = HOP_BY_HOP | also
    for name, value in named:
        if name == b"connection":
            dropped |= {token.strip().lower() for token in value.split(b",")} - _NEVER_OF_CONNECTION
    return [(name, value) for name, value in named if name not in dropped]
