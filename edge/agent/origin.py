"""The origin's HTTP interface as the agent uses it; all its failures become OriginError."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from urllib.parse import quote

import httpx
import msgspec

from edge.agent.trusted import MAX_REVISION_BYTES, MAX_ROLLOUT_BYTES, MAX_SIGNED_MANIFEST_BYTES
from edge.bundle.stock import MAX_STOCK_BYTES
from edge.errors import BundleError, ConfigError, OriginError

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 15.0
NEWS_SILENCE_S: Final = 15.0
MAX_ANSWER_BYTES: Final = 64 << 10
MAX_NEWS_LINE_BYTES: Final = 4 << 20
CHUNK_BYTES: Final = 64 << 10


class _Fault(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Answer(msgspec.Struct):
    """What the origin says of a segment; `committed` is -1 where it says nothing of its watermark."""

    committed: int = -1
    error: _Fault = msgspec.field(default_factory=_Fault)


class RefusedSegmentError(OriginError):
    """The origin can't take this segment, now or later."""


class OffsetError(OriginError):
    """The origin's watermark is elsewhere: at `committed`."""

    def __init__(self, committed: int) -> None:
        super().__init__("offset", f"the origin has {committed} bytes")
        self.committed = committed


class Reachability:
    """Whether the origin answers, by what it is asked for; a change is logged once.

    Attributes
    ----------
    failing : dict[str, str]
        Why there is no answer, for each of ``news``, ``bundles``, ``stock``,
        ``events`` where there is none.
    """

    def __init__(self) -> None:
        self.failing: dict[str, str] = {}
        self._heard = False

    @property
    def reachable(self) -> bool:
        """Whether the origin answered, and all that was asked last."""
        return self._heard and not self.failing

    def answered(self, what: str) -> None:
        """The origin answered."""
        self._heard = True
        if self.failing.pop(what, None) is not None:
            log.info("the origin answers again: %s", what)

    def failed(self, what: str, error: OriginError) -> None:
        """The origin did not answer; what is here goes on, and it is asked again."""
        if what not in self.failing:
            log.warning("the origin gives no %s: %s; serving goes on with what is here", what, error)
        self.failing[what] = str(error)


class Origin:
    """One site at an origin; `token` is asked for the PoP's credential at each use."""

    def __init__(
        self, url: str, site: str, token: Callable[[], str], transport: httpx.AsyncBaseTransport | None = None
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

    async def stock(self, after: int) -> bytes | None:
        """The signed stock list in force; None when there is none newer than the one of serial `after`."""
        async with self._get(f"stock?after={after}") as answer:
            if answer.status_code == httpx.codes.NOT_FOUND:
                return None
            return await _bounded(_expect(answer), MAX_STOCK_BYTES)

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
        async with self._get(f"news?pop={quote(pop, safe='')}", silence, self._name_tag()) as answer:
            waiting = b""
            async for chunk in _expect(answer).aiter_raw():
                *lines, waiting = (waiting + chunk).split(b"\n")
                for line in lines:
                    yield line
                if len(waiting) > MAX_NEWS_LINE_BYTES:
                    raise BundleError("too-large", f"a line of news is over {MAX_NEWS_LINE_BYTES} bytes")

    async def committed(self, place: str) -> int:
        """How many bytes of ``POP/SPOOL/SEGMENT`` the origin has committed."""
        async with self._get(f"events/{place}", headers=self._authority()) as answer:
            body = await _bounded(answer, MAX_ANSWER_BYTES)
        return _watermark(_allowed(answer, body))

    async def ship(self, place: str, offset: int, data: bytes) -> int:
        """Hand over whole records that begin at `offset`; the origin's watermark after them.

        Raises
        ------
        OffsetError
            The origin expects another offset.
        RefusedSegmentError
            The origin can't take these bytes, ever.
        """
        with _failures():
            async with self._client.stream(
                "POST",
                f"{self._base}events/{place}?offset={offset}",
                content=data,
                headers={**self._authority(), "content-type": "application/octet-stream"},
            ) as answer:
                body = await _bounded(answer, MAX_ANSWER_BYTES)
        if answer.status_code == httpx.codes.CONFLICT:
            raise OffsetError(_watermark(body))
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            _refuse_segment(body)
        return _watermark(_allowed(answer, body))

    def _authority(self) -> dict[str, str]:
        try:
            return {"authorization": f"Bearer {self._token()}"}
        except ConfigError as error:
            # Not now; a file that is put in its place is read at the next try.
            raise OriginError(error.code, str(error).removeprefix(f"{error.code}: ")) from error

    def _name_tag(self) -> dict[str, str]:
        """By the credential the origin knows who listens; but anybody may hear the news."""
        try:
            return self._authority()
        except OriginError as error:
            log.warning("the news are heard namelessly: %s", error)
            return {}

    @asynccontextmanager
    async def _get(
        self, path: str, limits: httpx.Timeout | None = None, headers: dict[str, str] | None = None
    ) -> AsyncIterator[httpx.Response]:
        limits = limits or self._client.timeout
        with _failures():
            async with self._client.stream(
                "GET", self._base + path, timeout=limits, headers=headers
            ) as answer:
                yield answer


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise OriginError("origin-unreachable", f"{type(error).__name__} {error}".strip()) from error


def _expect(answer: httpx.Response) -> httpx.Response:
    if answer.status_code != httpx.codes.OK:
        raise OriginError("origin-status", f"{answer.request.url.path}: HTTP {answer.status_code}")
    return answer


def _allowed(answer: httpx.Response, body: bytes) -> bytes:
    """The body of an answer, or why the origin does not take this PoP's credential."""
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        fault = _read(body).error
        raise OriginError(fault.code or "credential", fault.message or f"HTTP {answer.status_code}")
    _expect(answer)
    return body


async def _bounded(answer: httpx.Response, limit: int) -> bytes:
    data = bytearray()
    async for chunk in answer.aiter_raw(CHUNK_BYTES):
        data += chunk
        if len(data) > limit:
            raise BundleError("too-large", f"{answer.request.url.path} is over {limit} bytes")
    return bytes(data)


def _watermark(data: bytes) -> int:
    committed = _read(data).committed
    if committed < 0:
        raise OriginError("origin-answer", "no watermark in the answer")
    return committed


def _refuse_segment(data: bytes) -> None:
    """Raise when the bytes are at fault: then the answer names the watermark before the bad record."""
    answer = _read(data)
    if answer.committed >= 0:
        raise RefusedSegmentError(answer.error.code or "segment", answer.error.message)


def _read(data: bytes) -> _Answer:
    try:
        return msgspec.json.decode(data, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OriginError("origin-answer", f"not what an origin answers: {error}") from error
