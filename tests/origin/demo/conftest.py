"""The film site over the generated catalogue, in memory."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from origin.demo import films
from origin.demo.film_site import Site
from origin.demo.films import Film


@pytest.fixture(scope="session")
def catalogue() -> list[Film]:
    return films.generate()


class Client:
    """Asks an ASGI program without a network."""

    def __init__(self, app: Starlette) -> None:
        self._transport = httpx.ASGITransport(app)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self._ask("GET", path, options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self._ask("POST", path, options)

    def _ask(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://site") as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())


@pytest.fixture(scope="session")
def client(catalogue: list[Film]) -> Client:
    return Client(Site(catalogue).app)


@pytest.fixture(scope="session")
def make_client() -> Any:
    return lambda films: Client(Site(films).app)
