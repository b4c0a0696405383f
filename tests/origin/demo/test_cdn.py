"""The demo's CDN says where visitors are, passes on everything else, and is in the way of nothing."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from origin.demo.cdn import Cdn, Front
from origin.demo.processes import LOOPBACK, Ports


async def _echo(request: Request) -> Response:
    """What reached the edge."""
    body = (await request.body()).decode()
    fields = [[name.decode(), value.decode()] for name, value in request.scope["headers"]]
    target = request.scope["raw_path"].decode() + "?" + request.url.query
    return JSONResponse({"method": request.method, "target": target, "fields": fields, "body": body})


async def _answer(_request: Request) -> Response:
    response = Response("no", 404, {"cache-control": "private"})
    response.raw_headers += [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"keep-alive", b"timeout=9")]
    return response


EDGE = Starlette(routes=[Route("/answer", _answer), Route("/{path:path}", _echo, methods=["GET", "POST"])])


@contextmanager
def _served(app: Any, *ports: int) -> Iterator[None]:
    configs = [
        uvicorn.Config(app, host=LOOPBACK, port=port, log_level="error", lifespan="off", proxy_headers=False)
        for port in ports
    ]
    servers = [uvicorn.Server(config) for config in configs]

    async def serve() -> None:
        await asyncio.gather(*(server._serve() for server in servers))
        if isinstance(app, Cdn):
            await app.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not all(server.started for server in servers) and time.monotonic() < deadline:
            time.sleep(0.01)
        yield
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def urls() -> Iterator[tuple[str, str]]:
    """Of two fronts: in Germany, and in the United States with no edge behind it."""
    take = Ports().take
    edge, germany, states, nobody = (take(0) for _ in range(4))
    fronts = [
        Front(germany, "DE", f"http://{LOOPBACK}:{edge}"),
        Front(states, "US", f"http://{LOOPBACK}:{nobody}"),
    ]
    with _served(EDGE, edge), _served(Cdn(fronts), germany, states):
        yield f"http://{LOOPBACK}:{germany}", f"http://{LOOPBACK}:{states}"


def _fields(answer: httpx.Response, name: str) -> list[str]:
    return [value for field, value in answer.json()["fields"] if field == name]


def test_it_says_the_country_whatever_the_visitor_says(urls: tuple[str, str]) -> None:
    answer = httpx.get(
        f"{urls[0]}/a%20b?x=1&y", headers={"X-Geo-Country": "FR", "x-forwarded-for": "10.0.0.9"}
    )
    assert answer.json()["target"] == "/a%20b?x=1&y"
    assert _fields(answer, "x-geo-country") == ["DE"]
    assert _fields(answer, "x-forwarded-for") == [f"10.0.0.9, {LOOPBACK}"]


def test_bodies_and_cookies_pass(urls: tuple[str, str]) -> None:
    answer = httpx.post(
        f"{urls[0]}/_nearside/events", content=b"x" * 100_000, headers={"cookie": "consent=full"}
    )
    assert (answer.json()["method"], len(answer.json()["body"])) == ("POST", 100_000)
    assert _fields(answer, "cookie") == ["consent=full"]


def test_answers_pass_as_they_are_but_for_what_belongs_to_the_connection(urls: tuple[str, str]) -> None:
    answer = httpx.get(f"{urls[0]}/answer")
    assert (answer.status_code, answer.text, answer.headers["cache-control"]) == (404, "no", "private")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "keep-alive" not in answer.headers


def test_a_pop_that_is_down_is_named(urls: tuple[str, str]) -> None:
    answer = httpx.get(urls[1])
    assert (answer.status_code, answer.text[:24]) == (502, "The PoP does not answer:")


def test_a_front_is_written_as_it_is_read() -> None:
    assert Front.parse("8080,DE,http://127.0.0.1:1") == Front(8080, "DE", "http://127.0.0.1:1")
    assert str(Front.parse("8080,DE,http://127.0.0.1:1")) == "8080,DE,http://127.0.0.1:1"
