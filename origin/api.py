"""The origin's HTTP interface: routes, tokens, limits, and what they answer."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from edge.bundle import format as fmt
from edge.errors import BundleError, ConfigError, GivenError
from origin.accept import accept_manifest, accept_revision, refused
from origin.ingest import MAX_BATCH_BYTES
from origin.keys import OriginKeys
from origin.reading import (
    MAX_DIGITS,
    authorized,
    body_of,
    digest_of,
    json_of,
    origin_of,
    segment_of,
    site_of,
    stream_into,
)
from origin.refusal import RefusedError
from origin.service import Origin, Site, open_origin
from origin.settings import Settings
from origin.store import NewRevision, Order, RolloutChange, StoredManifest

MAX_SIGNED_BYTES: Final = fmt.MAX_MANIFEST_BYTES + 4096
MAX_TEXT: Final = 1000
MAX_POPS: Final = 10_000
MSGPACK: Final = "application/msgpack"
FOREVER: Final = {"cache-control": "public, max-age=31536000, immutable"}

logger = logging.getLogger("nearside.origin")


class RevisionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST revisions: manifest hashes by role, and who publishes them why."""

    manifests: dict[str, str]
    author: str
    reason: str = ""
    activate: bool = True


class RolloutRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST rollout; what it leaves out stays as it is."""

    author: str
    reason: str = ""
    pops: dict[str, int] | None = None
    kill: tuple[str, ...] | None = None
    after: int | None = None


def make_app(settings: Settings, keys: Sequence[OriginKeys]) -> Starlette:
    """The origin's application; its data folder is opened when it starts (lifespan).

    Raises
    ------
    ConfigError
        ``keys``: none, or two key files of the same site.
    """
    names = [held.site for held in keys]
    if not names or len(set(names)) != len(names):
        raise ConfigError("keys", f"need key files of different sites, have {names}")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_origin(settings, keys) as origin:
            app.state.origin = origin
            yield

    return Starlette(
        routes=_routes(),
        lifespan=lifespan,
        exception_handlers={
            RefusedError: _on_refusal,
            GivenError: _on_given,
            HTTPException: _on_http,
            ClientDisconnect: _on_gone,
            Exception: _on_bug,
        },
    )


def _routes() -> list[Route]:
    base = "/v1/sites/{site}"
    segment = f"{base}/events/{{pop}}/{{spool}}/{{segment:int}}"
    return [
        Route("/live", live),
        Route(f"{base}/artifacts/{{sha256}}", put_artifact, methods=["PUT"]),
        Route(f"{base}/artifacts/{{sha256}}", get_artifact),
        Route(f"{base}/manifests/{{sha256}}", put_manifest, methods=["PUT"]),
        Route(f"{base}/manifests/{{sha256}}", get_manifest),
        Route(f"{base}/revisions", post_revision, methods=["POST"]),
        Route(f"{base}/revisions", list_revisions),
        Route(f"{base}/revisions/{{number:int}}", get_revision),
        Route(f"{base}/rollout", post_rollout, methods=["POST"]),
        Route(f"{base}/rollout", get_rollout),
        Route(f"{base}/news", get_news),
        Route(f"{segment}", post_events, methods=["POST"]),
        Route(f"{segment}", get_watermark),
    ]


async def live(_request: Request) -> Response:
    """Says that the process answers."""
    return JSONResponse({"live": True})


async def put_artifact(request: Request) -> Response:
    """Take an artifact: hashed and bounded on its way, visible once whole."""
    site = authorized(request, "publish")
    upload = site.artifacts.upload(digest_of(request))
    try:
        size = await stream_into(request, upload.write)
        await asyncio.to_thread(upload.finish)
    finally:
        upload.close()
    return JSONResponse({"size": size}, 201)


async def get_artifact(request: Request) -> Response:
    """An artifact's bytes; public, for nothing in a bundle is secret."""
    path = site_of(request).artifacts.path(digest_of(request))
    if not path.is_file():
        raise RefusedError(404, "no-artifact", f"no artifact {path.name[:12]}…")
    headers = {**FOREVER, "etag": f'"{path.name}"'}
    return FileResponse(path, media_type="application/octet-stream", headers=headers)


async def put_manifest(request: Request) -> Response:
    """Take a signed manifest, when a key of its role signed it."""
    site = authorized(request, "publish")
    sha256 = digest_of(request)
    manifest = accept_manifest(site.keys, sha256, await body_of(request, MAX_SIGNED_BYTES))
    await origin_of(request).store.put_manifest(site.keys.site, sha256, manifest)
    return JSONResponse({"role": manifest.role}, 201)


async def get_manifest(request: Request) -> Response:
    """A signed manifest by the hash of its payload."""
    site = site_of(request)
    manifest = await _manifest(request, site, digest_of(request))
    return Response(manifest.signed, media_type=MSGPACK, headers=FOREVER)


async def post_revision(request: Request) -> Response:
    """Number a bundle, and by default roll it out."""
    site = authorized(request, "publish")
    wanted = await json_of(request, RevisionRequest)
    if set(wanted.manifests) != set(fmt.ROLES):
        raise RefusedError(422, "roles", f"a revision pins one manifest of each role: {', '.join(fmt.ROLES)}")
    stored = {
        role: (sha256, await _manifest(request, site, sha256, status=422))
        for role, sha256 in sorted(wanted.manifests.items())
    }
    refs = accept_revision(site.keys, stored, site.artifacts)
    new = NewRevision(refs, fmt.bundle_id(wanted.manifests), wanted.activate, _order(wanted))
    origin = origin_of(request)
    number, serial = await origin.store.add_revision(site.keys.site, new, site.sign)
    if wanted.activate:
        origin.news.tell(site.keys.site)
    logger.info("revision %d of %s by %s: %s", number, site.keys.site, wanted.author, wanted.reason)
    return JSONResponse({"number": number, "serial": serial}, 201)


async def list_revisions(request: Request) -> Response:
    """The newest revisions, newest first, with author, reason and time."""
    origin = origin_of(request)
    return JSONResponse(await origin.store.revisions(site_of(request).keys.site))


async def get_revision(request: Request) -> Response:
    """A signed revision."""
    origin, number = origin_of(request), request.path_params["number"]
    signed = await origin.store.revision(site_of(request).keys.site, number)
    if signed is None:
        raise RefusedError(404, "no-revision", f"no revision {number}", "list them with GET revisions")
    return Response(signed, media_type=MSGPACK, headers=FOREVER)


async def post_rollout(request: Request) -> Response:
    """Say which PoP serves what, and which campaigns are killed; heard by all edges at once."""
    site = authorized(request, "publish")
    wanted = await json_of(request, RolloutRequest)
    if wanted.pops is not None and not 0 < len(wanted.pops) <= MAX_POPS:
        raise RefusedError(422, "pops", f"pops names 1 to {MAX_POPS} PoPs", 'name all of them with "*"')
    if len(wanted.kill or ()) > fmt.MAX_KILLED:
        raise RefusedError(
            422, "kill", f"more than {fmt.MAX_KILLED} campaigns", "publish without them instead"
        )
    kill = None if wanted.kill is None else tuple(sorted(set(wanted.kill)))
    change = RolloutChange(wanted.pops, kill, wanted.after, _order(wanted))
    origin = origin_of(request)
    serial = await origin.store.change_rollout(site.keys.site, change, site.sign)
    origin.news.tell(site.keys.site)
    logger.info("rollout %d of %s by %s: %s", serial, site.keys.site, wanted.author, wanted.reason)
    return JSONResponse({"serial": serial})


async def get_rollout(request: Request) -> Response:
    """The signed rollout in force."""
    origin = origin_of(request)
    rollout = await origin.store.rollout(site_of(request).keys.site)
    if not rollout.serial:
        raise RefusedError(404, "no-rollout", "nothing was rolled out yet", "publish a workspace")
    return Response(rollout.signed, media_type=MSGPACK, headers={"cache-control": "no-store"})


async def get_news(request: Request) -> Response:
    """A stream of JSON lines: the rollout at once and on each change, a sign of life in between."""
    origin = origin_of(request)
    lines = _news(origin, site_of(request).keys.site)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)


async def _news(origin: Origin, site: str) -> AsyncIterator[bytes]:
    told = 0
    while not origin.news.closed:
        upcoming = origin.news.upcoming(site)
        rollout = await origin.store.rollout(site)
        if rollout.serial > told:
            told = rollout.serial
            yield msgspec.json.encode({"rollout": base64.b64encode(rollout.signed).decode()}) + b"\n"
        else:
            yield b'{"alive":true}\n'
        try:
            await asyncio.wait_for(upcoming.wait(), origin.settings.heartbeat_s)
        except TimeoutError:
            continue


async def post_events(request: Request) -> Response:
    """Take a part of a spool's segment; answers how much of the segment is in the lake."""
    authorized(request, "ingest")
    segment = segment_of(request)
    offset = request.query_params.get("offset", "")
    if not offset.isdecimal() or len(offset) > MAX_DIGITS:
        raise RefusedError(422, "offset", "offset=N must say where in the segment the body begins")
    body = await body_of(request, MAX_BATCH_BYTES)
    committed = await origin_of(request).ingest.take(segment, int(offset), body)
    return JSONResponse({"committed": committed})


async def get_watermark(request: Request) -> Response:
    """How much of a spool's segment is in the lake."""
    authorized(request, "ingest")
    committed = await origin_of(request).store.watermark(segment_of(request))
    return JSONResponse({"committed": committed})


def _order(wanted: RevisionRequest | RolloutRequest) -> Order:
    if not wanted.author.strip():
        raise RefusedError(422, "author", "nobody is named as author", "say who changes what visitors see")
    return Order(wanted.author[:MAX_TEXT], wanted.reason[:MAX_TEXT])


async def _manifest(request: Request, site: Site, sha256: str, status: int = 404) -> StoredManifest:
    manifest = await origin_of(request).store.manifest(site.keys.site, sha256)
    if manifest is None:
        raise RefusedError(status, "no-manifest", f"no manifest {sha256[:12]}…", "PUT it first")
    return manifest


async def _on_refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return error.response()


async def _on_given(_request: Request, error: Exception) -> Response:
    assert isinstance(error, GivenError)
    if isinstance(error, BundleError):
        return refused(error).response()
    return RefusedError(422, error.code, str(error).removeprefix(f"{error.code}: ")).response()


async def _on_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "no-route", 405: "method"}.get(error.status_code, "http")
    response = RefusedError(
        error.status_code, code, error.detail, "see docs/origin.md for the routes"
    ).response()
    response.headers.update(error.headers or {})
    return response


async def _on_gone(_request: Request, _error: Exception) -> Response:
    return RefusedError(400, "gone", "the client went away before its body was whole").response()


async def _on_bug(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return RefusedError(500, "internal", "the origin failed", "its log says why").response()
