"""The site: the one place from which requests leave a worker."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

import httpx

from edge.errors import UpstreamError
from edge.proxy.transport import SiteTransport

MAX_CONNECTIONS: Final = 256
VISITORS_HOST: Final = b"visitor"

RawHeaders = list[tuple[bytes, bytes]]

# RFC 9110, section 7.6.1: they belong to one connection, not to the message.
HOP_BY_HOP: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization",
     b"te", b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings")
)  # fmt: skip


# Who names these in Connection would take from the site, or from us, what it decides by.
_NEVER_OF_CONNECTION: Final = frozenset(
    (b"cookie", b"authorization", b"host", b"cache-control", b"content-length", b"content-type",
     b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"set-cookie", b"vary")
)  # fmt: skip


class Upstream:
    """A client of the site that is personalized; keeps nothing of one visitor for another.

    Parameters
    ----------
    timeout_s
        For how long it may take to connect, to say something, or to come free.
    host
        The Host that the site is told: empty for the one of its URL, `VISITORS_HOST`
        for the one that the visitor asked for, else this name.
    """

    def __init__(
        self, url: str, timeout_s: float, host: str = "", max_connections: int = MAX_CONNECTIONS
    ) -> None:
        self._url = httpx.URL(url)
        self._path = self._url.raw_path.rstrip(b"/")
        self._timeout = httpx.Timeout(timeout_s).as_dict()
        self._host = host.encode()
        self._transport = SiteTransport(self._url, max_connections)

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
            ``target``: not a path of the site; ``upstream``: no connection, or no
            HTTP; ``upstream-timeout``: no answer in time; ``upstream-busy``: no
            connection came free.
        """
        if not target.startswith(b"/"):
            raise UpstreamError("target", "not a path: it could name another host")
        extensions = {"timeout": self._timeout, "target": self._path + target, "interim": interim}
        fields = self._named(headers)
        try:
            request = httpx.Request(method, self._url, headers=fields, content=body, extensions=extensions)
            return await self._transport.handle_async_request(request)
        except httpx.TransportError as error:
            raise _failure(error) from error

    def _named(self, headers: RawHeaders) -> RawHeaders:
        """The headers with the Host that the site is to be told, if not its own."""
        host = self._host
        if host == VISITORS_HOST:
            host = next((value for name, value in headers if name == b"x-forwarded-host"), b"")
        return [(b"host", host), *headers] if host else headers

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


def _failure(error: httpx.TransportError) -> UpstreamError:
    told = f"{type(error).__name__}: {error}"
    if isinstance(error, httpx.PoolTimeout):
        return UpstreamError("upstream-busy", told)
    if isinstance(error, httpx.TimeoutException):
        return UpstreamError("upstream-timeout", told)
    if isinstance(error, httpx.LocalProtocolError):
        return UpstreamError("target", told)
    return UpstreamError("upstream", told)


async def chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """The response's body as it comes.

    Raises
    ------
    UpstreamError
        ``upstream-body``: it broke off.
    """
    try:
        async for chunk in response.stream:  # type: ignore[union-attr]  # as all of an async transport
            yield chunk
    except httpx.TransportError as error:
        raise UpstreamError("upstream-body", f"{type(error).__name__}: {error}") from error


def end_to_end(headers: Iterable[tuple[bytes, bytes]], also: frozenset[bytes] = frozenset()) -> RawHeaders:
    """Headers without those of the connection, those that Connection names, and `also`; in lower case."""
    named = [(name.lower(), value) for name, value in headers]
    dropped = HOP_BY_HOP | also
    for name, value in named:
        if name == b"connection":
            dropped |= {token.strip().lower() for token in value.split(b",")} - _NEVER_OF_CONNECTION
    return [(name, value) for name, value in named if name not in dropped]
