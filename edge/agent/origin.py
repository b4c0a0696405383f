"""The origin's HTTP interface as the agent uses it; all its failures become OriginError."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from urllib.parse import quote

import httpx
import msgspec

from edge.agent.trusted import MAX_REVISION_BYTES, MAX_ROLLOUT_BYTES, MAX_SIGNED_MANIFEST_BYTES
from edge.errors import BundleError, OriginError

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 15.0
NEWS_SILENCE_S: Final = 15.0
MAX_ANSWER_BYTES: Final = 64 << 10
MAX_NEWS_LINE_BYTES: Final = 4 << 20
CHUNK_BYTES: Final = 64 << 10


class _Committed(msgspec.Struct):
    committed: int


class RefusedSegmentError(OriginError):
    """The origin can't take this segment, now or later."""


class OffsetError(OriginError):
    """The origin's watermark is elsewhere: at `committed`."""

    def __init__(self, committed: int) -> None:
        super().__init__("offset", f"the origin has {committed} bytes")
        self.committed = committed


class Reachability:
    """Whether the origin answers; a change is logged once."""

    def __init__(self) -> None:
        self.reachable: bool | None = None
        self.reason = "not tried yet"

    def answered(self) -> None:
        """The origin answered."""
        if self.reachable is not True:
            log.info("the origin answers")
        self.reachable, self.reason = True, ""

    def failed(self, reason: str) -> None:
        """The origin did not answer."""
        if self.reachable is not False:
            log.warning("the origin does not answer: %s; serving goes on with what is here", reason)
        self.reachable, self.reason = False, reason


class Origin:
    """One site at an origin."""

    def __init__(
        self, url: str, site: str, token: str, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._base = f"{url.rstrip('/')}/v1/sites/{quote(site, safe='')}/"
        self._token = token
        self.reach = Reachability()
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            # Bytes as they are: what is hashed is what was sent, and nothing can unfold.
            headers={"accept-encoding": "identity", "user-agent": "nearside-edge"},
            transport=transport,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def rollout(self) -> bytes | None:
        """The signed rollout in force; None when nothing was published yet."""
        async with self._get("rollout") as answer:
            if answer.status_code == httpx.codes.NOT_FOUND:
                return None
            return await _bounded(_expect(answer), MAX_ROLLOUT_BYTES)

    async def revision(self, number: int) -> bytes:
        """A signed revision."""
        async with self._get(f"revisions/{number}") as answer:
            return await _bounded(_expect(answer), MAX_REVISION_BYTES)

    async def manifest(self, sha256: str) -> bytes:
        """A signed manifest."""
        async with self._get(f"manifests/{sha256}") as answer:
            return await _bounded(_expect(answer), MAX_SIGNED_MANIFEST_BYTES)

    async def artifact(self, sha256: str) -> AsyncIterator[bytes]:
        """An artifact's bytes as they come; the caller bounds and hashes them."""
        async with self._get(f"artifacts/{sha256}") as answer:
            async for chunk in _expect(answer).aiter_raw(CHUNK_BYTES):
                yield chunk

    async def news(self, pop: str) -> AsyncIterator[bytes]:
        """The lines of the news stream, until it breaks or is silent for too long."""
        silence = httpx.Timeout(CONNECT_TIMEOUT_S, read=NEWS_SILENCE_S)
        async with self._get(f"news?pop={quote(pop, safe='')}", silence) as answer:
            waiting = b""
            async for chunk in _expect(answer).aiter_raw():
                self.reach.answered()
                *lines, waiting = (waiting + chunk).split(b"\n")
                for line in lines:
                    yield line
                if len(waiting) > MAX_NEWS_LINE_BYTES:
                    raise BundleError("too-large", f"a line of news is over {MAX_NEWS_LINE_BYTES} bytes")

    async def committed(self, place: str) -> int:
        """How many bytes of ``POP/SPOOL/SEGMENT`` the origin has committed."""
        async with self._get(f"events/{place}", headers=self._authority()) as answer:
            return _watermark(await _bounded(_expect(answer), MAX_ANSWER_BYTES))

    async def ship(self, place: str, offset: int, data: bytes) -> int:
        """Hand over whole records that begin at `offset`; the origin's watermark after them.

        Raises
        ------
        OffsetError
            The origin expects another offset.
        RefusedSegmentError
            The origin can't take these bytes, ever.
        """
        with self._failures():
            answer = await self._client.post(
                f"{self._base}events/{place}",
                params={"offset": offset},
                content=data,
                headers={**self._authority(), "content-type": "application/octet-stream"},
            )
        if answer.status_code == httpx.codes.CONFLICT:
            raise OffsetError(_watermark(answer.content))
        if answer.status_code in {400, 413, 422}:
            raise RefusedSegmentError("segment", f"{answer.status_code}: {answer.text[:300]}")
        return _watermark(_expect(answer).content)

    def _authority(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}"}

    @asynccontextmanager
    async def _get(
        self, path: str, limits: httpx.Timeout | None = None, headers: dict[str, str] | None = None
    ) -> AsyncIterator[httpx.Response]:
        with self._failures():
            limits = limits or self._client.timeout
            async with self._client.stream(
                "GET", self._base + path, timeout=limits, headers=headers
            ) as answer:
                yield answer

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            reason = f"{type(error).__name__} {error}".strip()
            self.reach.failed(reason)
            raise OriginError("origin-unreachable", reason) from error
        except OriginError as error:
            self.reach.failed(str(error))
            raise
        except (asyncio.CancelledError, GeneratorExit):
            raise
        self.reach.answered()


def _expect(answer: httpx.Response) -> httpx.Response:
    if answer.status_code != httpx.codes.OK:
        raise OriginError("origin-status", f"{answer.request.url.path}: HTTP {answer.status_code}")
    return answer


async def _bounded(answer: httpx.Response, limit: int) -> bytes:
    data = bytearray()
    async for chunk in answer.aiter_raw(CHUNK_BYTES):
        data += chunk
        if len(data) > limit:
            raise BundleError("too-large", f"{answer.request.url.path} is over {limit} bytes")
    return bytes(data)


def _watermark(data: bytes) -> int:
    try:
        return msgspec.json.decode(data, type=_Committed).committed
    except msgspec.DecodeError as error:
        raise OriginError("origin-answer", f"no watermark: {error}") from error
