"""Writes the OpenAPI document of the origin from the table of its routes."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

import msgspec

from origin import wire
from origin.server.endpoint import INGEST, JSON, PUBLISH, Body, Endpoint

VERSION: Final = "3.1.0"
REF: Final = "#/components/schemas/{name}"
TEXT: Final = (
    "What was published, which edge serves what, and what visitors did. Every refusal is a `Refusal`; its"
    " `error.code` is one of those that the route lists for the status. An unknown path answers 404"
    " `no-route`, another method than a path has 405 `method`."
)
_NAME: Final = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}
_DIGEST: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_NUMBER: Final = {"type": "integer", "minimum": 0}
PARAMETERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "site": ("id of the site", {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"}),
    "sha256": ("SHA-256 in lower-case hex", _DIGEST),
    "number": ("number of a revision", _NUMBER),
    "a": ("number of the revision before", _NUMBER),
    "b": ("number of the revision after", _NUMBER),
    "pop": ("name of a PoP", _NAME),
    "spool": ("id of a worker's spool", _NAME),
    "segment": ("number of a segment of the spool", _NUMBER),
}
TOKENS: Final = {
    PUBLISH: "the publish token of `publisher.json`",
    INGEST: "the PoP's own credential; the site's ingest token for a PoP that never had one",
}

Document = dict[str, Any]


def document(endpoints: Iterable[Endpoint]) -> Document:
    """The document of these routes."""
    endpoints = tuple(endpoints)
    paths: dict[str, Document] = {}
    for endpoint in endpoints:
        path = paths.setdefault(endpoint.documented_path, {})
        path[endpoint.method.lower()] = _operation(endpoint)
        if endpoint.head:
            path["head"] = _head(path[endpoint.method.lower()])
    schemes = {
        name: {"type": "http", "scheme": "bearer", "description": text} for name, text in TOKENS.items()
    }
    return {
        "openapi": VERSION,
        "info": {"title": "Nearside origin", "version": "1", "description": TEXT},
        "paths": paths,
        "components": {"schemas": _schemas(endpoints), "securitySchemes": schemes},
    }


def _schemas(endpoints: Iterable[Endpoint]) -> Document:
    bodies = [body for e in endpoints for body in (e.takes, e.answers) if body and body.type_]
    types = [*(body.type_ for body in bodies), wire.Refusal]
    _, components = msgspec.json.schema_components(types, ref_template=REF)
    return dict(sorted(components.items()))


def _operation(endpoint: Endpoint) -> Document:
    operation: Document = {
        "operationId": endpoint.handler.__name__,
        "summary": _summary(endpoint),
        "parameters": _parameters(endpoint),
        "responses": _responses(endpoint),
    }
    if endpoint.takes:
        operation["requestBody"] = {"required": True, **_content(endpoint.takes)}
    if endpoint.token:
        operation["security"] = [{endpoint.token: []}]
    return operation


def _head(operation: Document) -> Document:
    """The same without bodies."""
    bare = {status: {"description": r["description"]} for status, r in operation["responses"].items()}
    return {**operation, "operationId": f"head_{operation['operationId']}", "responses": bare}


def _summary(endpoint: Endpoint) -> str:
    return (endpoint.handler.__doc__ or "").strip().partition("\n")[0]


def _parameters(endpoint: Endpoint) -> list[Document]:
    found = []
    for name in re.findall(r"{(\w+)}", endpoint.documented_path):
        text, schema = PARAMETERS[name]
        found.append({"name": name, "in": "path", "required": True, "description": text, "schema": schema})
    for query in endpoint.query:
        found.append(
            {
                "name": query.name,
                "in": "query",
                "required": query.required,
                "description": query.text,
                "schema": query.schema,
            }
        )
    return found


def _responses(endpoint: Endpoint) -> Document:
    good = {"description": endpoint.answers.text or _summary(endpoint), **_content(endpoint.answers)}
    return {str(endpoint.status): good} | {
        str(status): _refusal(status, codes) for status, codes in endpoint.all_errors().items()
    }


def _refusal(status: int, codes: tuple[str, ...]) -> Document:
    """The refusals of a status; which codes there are is part of the schema."""
    code = {"properties": {"error": {"properties": {"code": {"enum": list(codes)}}}}}
    schema = {"allOf": [{"$ref": REF.format(name="Refusal")}, code]}
    text = f"{HTTPStatus(status).phrase}: {', '.join(codes)}"
    return {"description": text, "content": {JSON: {"schema": schema}}}


def _content(body: Body) -> Document:
    if body.type_ is not None:
        (schema,), _ = msgspec.json.schema_components([body.type_], ref_template=REF)
    else:
        schema = {"type": "object"} if body.media == JSON else {}
    media: Document = {"schema": schema}
    if body.example is not None:
        media["example"] = body.example
    return {"content": {body.media: media}}
