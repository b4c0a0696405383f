"""Holds an answer of the origin against its OpenAPI document and the types that this is made from."""

import json
import re
from typing import Any

import httpx
import msgspec

from origin import wire
from origin.server.endpoint import JSON, Endpoint
from origin.server.routes import ENDPOINTS, document


async def conforms(response: httpx.Response) -> None:
    """Fail unless the document foresees this answer: its status, media type, form and error code."""
    endpoint = _endpoint(response.request)
    if endpoint is None:
        assert response.status_code in (404, 405)
        return
    described = document()["paths"][endpoint.documented_path][endpoint.method.lower()]["responses"]
    what = f"{endpoint.method} {endpoint.documented_path}: {response.status_code}"
    assert str(response.status_code) in described, what
    media = response.headers["content-type"].partition(";")[0]
    assert media in described[str(response.status_code)]["content"], (what, media)
    if media != JSON or response.request.method == "HEAD":
        return
    await response.aread()
    if response.is_success:
        if endpoint.answers.type_:
            _fits(response.json(), endpoint.answers.type_)
        return
    _fits(response.json(), wire.Refusal)
    assert response.json()["error"]["code"] in endpoint.all_errors()[response.status_code], what


def _fits(found: Any, type_: Any) -> None:
    """Fail unless a document is of a type, with no field more."""
    assert json.loads(wire.encode(msgspec.convert(found, type_))) == found


def _endpoint(request: httpx.Request) -> Endpoint | None:
    for endpoint in ENDPOINTS:
        pattern = re.sub(r"{\w+:int}", "[0-9]+", endpoint.path)
        pattern = re.sub(r"{\w+}", "[^/]+", pattern)
        methods = (endpoint.method, "HEAD") if endpoint.head else (endpoint.method,)
        if re.fullmatch(pattern, request.url.path) and request.method in methods:
            return endpoint
    return None
