"""The routes of what is published: artifacts, manifests, revisions, rollouts."""

import asyncio
import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from edge.bundle import format as fmt
from origin.refusal import RefusedError
from origin.server.accept import accept_manifest, accept_revision
from origin.server.answers import answer
from origin.server.history import compare, revision_detail, revision_entry, rollout_entry
from origin.server.reading import (
    MAX_DIGITS,
    NAME,
    authorized,
    body_of,
    digest_of,
    json_of,
    number_of,
    order_of,
    origin_of,
    site_of,
    stream_into,
)
from origin.server.service import Site
from origin.store.values import NewRevision, RolloutChange, Row, StoredManifest
from origin.wire import Accepted, Revised, RevisionRequest, RolledOut, RolloutRequest, Stored

MAX_SIGNED_BYTES: Final = fmt.MAX_MANIFEST_BYTES + 4096
MAX_POPS: Final = 10_000
MSGPACK: Final = "application/msgpack"
FOREVER: Final = {"cache-control": "public, max-age=31536000, immutable"}

logger = logging.getLogger("nearside.origin")


async def put_artifact(request: Request) -> Response:
    """Take an artifact: hashed and bounded on its way, visible once whole."""
    site = authorized(request)
    upload = site.artifacts.upload(digest_of(request))
    try:
        size = await stream_into(request, upload.write)
        await asyncio.to_thread(upload.finish)
    finally:
        upload.close()
    return answer(Stored(size), 201)


async def get_artifact(request: Request) -> Response:
    """An artifact's bytes; public, for nothing in a bundle is secret."""
    path = site_of(request).artifacts.path(digest_of(request))
    if not path.is_file():
        raise RefusedError(404, "no-artifact", f"no artifact {path.name[:12]}…")
    headers = {**FOREVER, "etag": f'"{path.name}"'}
    return FileResponse(path, media_type="application/octet-stream", headers=headers)


async def put_manifest(request: Request) -> Response:
    """Take a signed manifest, when a key of its role signed it."""
    site = authorized(request)
    sha256 = digest_of(request)
    manifest = accept_manifest(site.keys, sha256, await body_of(request, MAX_SIGNED_BYTES))
    await origin_of(request).store.put_manifest(site.keys.site, sha256, manifest)
    return answer(Accepted(manifest.role), 201)


async def get_manifest(request: Request) -> Response:
    """A signed manifest by the hash of its payload."""
    site = site_of(request)
    manifest = await _manifest(request, site, digest_of(request))
    return Response(manifest.signed, media_type=MSGPACK, headers=FOREVER)


async def post_revision(request: Request) -> Response:
    """Number a bundle, and by default roll it out."""
    site = authorized(request)
    wanted = await json_of(request, RevisionRequest)
    if set(wanted.manifests) != set(fmt.ROLES):
        raise RefusedError(422, "roles", f"a revision pins one manifest of each role: {', '.join(fmt.ROLES)}")
    stored = {
        role: (sha256, await _manifest(request, site, sha256, status=422))
        for role, sha256 in sorted(wanted.manifests.items())
    }
    refs = accept_revision(site.keys, stored, site.artifacts)
    new = NewRevision(
        refs, fmt.bundle_id(wanted.manifests), wanted.activate, order_of(wanted.author, wanted.reason)
    )
    origin = origin_of(request)
    number, serial = await origin.store.add_revision(site.keys.site, new, site.sign)
    if wanted.activate:
        origin.news.tell(site.keys.site)
    logger.info("revision %d of %s by %s: %s", number, site.keys.site, wanted.author, wanted.reason)
    return answer(Revised(number, serial), 201)


async def list_revisions(request: Request) -> Response:
    """The newest revisions, newest first: who, when, why, for which PoPs, how large."""
    site, store = site_of(request), origin_of(request).store
    rows, rollout = await store.revisions(site.keys.site), await store.rollout(site.keys.site)
    unknown = site.sizes.unknown(sha256 for row in rows for sha256 in row["manifests"].values())
    site.sizes.learn(await store.signed_manifests(site.keys.site, unknown))
    return answer([revision_entry(row, rollout, site.sizes) for row in rows])


async def describe_revision(request: Request) -> Response:
    """A revision with what its three manifests say."""
    row = await _row(request, number_of(request, "number"))
    store, site = origin_of(request).store, site_of(request).keys.site
    signed = await store.signed_manifests(site, row["manifests"].values())
    return answer(revision_detail(row, await store.rollout(site), signed))


async def compare_revisions(request: Request) -> Response:
    """How revision `b` differs from `a`, artifact by artifact."""
    store, site = origin_of(request).store, site_of(request).keys.site
    sides = []
    for name in ("a", "b"):
        row = await _row(request, number_of(request, name))
        signed = await store.signed_manifests(site, row["manifests"].values())
        by_role = {role: signed[sha256] for role, sha256 in row["manifests"].items()}
        sides.append((row["number"], by_role))
    return answer(compare(*sides))


async def get_revision(request: Request) -> Response:
    """A signed revision."""
    origin, number = origin_of(request), number_of(request, "number")
    signed = await origin.store.revision(site_of(request).keys.site, number)
    if signed is None:
        raise _no_revision(number)
    return Response(signed, media_type=MSGPACK, headers=FOREVER)


async def post_rollout(request: Request) -> Response:
    """Say which PoP serves what, and which campaigns are killed; heard by all edges at once."""
    site = authorized(request)
    wanted = await json_of(request, RolloutRequest)
    _check_pops(wanted.pops)
    if len(wanted.kill or ()) > fmt.MAX_KILLED:
        raise RefusedError(
            422, "kill", f"more than {fmt.MAX_KILLED} campaigns", "publish without them instead"
        )
    kill = None if wanted.kill is None else tuple(sorted(set(wanted.kill)))
    change = RolloutChange(wanted.pops, kill, wanted.after, order_of(wanted.author, wanted.reason))
    origin = origin_of(request)
    serial = await origin.store.change_rollout(site.keys.site, change, site.sign)
    origin.news.tell(site.keys.site)
    logger.info("rollout %d of %s by %s: %s", serial, site.keys.site, wanted.author, wanted.reason)
    return answer(RolledOut(serial))


async def get_rollout(request: Request) -> Response:
    """The signed rollout in force."""
    origin = origin_of(request)
    rollout = await origin.store.rollout(site_of(request).keys.site)
    if not rollout.serial:
        raise RefusedError(404, "no-rollout", "nothing was rolled out yet", "publish a workspace")
    return Response(rollout.signed, media_type=MSGPACK, headers={"cache-control": "no-store"})


async def list_rollouts(request: Request) -> Response:
    """Every rollout that was in force, the newest 1,000, the one in force first."""
    rows = await origin_of(request).store.rollouts(site_of(request).keys.site)
    return answer([rollout_entry(row) for row in rows])


def _check_pops(pops: dict[str, int] | None) -> None:
    if pops is None:
        return
    if not 0 < len(pops) <= MAX_POPS:
        raise RefusedError(422, "pops", f"pops names 1 to {MAX_POPS} PoPs", 'name all of them with "*"')
    for name, number in pops.items():
        if name != "*" and not NAME.fullmatch(name):
            raise RefusedError(422, "pops", f"{name[:80]!r} is no PoP", "use letters, digits and . _ -")
        if not 0 < number < 10**MAX_DIGITS:
            raise RefusedError(
                422,
                "no-revision",
                f"no revision {number}",
                "list them with `nearside revisions`, or GET revisions",
            )


async def _row(request: Request, number: int) -> Row:
    row = await origin_of(request).store.revision_row(site_of(request).keys.site, number)
    if row is None:
        raise _no_revision(number)
    return row


def _no_revision(number: int) -> RefusedError:
    return RefusedError(
        404, "no-revision", f"no revision {number}", "list them with `nearside revisions`, or GET revisions"
    )


async def _manifest(request: Request, site: Site, sha256: str, status: int = 404) -> StoredManifest:
    manifest = await origin_of(request).store.manifest(site.keys.site, sha256)
    if manifest is None:
        raise RefusedError(status, "no-manifest", f"no manifest {sha256[:12]}…", "PUT it first")
    return manifest
