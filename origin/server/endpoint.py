"""What a route is, in one value: the application and its OpenAPI document are both made from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

SITE: Final = "/v1/sites/{site}"
PUBLISH: Final = "publish"
INGEST: Final = "ingest"
BYTES: Final = "application/octet-stream"
MSGPACK: Final = "application/msgpack"
LINES: Final = "application/x-ndjson"
JSON: Final = "application/json"

Handler = Callable[[Request], Awaitable[Response]]

Errors = dict[int, tuple[str, ...]]
"""Error codes by status."""


@dataclass(frozen=True)
class Query:
    """A query parameter, with its JSON Schema."""

    name: str
    text: str
    schema: dict[str, Any]
    required: bool = False


@dataclass(frozen=True)
class Body:
    """What travels: a JSON document of `type_`, or bytes of another media type that `text` explains."""

    type_: Any = None
    media: str = JSON
    text: str = ""
    example: Any = None


@dataclass(frozen=True)
class Endpoint:
    """One route and method. Its summary is the first line of its handler's docstring."""

    method: str
    path: str
    handler: Handler
    answers: Body
    status: int = 200
    takes: Body | None = None
    token: str = ""
    query: tuple[Query, ...] = ()
    errors: Errors = field(default_factory=dict)
    head: bool = False

    @property
    def documented_path(self) -> str:
        """The path as OpenAPI writes it: without the types of its holes."""
        return self.path.replace(":int", "")

    def all_errors(self) -> Errors:
        """The codes of this route, with those that its token, its body and its site bring along."""
        found: dict[int, set[str]] = {500: {"internal"}}
        for status, code in self._implied():
            found.setdefault(status, set()).add(code)
        for status, codes in self.errors.items():
            found.setdefault(status, set()).update(codes)
        return {status: tuple(sorted(codes)) for status, codes in sorted(found.items())}

    def _implied(self) -> list[tuple[int, str]]:
        implied = []
        if ":int" in self.path:  # what is no number there is another path
            implied.append((404, "no-route"))
        if self.path.startswith(SITE):
            implied.append((404, "no-site"))
        if self.token:
            implied += [(401, "no-token"), (403, "wrong-token")]
        if self.token == INGEST:
            implied.append((403, "revoked"))
        if self.takes:
            implied += [(413, "too-large"), (400, "gone")]
            implied += [(422, "json")] if self.takes.media == JSON else []
        return implied
