"""Whose events are taken: a PoP's own token, or the site's where it never had one."""

import hmac

from starlette.requests import Request

from origin.keys import token_digest
from origin.refusal import RefusedError
from origin.server.reading import bearer, no_token, origin_of, site_of
from origin.store.values import PopToken

OWN = "own"
REVOKED = "revoked"
SITE = "site"


def state_of(token: PopToken | None) -> str:
    """What a PoP's last credential is worth: ``own``, ``revoked``, or ``site`` where there was none."""
    if token is None:
        return SITE
    return REVOKED if token.revoked else OWN


async def authorized_pop(request: Request, pop: str) -> None:
    """Let a request pass that shows the credential of `pop`.

    A PoP that ever had one of its own needs one of its own: the site's token,
    which all PoPs may hold, can't speak for it, nor undo that it was revoked.

    Raises
    ------
    RefusedError
        ``no-token``, ``wrong-token``, ``revoked``.
    """
    site = site_of(request).keys
    token = bearer(request)
    if not token:
        raise no_token("the PoP's credential")
    shown = token_digest(token)
    held = await origin_of(request).store.pops.tokens(site.site, pop)
    if not held:
        if site.ingest_token_sha256 and hmac.compare_digest(shown, site.ingest_token_sha256):
            return
        hint = f"make one with `nearside pops add {pop}`"
        raise RefusedError(403, "wrong-token", f"this is no credential of PoP {pop!r}", hint)
    for known in held:
        if hmac.compare_digest(shown, known.token_sha256):
            if not known.revoked:
                return
            hint = "give the machine the PoP's new credential, if it shall have one"
            raise RefusedError(403, "revoked", f"this credential of PoP {pop!r} was revoked", hint)
    hint = "it has one of its own; the site's token is not enough"
    raise RefusedError(403, "wrong-token", f"this is no credential of PoP {pop!r}", hint)


async def proven_pop(request: Request, pop: str) -> bool:
    """Whether the request shows the credential of `pop`, where none is needed."""
    try:
        await authorized_pop(request, pop)
    except RefusedError:
        return False
    return True
