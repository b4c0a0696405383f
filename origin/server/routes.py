"""The table of the origin's routes."""

from functools import cache
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from origin import wire
from origin.server import api_pops, api_published, api_stock, openapi
from origin.server.answers import answer
from origin.server.endpoint import (
    BYTES,
    INGEST,
    LINES,
    MSGPACK,
    PUBLISH,
    SITE,
    Body,
    Endpoint,
    Handler,
    Query,
)

ARTIFACT: Final = f"{SITE}/artifacts/{{sha256}}"
MANIFEST: Final = f"{SITE}/manifests/{{sha256}}"
SEGMENT: Final = f"{SITE}/events/{{pop}}/{{spool}}/{{segment:int}}"
DIGITS: Final = "^[0-9]{1,15}$"
HASHES: Final = dict.fromkeys(("rules", "models", "catalog"), "ab" * 32)
WHO: Final = {"author": "ann", "reason": "spring campaign"}
SIGNED: Final = "msgpack: `{payload: bytes, signatures: [{key, value: bytes}]}`, signed by Ed25519"

MANIFEST_ERRORS: Final = (
    "artifact-list",
    "foreign-site",
    "format",
    "malformed",
    "manifest-hash",
    "signature",
    "wrong-role",
)
REVISION_ERRORS: Final = (
    "artifact-list",
    "author",
    "foreign-site",
    "format",
    "interface",
    "malformed",
    "missing-artifacts",
    "no-manifest",
    "roles",
    "signature",
    "wrong-role",
)
EVENT_ERRORS: Final = ("damaged", "foreign-site", "offset", "pop", "record", "segment", "spool")
PLACE_ERRORS: Final = ("pop", "segment", "spool")


async def live(_request: Request) -> Response:
    """Says that the process answers."""
    return answer(wire.Live(True))


async def get_openapi(_request: Request) -> Response:
    """This document: every route, what it takes and answers, and every error by its code."""
    return answer(document())


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document of all routes."""
    written: dict[str, Any] = msgspec.json.decode(wire.encode(openapi.document(ENDPOINTS)))
    return written


def make_routes() -> list[Route]:
    """The application's routes, one for each path: so that a 405 names all methods that it has."""
    paths: dict[str, dict[str, Handler]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method] = endpoint.handler
    return [Route(path, _by_method(handlers), methods=[*handlers]) for path, handlers in paths.items()]


def _by_method(handlers: dict[str, Handler]) -> Handler:
    async def handle(request: Request) -> Response:
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return handle


_PUBLISHING: Final = (
    Endpoint(
        "PUT",
        ARTIFACT,
        api_published.put_artifact,
        Body(wire.Stored, example={"size": 4096}),
        201,
        Body(media=BYTES, text="the artifact's bytes"),
        PUBLISH,
        errors={404: ("no-digest",), 422: ("artifact-hash",)},
    ),
    Endpoint(
        "GET",
        ARTIFACT,
        api_published.get_artifact,
        Body(media=BYTES, text="the artifact's bytes, immutable"),
        errors={404: ("no-artifact", "no-digest")},
        head=True,
    ),
    Endpoint(
        "PUT",
        MANIFEST,
        api_published.put_manifest,
        Body(wire.Accepted, example={"role": "rules"}),
        201,
        Body(media=MSGPACK, text=f"a manifest: {SIGNED}; the address is the payload's hash"),
        PUBLISH,
        errors={404: ("no-digest",), 422: MANIFEST_ERRORS},
    ),
    Endpoint(
        "GET",
        MANIFEST,
        api_published.get_manifest,
        Body(media=MSGPACK, text=f"a manifest: {SIGNED}"),
        errors={404: ("no-digest", "no-manifest")},
    ),
    Endpoint(
        "POST",
        f"{SITE}/revisions",
        api_published.post_revision,
        Body(wire.Revised, example={"number": 7, "serial": 12}),
        201,
        Body(wire.RevisionRequest, example={"manifests": HASHES, **WHO}),
        PUBLISH,
        errors={422: REVISION_ERRORS},
    ),
    Endpoint(
        "GET",
        f"{SITE}/revisions",
        api_published.list_revisions,
        Body(
            list[wire.RevisionEntry],
            example=[
                {
                    "number": 7,
                    "bundle": "0f" * 16,
                    "manifests": HASHES,
                    **WHO,
                    "created_ms": 1_800_000_000_000,
                    "pops": ["*"],
                    "bytes": 5_242_880,
                }
            ],
        ),
    ),
    Endpoint(
        "GET",
        f"{SITE}/revisions/{{number:int}}",
        api_published.get_revision,
        Body(media=MSGPACK, text=f"a revision: {SIGNED}"),
        errors={404: ("no-revision",)},
    ),
    Endpoint(
        "GET",
        f"{SITE}/revisions/{{number:int}}/summary",
        api_published.describe_revision,
        Body(wire.RevisionDetail),
        errors={404: ("no-revision",)},
    ),
    Endpoint(
        "GET",
        f"{SITE}/diff/{{a:int}}/{{b:int}}",
        api_published.compare_revisions,
        Body(wire.RevisionDiff),
        errors={404: ("no-revision",)},
    ),
    Endpoint(
        "POST",
        f"{SITE}/rollout",
        api_published.post_rollout,
        Body(wire.RolledOut, example={"serial": 13}),
        200,
        Body(wire.RolloutRequest, example={"pops": {"*": 6, "lab": 7}, "after": 12, **WHO}),
        PUBLISH,
        errors={409: ("stale",), 422: ("author", "kill", "no-revision", "pops")},
    ),
    Endpoint(
        "GET",
        f"{SITE}/rollout",
        api_published.get_rollout,
        Body(media=MSGPACK, text=f"the rollout in force: {SIGNED}"),
        errors={404: ("no-rollout",)},
    ),
    Endpoint(
        "GET",
        f"{SITE}/rollouts",
        api_published.list_rollouts,
        Body(
            list[wire.RolloutEntry],
            example=[
                {"serial": 13, "pops": {"*": 6}, "kill": [], **WHO, "created_ms": 1_800_000_000_000},
            ],
        ),
    ),
)

_STOCK: Final = (
    Endpoint(
        "POST",
        f"{SITE}/stock",
        api_stock.post_stock,
        Body(wire.Stocked, example={"serial": 31, "out": 12, "changed": 1}),
        200,
        Body(wire.StockRequest, example={"out": ["dune"], "back": ["heat"], **WHO}),
        PUBLISH,
        errors={422: ("author", "stock")},
    ),
    Endpoint(
        "GET",
        f"{SITE}/stock",
        api_stock.get_stock,
        Body(media=MSGPACK, text=f"the stock list in force: {SIGNED}"),
        query=(
            Query(
                "after", "a serial: 404 unless there is a newer one", {"type": "string", "pattern": DIGITS}
            ),
        ),
        errors={404: ("no-stock",), 422: ("after",)},
    ),
    Endpoint(
        "GET",
        f"{SITE}/stock/changes",
        api_stock.list_changes,
        Body(
            list[wire.StockEntry],
            example=[
                {
                    "serial": 31,
                    "id": "0f" * 16,
                    "out": 1,
                    "back": 1,
                    "held": 12,
                    **WHO,
                    "created_ms": 1_800_000_000_000,
                }
            ],
        ),
    ),
)

_POPS: Final = (
    Endpoint(
        "GET",
        f"{SITE}/news",
        api_pops.get_news,
        Body(wire.News, LINES, "one JSON document a line, for as long as both sides live"),
        query=(Query("pop", "which PoP listens; counted when its credential is shown", {"type": "string"}),),
        errors={422: ("pop",)},
    ),
    Endpoint(
        "POST",
        SEGMENT,
        api_pops.post_events,
        Body(wire.Committed, example={"committed": 65_536}),
        200,
        Body(media=BYTES, text="framed records; one that is cut off at the end is left for the next batch"),
        INGEST,
        (
            Query(
                "offset",
                "where in the segment the body begins",
                {"type": "string", "pattern": DIGITS},
                required=True,
            ),
        ),
        {409: ("gap",), 422: EVENT_ERRORS},
    ),
    Endpoint(
        "GET",
        SEGMENT,
        api_pops.get_watermark,
        Body(wire.Committed, example={"committed": 65_536}),
        token=INGEST,
        errors={422: PLACE_ERRORS},
    ),
    Endpoint("GET", f"{SITE}/pops", api_pops.list_pops, Body(list[wire.PopEntry]), token=PUBLISH),
    Endpoint(
        "POST",
        f"{SITE}/pops",
        api_pops.post_pop,
        Body(wire.NewCredential, example={"site": "films", "pop": "lab", "token": "TOKEN"}),
        201,
        Body(wire.PopRequest, example={"name": "lab", **WHO}),
        PUBLISH,
        errors={409: ("pop-exists",), 422: ("author", "pop")},
    ),
    Endpoint(
        "POST",
        f"{SITE}/pops/{{pop}}/revoke",
        api_pops.revoke_pop,
        Body(wire.Revoked, example={"revoked": "lab"}),
        200,
        Body(wire.RevokeRequest, example=WHO),
        PUBLISH,
        errors={404: ("no-pop",), 422: ("author", "pop")},
    ),
)

ENDPOINTS: Final = (
    Endpoint("GET", "/live", live, Body(wire.Live, example={"live": True})),
    Endpoint("GET", "/openapi.json", get_openapi, Body(media="application/json", text="OpenAPI 3.1")),
    *_PUBLISHING,
    *_STOCK,
    *_POPS,
)
