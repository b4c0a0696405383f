"""What the origin reads from a request: site, token, names, and bodies within their bounds."""

import asyncio
import hmac
import re
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request

from edge.bundle import format as fmt
from origin.keys import token_digest
from origin.refusal import RefusedError
from origin.server.service import Origin, Site
from origin.store.values import Order, Segment

MAX_JSON_BYTES: Final = 1 << 20
WRITE_BYTES: Final = 1 << 20
MAX_DIGITS: Final = 15
MAX_TEXT: Final = 1000
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""PoPs and spools stand in file names of the lake."""

T = TypeVar("T")


def site_of(request: Request) -> Site:
    """The site that the path names."""
    name = request.path_params["site"]
    try:
        return origin_of(request).sites[name]
    except KeyError:
        hint = "start the origin with its key file"
        raise RefusedError(404, "no-site", f"no site {name!r} here", hint) from None


def origin_of(request: Request) -> Origin:
    """What all requests share."""
    origin: Origin = request.app.state.origin
    return origin


def bearer(request: Request) -> str:
    """The token that a request shows; empty when it shows none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def no_token(wanted: str) -> RefusedError:
    """The refusal of a request that shows no token."""
    return RefusedError(401, "no-token", f"this needs {wanted}", "send it as Authorization: Bearer TOKEN")


def authorized(request: Request) -> Site:
    """The site, once the request shows its publish token."""
    site = site_of(request)
    token = bearer(request)
    if not token:
        raise no_token("the site's publish token")
    keys = site.keys
    if not hmac.compare_digest(token_digest(token), keys.publish_token_sha256):
        raise RefusedError(
            403,
            "wrong-token",
            f"this is not the publish token of {keys.site!r}",
            "take the key file of this site",
        )
    return site


def order_of(author: str, reason: str) -> Order:
    """Who wants a change, and why."""
    if not author.strip():
        raise RefusedError(422, "author", "nobody is named as author", "say who changes what visitors see")
    return Order(author[:MAX_TEXT], reason[:MAX_TEXT])


def digest_of(request: Request) -> str:
    """The SHA-256 in the path, which is safe as a file name."""
    text: str = request.path_params["sha256"]
    if not fmt.is_digest(text):
        raise RefusedError(404, "no-digest", f"{text[:80]!r} is no SHA-256 in lower-case hex")
    return text


def number_of(request: Request, name: str) -> int:
    """A revision's number in the path; 0, which none has, when it is beyond all."""
    number: int = request.path_params[name]
    return number if number < 10**MAX_DIGITS else 0


def segment_of(request: Request) -> Segment:
    """The spool's segment that the path names."""
    path = request.path_params
    for part in ("pop", "spool"):
        check_name(part, path[part])
    if path["segment"] >= 10**MAX_DIGITS:
        raise RefusedError(422, "segment", "no segment has such a number")
    return Segment(path["site"], path["pop"], path["spool"], path["segment"])


def check_name(what: str, name: str) -> None:
    """Refuse a name that is not safe in file names and URLs."""
    if not NAME.fullmatch(name):
        raise RefusedError(422, what, f"{name[:80]!r} is no {what}", "use up to 64 letters, digits and . _ -")


async def json_of(request: Request, type_: type[T], limit: int = MAX_JSON_BYTES) -> T:
    """The body, as JSON of a type."""
    try:
        return msgspec.json.decode(await body_of(request, limit), type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedError(422, "json", str(error), "send JSON as GET /openapi.json describes") from error


async def stream_into(request: Request, write: Callable[[bytes], None]) -> int:
    """Hand the body on in pieces large enough for a thread each; returns how many bytes there were."""
    held, size = bytearray(), 0
    async for chunk in request.stream():
        held += chunk
        if len(held) >= WRITE_BYTES:
            size += len(held)
            await asyncio.to_thread(write, bytes(held))
            held.clear()
    await asyncio.to_thread(write, bytes(held))
    return size + len(held)


async def body_of(request: Request, limit: int) -> bytes:
    """The body, of at most `limit` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise RefusedError(413, "too-large", f"the body has more than {limit} bytes")
    return bytes(body)
