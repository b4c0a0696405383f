"""The origin's HTTP interface as those who publish use it; all its failures become OriginError."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from edge.bundle import format as fmt
from edge.bundle.format import Rollout, Signed
from edge.bundle.stock import MAX_STOCK_BYTES, decode_stock
from edge.errors import OriginError
from origin.keys import PublisherKeys
from origin.wire import (
    NewCredential,
    PopEntry,
    Revised,
    RevisionDetail,
    RevisionDiff,
    RevisionEntry,
    Revoked,
    RolledOut,
    RolloutEntry,
    Stocked,
    StockEntry,
)

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 60.0


class _Error(msgspec.Struct):
    code: str
    message: str
    hint: str = ""


class _Refused(msgspec.Struct):
    error: _Error


T = TypeVar("T")


class OriginClient:
    """One site at an origin, for the holder of publisher keys. Close it, or use it with `with`."""

    def __init__(self, url: str, keys: PublisherKeys) -> None:
        if not url.startswith(("http://", "https://")):
            raise OriginError("origin-url", f"{url!r} is no http:// or https:// URL")
        self._url, self.site = url, keys.site
        self._client = httpx.Client(
            base_url=f"{url.rstrip('/')}/v1/sites/{keys.site}/",
            headers={"authorization": f"Bearer {keys.publish_token}", "user-agent": "nearside"},
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
        )

    def __enter__(self) -> "OriginClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def check(self) -> None:
        """Make sure that the origin answers and takes the publish token."""
        self.pops()

    def holds_artifact(self, sha256: str, size: int) -> bool:
        """Whether the origin holds the artifact, whole."""
        answer = self._request("HEAD", f"artifacts/{sha256}", absent=True)
        return answer is not None and answer.headers.get("content-length") == str(size)

    def put_artifact(self, sha256: str, path: Path) -> None:
        """Upload an artifact's file."""
        with path.open("rb") as file:
            self._request("PUT", f"artifacts/{sha256}", content=file)

    def holds_manifest(self, sha256: str) -> bool:
        """Whether the origin holds a manifest with this payload."""
        return self._request("GET", f"manifests/{sha256}", absent=True) is not None

    def put_manifest(self, sha256: str, signed: Signed) -> None:
        """Upload a signed manifest."""
        self._request("PUT", f"manifests/{sha256}", content=fmt.encode(signed))

    def manifest(self, sha256: str) -> bytes:
        """A manifest's payload."""
        return fmt.decode(self._request("GET", f"manifests/{sha256}").content, Signed).payload

    def get_artifact(self, sha256: str, path: Path) -> None:
        """Download an artifact into a file; who wants it hashes it."""
        with self._failures(), self._client.stream("GET", f"artifacts/{sha256}") as answer:
            if not answer.is_success:
                answer.read()
                raise _refusal(answer)
            with path.open("wb") as file:
                for chunk in answer.iter_bytes():
                    file.write(chunk)

    def post_revision(self, body: dict[str, Any]) -> Revised:
        """Make a revision of uploaded manifests."""
        return self._json(self._request("POST", "revisions", json=body), Revised)

    def post_rollout(self, body: dict[str, Any]) -> RolledOut:
        """Change the rollout."""
        return self._json(self._request("POST", "rollout", json=body), RolledOut)

    def post_stock(self, body: dict[str, Any]) -> Stocked:
        """Say what is out of stock, and what is back."""
        return self._json(self._request("POST", "stock", json=body), Stocked)

    def stock(self) -> tuple[str, ...]:
        """The items that are out of stock."""
        answer = self._request("GET", "stock", absent=True)
        if answer is None:
            return ()
        payload = fmt.decode(answer.content, Signed, MAX_STOCK_BYTES).payload
        return decode_stock(payload, self.site).out

    def stock_changes(self) -> list[StockEntry]:
        """The newest changes of stock, the last one first."""
        return self._json(self._request("GET", "stock/changes"), list[StockEntry])

    def revision(self, number: int) -> RevisionDetail:
        """A revision with its manifests."""
        return self._json(self._request("GET", f"revisions/{number}/summary"), RevisionDetail)

    def rollouts(self) -> list[RolloutEntry]:
        """The newest rollouts, the one in force first."""
        return self._json(self._request("GET", "rollouts"), list[RolloutEntry])

    def diff(self, a: int, b: int) -> RevisionDiff:
        """How two revisions differ, artifact by artifact."""
        return self._json(self._request("GET", f"diff/{a}/{b}"), RevisionDiff)

    def pops(self) -> list[PopEntry]:
        """The PoPs of the site."""
        return self._json(self._request("GET", "pops"), list[PopEntry])

    def post_pop(self, body: dict[str, Any]) -> NewCredential:
        """Make a PoP a credential."""
        return self._json(self._request("POST", "pops", json=body), NewCredential)

    def revoke_pop(self, name: str, body: dict[str, Any]) -> None:
        """Revoke a PoP's credential."""
        place = f"pops/{quote(name, safe='')}/revoke"
        self._json(self._request("POST", place, json=body), Revoked)

    def revisions(self) -> list[RevisionEntry]:
        """The newest revisions, newest first."""
        return self._json(self._request("GET", "revisions"), list[RevisionEntry])

    def rollout(self) -> Rollout | None:
        """The rollout in force; None when nothing was rolled out yet."""
        answer = self._request("GET", "rollout", absent=True)
        return fmt.decode(fmt.decode(answer.content, Signed).payload, Rollout) if answer else None

    def _request(self, method: str, path: str, *, absent: bool = False, **body: Any) -> Any:
        """The answer; None for a 404 where `absent` says that this is one."""
        with self._failures():
            answer = self._client.request(method, path, **body)
        if answer.is_success:
            return answer
        if absent and answer.status_code == httpx.codes.NOT_FOUND and not _is_no_site(answer):
            return None
        raise _refusal(answer)

    def _json(self, answer: httpx.Response, type_: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.content, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise OriginError(
                "origin-answer", f"{self._url} is no origin of this version: {error}"
            ) from error

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            why = f"{type(error).__name__}: {error}"
            raise OriginError(
                "origin-unreachable", f"{self._url} did not answer ({why}); is it up?"
            ) from error


def _is_no_site(answer: httpx.Response) -> bool:
    return answer.request.method != "HEAD" and b'"no-site"' in answer.content


def _refusal(answer: httpx.Response) -> OriginError:
    try:
        error = msgspec.json.decode(answer.content, type=_Refused).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return OriginError("origin-status", f"{answer.request.url}: HTTP {answer.status_code}")
    return OriginError(error.code, f"{error.message} ({error.hint})" if error.hint else error.message)
