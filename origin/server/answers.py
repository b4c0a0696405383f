"""How the origin answers in JSON."""

from typing import Any

from starlette.responses import Response

from origin import wire

NOT_KEPT = {"cache-control": "no-store"}


def answer(document: Any, status: int = 200) -> Response:
    """A document of `origin.wire`; it changes with time, so nobody shall keep it."""
    return Response(wire.encode(document), status, NOT_KEPT, "application/json")
