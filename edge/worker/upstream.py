"""The site: the one place from which requests leave a worker."""

from collections.abc import AsyncIterator, Iterable
from typing import Final

import httpx
from httpx_aiohttp import AiohttpTransport

from edge.errors import UpstreamError

MAX_CONNECTIONS: Final = 256

RawHeaders = list[tuple[bytes, bytes]]

# RFC 9110, section 7.6.1: they belong to one connection, not to the message.
HOP_BY_HOP: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization",
     b"te", b"trailer", b"transfer-encoding", b"upgrade")
)  # fmt: skip


class Upstream:
    """A client of the site that is personalized."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url.rstrip("/")
        self._client = httpx.AsyncClient(
            transport=AiohttpTransport(limits=httpx.Limits(max_connections=MAX_CONNECTIONS), retries=0),
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
        )

    async def send(
        self, method: str, target: bytes, headers: RawHeaders, body: AsyncIterator[bytes] | None
    ) -> httpx.Response:
        """The site's response, headers read, body still to be streamed; the caller closes it.

        Raises
        ------
        UpstreamError
            ``upstream``: no connection, no answer in time, or no HTTP.
        """
        request = httpx.Request(method, self._url + target.decode("latin-1"), headers=headers, content=body)
        request.extensions = {"timeout": self._client.timeout.as_dict()}
        try:
            return await self._client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UpstreamError("upstream", f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


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
    except httpx.HTTPError as error:
        raise UpstreamError("upstream-body", f"{type(error).__name__}: {error}") from error


def end_to_end(headers: Iterable[tuple[bytes, bytes]], also: frozenset[bytes] = frozenset()) -> RawHeaders:
    """Headers without those of the connection, those that Connection names, and `also`."""
    named = list(headers)
    dropped = HOP_BY_HOP | also
    for name, value in named:
        if name.lower() == b"connection":
            dropped |= {token.strip().lower() for token in value.split(b",")}
    return [(name, value) for name, value in named if name.lower() not in dropped]
