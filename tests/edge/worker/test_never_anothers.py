"""Whatever sites say and visitors send: no visitor gets what was made for another."""

import asyncio
from typing import Any, Final

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.proxy.store import Store
from edge.worker.app import PageApp
from edge.worker.beside.routes import make_beside
from edge.worker.site.cache import SharedCache
from edge.worker.turn.turn import Turn
from tests.edge.worker.conftest import MAX_KEPT_BYTES, MAX_PAGE_BYTES, Answer, Stream, Worker

CONTROLS: Final = (
    "max-age=60", "s-maxage=60", "public", "private", "no-store", "no-cache", "must-revalidate",
    "stale-while-revalidate=60", "stale-if-error=60", 'private="x"', "must-understand", "max-age=x", 'x="',
)  # fmt: skip
MORE: Final = (
    ("etag", '"1"'), ("set-cookie", "sid=1"), ("vary", "cookie"), ("vary", "*"), ("vary", "accept-language"),
    ("expires", "Thu, 18 Aug 2050 02:01:18 GMT"), ("cdn-cache-control", "private"),
    ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"), ("age", "7"), ("content-type", "text/html"),
)  # fmt: skip
ASKERS: Final = (
    {},
    {"cookie": "consent=none"},
    {"cookie": "sid=1"},
    {"cookie": "sid-of-session=1"},
    {"authorization": "Basic x"},
    {"accept-language": "en"},
    {"range": "bytes=0-3"},
    {"if-none-match": '"1"'},
    {"cache-control": "no-store"},
)
controls = st.lists(st.sampled_from(CONTROLS), max_size=3, unique=True).map(", ".join)
responses = st.tuples(
    controls, st.lists(st.sampled_from(MORE), max_size=3, unique=True), st.sampled_from((200, 200, 404, 500))
)
visits = st.tuples(st.integers(0, len(ASKERS) - 1), responses, st.integers(0, 90))


class Site:
    """Says in each answer for whom it is."""

    def __init__(self) -> None:
        self.streamed = self.closed = 0
        self.visitor = ""
        self.asker: dict[str, str] = {}
        self.says: Any = None

    async def send(self, method: str, target: bytes, headers: Any, body: Any, interim: Any) -> httpx.Response:
        control, more, status = self.says
        if any(name == b"if-none-match" and value == b'"1"' for name, value in headers) and status == 200:
            status = 304
        fields = [*more, ("cache-control", control)] if control else list(more)
        # What is asked beside, for nobody, has no cookie, and is made for nobody.
        cookie = b"".join(value for name, value in headers if name == b"cookie").decode()
        whose = self.visitor if cookie == self.asker.get("cookie", "") else "nobody"
        content = [] if status == 304 else [whose.encode()]
        return httpx.Response(status, headers=fields, stream=Stream(content, self))  # type: ignore[arg-type]


def may_be_shared(asker: dict[str, str], said: Any) -> bool:
    """By the least that keeps visitors apart."""
    control, more, _status = said
    names = dict(more)
    words = control.split(", ")
    if "authorization" in asker or "sid-of-session" in asker.get("cookie", ""):
        return False
    if "no-store" in asker.get("cache-control", "") or "range" in asker:
        return False
    if "set-cookie" in names or ("vary", "*") in more or "private" in control or "cdn-cache-control" in names:
        return False
    if 'x="' in control or ("no-store" in words and "must-understand" not in words):
        return False
    known = asker.get("cookie", "").startswith("sid")
    return not known or bool({"public", "s-maxage=60"} & set(words))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(visits, min_size=2, max_size=8))
def test_who_gets_whose(worker: Worker, story: list[tuple[int, Any, int]]) -> None:
    site = Site()
    made: dict[str, tuple[dict[str, str], Any]] = {}

    async def play() -> None:
        cache = SharedCache(Store(1 << 20), worker.clock, ["sid-of-session"], MAX_KEPT_BYTES)
        turn = Turn(worker.holder, worker.desk)
        app = PageApp(site, cache, turn, make_beside(worker.holder, worker.desk), MAX_PAGE_BYTES)  # type: ignore[arg-type]
        for number, (asker, said, pause_s) in enumerate(story):
            site.visitor, site.asker, site.says = f"for-{number}.", ASKERS[asker], said
            made[site.visitor] = ASKERS[asker], said
            answer: Answer = await worker.ask(app, "/", ASKERS[asker])
            while app._refreshing:  # what is asked for nobody must not be taken for the next visitor's
                await asyncio.sleep(0)
            check(answer, site.visitor, ASKERS[asker])
            worker.clock.now_s += pause_s

    def check(answer: Answer, visitor: str, asker: dict[str, str]) -> None:
        text = answer.body.decode()
        if not text.startswith("for-") or text == visitor or len(text) < len(visitor):
            return
        assert may_be_shared(*made[text]), f"{visitor} got what was made {text}"
        assert "authorization" not in asker
        assert "sid-of-session" not in asker.get("cookie", "")

    asyncio.run(play())
