"""A page that takes the site a while begins at once, and is the page that it would have been."""

import asyncio
import gzip
import random
import re
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import brotli
import pytest

from edge.decide.engine import Engine
from edge.errors import UpstreamError
from edge.worker.app import PageApp
from edge.worker.site import streaming
from edge.worker.turn.foresight import STEADY
from tests.edge.worker.conftest import HTML, MAX_PAGE_BYTES, Answer, Said, Worker
from tests.edge.worker.live import listening
from tests.edge.worker.raw_site import RawSite, serving
from tests.edge.worker.turn.test_signals import Cms

HEAD = b"<!doctype html><title>Films</title><p>" + b"a heading " * 20 + b"</p>"
REST = (
    b'<main><div data-placement="hero">the default</div>\n'
    b'<section data-placement="recommended"><i>nothing yet</i></section><p>after</p></main>'
)
PRIVATE = ("cache-control", "private, no-store")
FULL = {"cookie": "consent=full"}
NONE = {"cookie": "consent=none"}
TOKEN = re.compile(rb'<template data-nearside="[^"]+"></template>')
WAIT_S = 5.0
SCRIPT_MARK = b'<!-- nearside:script nonce="r4nd0m" -->'
LOOSE = b"<ul><!-- placement:hero --><li>x</li><!-- /placement --></ul><p>the end</p>"

Pause = Callable[[], Awaitable[None]]


@pytest.fixture(autouse=True)
def _impatience(_patience: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "PATIENCE_S", 0.002)


def whole(worker: Worker, body: bytes, visitor: dict[str, str]) -> Answer:
    """The answer when the page is there at once."""
    worker.site.says[b"/"] = Said(body, (HTML, PRIVATE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "PATIENCE_S", 2.0)
        return worker.get("/", visitor)


def until(worker: Worker, has: Callable[[bytes], bool]) -> Pause:
    """The site goes on when the client has that; it never does where the page is not streamed."""

    async def wait() -> None:
        async with asyncio.timeout(WAIT_S):
            while not has(worker.answer.body):
                await asyncio.sleep(0.001)

    return wait


async def pause() -> None:
    await asyncio.sleep(0.02)


def slow(worker: Worker, head: bytes = HEAD, rest: bytes = REST, *more: tuple[str, str]) -> Said:
    return Said([head, until(worker, lambda body: HEAD in body), rest], (HTML, *(more or (PRIVATE,))))


def same(answer: Answer) -> bytes:
    return TOKEN.sub(b"", answer.body)


@pytest.mark.parametrize(
    "visitor", [FULL, NONE, {"cookie": "consent=session"}, FULL | {"user-agent": "Googlebot"}]
)
def test_the_first_bytes_come_at_once_and_the_page_is_the_same(
    worker: Worker, visitor: dict[str, str]
) -> None:
    fast = whole(worker, HEAD + REST, visitor)
    worker.site.says[b"/"] = slow(worker)
    slowly = worker.get("/", visitor)
    assert slowly.status == 200
    assert slowly.ended
    assert same(slowly) == same(fast)
    assert len(TOKEN.findall(slowly.body)) == len(TOKEN.findall(fast.body))
    told = [{name for name, _ in answer.headers} for answer in (slowly, fast)]
    assert told[1] - told[0] == {b"content-length"}
    assert slowly.values("cache-control") == fast.values("cache-control")


def test_the_record_and_the_state_are_those_of_any_page(worker: Worker) -> None:
    worker.site.says[b"/film/alien"] = slow(worker)
    answer = worker.get("/film/alien", {"cookie": "consent=full; " + worker.cookie("blade-runner")})
    (decision,) = worker.decisions()
    assert decision.context.placements == ("hero", "recommended")
    assert decision.visitor == worker.state(answer).visitor.hex() == (b"v" * 16).hex()
    assert worker.state(answer).items == ("alien", "blade-runner")
    assert [event.kind for event in worker.events()] == ["view"]
    assert worker.count('nearside_pages_total{kind="personalized"}') == 1
    assert worker.count("nearside_pages_total") == 1
    assert worker.count('nearside_cache_total{result="passed"}') == 1


@pytest.mark.parametrize("kind", ["default", "no-consent", "no-bundle", "bot"])
def test_each_page_counts_once(worker: Worker, empty_worker: Worker, kind: str) -> None:
    worker = empty_worker if kind == "no-bundle" else worker
    worker.site.says[b"/"] = slow(worker, rest=b"<p>no placement</p>")
    visitor = {"no-consent": NONE, "bot": FULL | {"user-agent": "Googlebot"}}.get(kind, FULL)
    assert worker.get("/", visitor).body == HEAD + b"<p>no placement</p>"
    assert worker.count(f'nearside_pages_total{{kind="{kind}"}}') == 1
    assert worker.count("nearside_pages_total") == 1


def test_it_leaves_compressed_where_the_whole_page_would(worker: Worker) -> None:
    def begun(body: bytes) -> bool:
        return HEAD in zlib.decompressobj(31).decompress(body) if body else False

    shared = ("cache-control", "public, max-age=60")
    worker.site.says[b"/"] = Said([HEAD, until(worker, begun), REST * 3], (HTML, shared))
    accepts = {"accept-encoding": "gzip"}
    for visitor in (FULL, NONE):
        answer = worker.get("/", visitor | accepts)
        assert answer.values("content-encoding") == ["gzip"]
        page = gzip.decompress(answer.body)
        assert page.startswith(HEAD)
        assert (b"Welcome to <em>our</em> films" in page) == (visitor is FULL)
        assert all(token in answer.body for token in TOKEN.findall(page))  # not squeezed with anything
        worker.cache.purge_all()
    worker.site.says[b"/"] = slow(worker)
    assert not worker.get("/", FULL | accepts).values("content-encoding")


def test_what_comes_coded_is_read_as_it_comes(worker: Worker) -> None:
    squeezer = brotli.Compressor()
    begun = squeezer.process(HEAD) + squeezer.flush()
    worker.site.says[b"/"] = Said(
        [begun, until(worker, lambda body: HEAD in body), squeezer.process(REST) + squeezer.finish()],
        (HTML, PRIVATE, ("content-encoding", "br")),
    )
    answer = worker.get("/", FULL)
    assert b"Welcome to <em>our</em> films" in answer.body
    assert not answer.values("content-encoding")


def test_a_page_that_may_be_kept_is_kept_when_it_is_whole(worker: Worker) -> None:
    worker.site.says[b"/"] = slow(worker, HEAD, REST, ("cache-control", "max-age=60"), ("etag", '"1"'))
    first, second = worker.get("/", NONE), worker.get("/", NONE)
    assert first.body == second.body == HEAD + REST
    assert "hit" in second.value("cache-status")
    assert len(worker.site.heard) == 1
    assert b"Welcome" in worker.get("/", FULL).body
    assert worker.count('nearside_cache_total{result="stored"}') == 1


def test_who_asks_for_the_same_meanwhile_waits_for_it(worker: Worker) -> None:
    worker.site.says[b"/"] = Said([HEAD, pause, REST], (HTML, ("cache-control", "max-age=60")))
    one, two = worker.together(("/", NONE), ("/", NONE))
    assert one.body == two.body == HEAD + REST
    assert len(worker.site.heard) == 1


@pytest.mark.parametrize("visitor", [FULL, NONE])
def test_a_site_that_breaks_off_is_heard_of_as_it_would_be(worker: Worker, visitor: dict[str, str]) -> None:
    broken = UpstreamError("upstream-body", "it broke off")
    worker.site.says[b"/"] = Said([HEAD, pause, b'<p data-placement="hero">', broken], (HTML, PRIVATE))
    answer = worker.get("/", visitor)
    assert (answer.status, answer.ended) == (200, False)
    assert answer.body.removesuffix(b'<p data-placement="hero">') == HEAD
    assert worker.count('nearside_upstream_errors_total{code="upstream-body"}') == 1
    assert not worker.records()


def test_a_coding_that_breaks_in_the_middle_ends_the_page(worker: Worker) -> None:
    squeezer = brotli.Compressor()
    begun = squeezer.process(HEAD) + squeezer.flush()
    worker.site.says[b"/"] = Said([begun, pause, b"broken"], (HTML, PRIVATE, ("content-encoding", "br")))
    answer = worker.get("/", FULL)
    assert (answer.body, answer.ended) == (HEAD, False)
    assert worker.count('nearside_undecoded_total{coding="br",reason="broken"}') == 1


def test_what_cannot_be_decoded_from_the_start_passes_as_it_came(worker: Worker) -> None:
    worker.site.says[b"/"] = Said([b"no br", pause, b"at all"], (HTML, PRIVATE, ("content-encoding", "br")))
    answer = worker.get("/", FULL | {"accept-encoding": "br"})
    assert (answer.body, answer.values("content-encoding")) == (b"no brat all", ["br"])


def test_a_page_that_gets_too_long_passes_as_it_comes(worker: Worker) -> None:
    long = [b"<p>more</p>" * 500 for _ in range(MAX_PAGE_BYTES // 2000)]
    worker.site.says[b"/"] = Said([HEAD, pause, REST, *long], (HTML, PRIVATE))
    answer = worker.get("/", FULL)
    assert answer.body == HEAD + REST + b"".join(long)
    assert answer.ended
    assert worker.count('nearside_pages_total{kind="passed"}') == 1


def test_what_looks_like_no_mark_and_is_one_leaves_the_sites_page(worker: Worker) -> None:
    odd = b'<esi:include alt=">" src="/placement/hero"/><p>after</p>'
    worker.site.says[b"/"] = Said([HEAD + odd[:20], pause, odd[20:]], (HTML, PRIVATE))
    assert worker.get("/", FULL).body == HEAD + odd


@pytest.mark.parametrize(
    "headers", [{"if-none-match": '"1"'}, {"range": "bytes=0-3"}, {"if-modified-since": "x"}]
)
def test_what_a_client_has_is_told_by_the_whole_page(worker: Worker, headers: dict[str, str]) -> None:
    worker.site.says[b"/"] = Said([HEAD, pause, REST], (HTML, ("etag", '"1"')))
    answer = worker.get("/", NONE | headers)
    assert answer.status == {"if-none-match": 304, "range": 206}.get(next(iter(headers)), 200)
    assert answer.value("content-length") == str(len(answer.body)) or answer.status == 304


def test_nobody_waits_for_a_page_of_which_the_client_left(worker: Worker) -> None:
    never = asyncio.sleep

    async def forever() -> None:
        await never(0.05)

    many: list[Any] = [HEAD, *[forever, b"<p>more</p>"] * 3, pause, b"<p>last</p>"]
    worker.site.says[b"/"] = Said(many, (HTML, PRIVATE))
    answer = worker.get("/", FULL, leaves_after=1)
    assert not answer.ended
    assert worker.site.closed == 1
    assert worker.site.streamed < 5


def steady(worker: Worker, said: Callable[[], Said], visitor: dict[str, str], **more: Any) -> Answer:
    """The answer when the last pages of the path were like this one."""

    async def asks(app: PageApp) -> Answer:
        for _ in range(STEADY):
            worker.site.says[b"/?before"] = Said([HEAD, pause, REST], (HTML, PRIVATE))
            await worker.ask(app, "/?before", NONE)
        worker.site.says[b"/"] = said()
        return await worker.ask(app, "/", visitor, **more)

    return worker.run(asks)  # type: ignore[no-any-return]


def test_a_placement_comes_before_the_site_has_made_the_page(worker: Worker) -> None:
    at = REST.index(b"\n")

    def said() -> Said:
        filled = until(worker, lambda body: b"Welcome to <em>our</em> films" in body)
        return Said([HEAD + REST[:at], filled, REST[at:]], (HTML, PRIVATE))

    answer = steady(worker, said, FULL)
    assert same(answer) == same(whole(worker, HEAD + REST, FULL))
    assert len(TOKEN.findall(answer.body)) == 1
    (first, _) = worker.decisions()
    assert first.context.placements == ("hero", "recommended")
    assert worker.state(answer).visitor.hex() == first.visitor
    assert worker.count('nearside_pages_total{kind="personalized"}') == 2
    assert worker.records_at_start[STEADY] == 1  # it is there before anything leaves


@pytest.mark.parametrize("visitor", [FULL, NONE, {"cookie": "consent=contextual"}])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_wherever_its_chunks_end_it_is_the_same_page(
    worker: Worker, visitor: dict[str, str], coding: str
) -> None:
    dice, body = random.Random(7), HEAD + SCRIPT_MARK + REST + LOOSE
    expected, asks = same(whole(worker, body, visitor)), visitor | {"accept-encoding": coding}
    fields = (HTML, ("cache-control", "private"), ("content-encoding", "gzip"))
    squeezed = gzip.compress(body)

    async def all_of(app: PageApp) -> None:
        for number in range(12):
            cuts = sorted(dice.choices(range(len(squeezed)), k=3))
            parts = [squeezed[a:b] for a, b in zip([0, *cuts], [*cuts, len(squeezed)], strict=True)]
            worker.site.says[b"/"] = Said([piece for part in parts for piece in (part, pause)], fields)
            answer = await worker.ask(app, "/", asks)
            assert answer.ended
            page = gzip.decompress(answer.body) if coding == "gzip" else answer.body
            assert TOKEN.sub(b"", page) == expected, number
            assert all(token in answer.body for token in TOKEN.findall(page))

    worker.run(all_of)


def test_a_page_that_changed_its_placements_is_waited_for_again(worker: Worker) -> None:
    other = b'<p data-placement="other">the site\'s</p><div data-placement="hero">the default</div>'

    async def asks(app: PageApp) -> list[Answer]:
        answers = []
        for rest in [REST] * STEADY + [other] * 2:
            worker.site.says[b"/"] = Said([HEAD, pause, rest], (HTML, PRIVATE))
            answers.append(await worker.ask(app, "/", FULL))
        return answers

    *_, changed, again = worker.run(asks)
    expected = same(whole(worker, HEAD + other, FULL))
    assert same(changed) == same(again) == expected
    placements = [decision.context.placements for decision in worker.decisions()]
    assert placements[-3:] == [("hero", "recommended"), ("hero",), ("hero",)]


def test_a_page_of_another_encoding_than_before_keeps_its_defaults(worker: Worker) -> None:
    said = Said([HEAD, pause, REST], (("content-type", "text/html; charset=windows-1252"), PRIVATE))
    assert steady(worker, lambda: said, FULL).body == HEAD + REST


def test_a_page_in_which_nothing_is_shown_may_carry_the_token(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.kill("welcome", "recommend", "default-list")
    monkeypatch.setattr(type(worker.holder.active.engine), "marks_all", True, raising=False)
    answer = steady(worker, lambda: Said([HEAD, pause, REST], (HTML, PRIVATE)), FULL)
    expected = whole(worker, HEAD + REST, FULL)
    assert same(answer) == same(expected)
    assert len(TOKEN.findall(answer.body)) == len(TOKEN.findall(expected.body))


def test_a_steady_page_that_breaks_off_or_gets_too_long_ends_as_a_proxys_would(worker: Worker) -> None:
    broken = UpstreamError("upstream-body", "it broke off")
    answer = steady(worker, lambda: Said([HEAD, pause, b"<p>a</p>", broken], (HTML, PRIVATE)), FULL)
    assert (answer.body, answer.ended) == (HEAD + b"<p>a</p>", False)
    long = [b"<p>more</p>" * 500 for _ in range(MAX_PAGE_BYTES // 2000)]
    answer = steady(worker, lambda: Said([HEAD, pause, *long, REST], (HTML, PRIVATE)), FULL)
    assert (answer.body, answer.ended) == (HEAD + b"".join(long) + REST, True)


def test_a_failed_decision_leaves_the_page_as_the_site_made_it(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> bytes:
        raise RuntimeError("a bug")

    monkeypatch.setattr("edge.worker.turn.personalize.Composition", fails)
    assert steady(worker, lambda: slow(worker), FULL).body == HEAD + REST
    assert worker.count('nearside_pages_total{kind="failed"}') == 1


def test_a_page_in_an_encoding_that_cannot_be_cut_is_left_as_it_is(worker: Worker) -> None:
    text = '<p>日本 <esi:include src="/placement/hero"/></p>'.encode("iso2022_jp")
    kind = ("content-type", "text/html; charset=iso-2022-jp")
    for visitor in (NONE, FULL):
        worker.site.says[b"/"] = Said([HEAD, pause, text], (kind, PRIVATE))
        assert worker.get("/", visitor).body == HEAD + text


def test_a_visitor_of_whom_nothing_is_decided_waits_for_nothing(worker: Worker) -> None:
    early = b'<p data-placement="hero">the default</p>'
    worker.site.says[b"/"] = slow(worker, early + HEAD, REST)
    assert worker.get("/", NONE).body == early + HEAD + REST


@pytest.mark.parametrize("steadily", [False, True])
def test_a_page_whose_site_was_told_ahead_begins_too(tmp_path: Path, engine: Engine, steadily: bool) -> None:
    telling = Cms(tmp_path, engine)
    rendered = REST.replace(b"the default", b"Welcome as told")
    ask = FULL | {"accept": "text/html"}

    async def asks(app: PageApp) -> Answer:
        for _ in range(STEADY if steadily else 0):
            telling.site.says[b"/"] = Said([HEAD, pause, rendered], (HTML, PRIVATE))
            await telling.ask(app, "/", ask)
        telling.site.says[b"/"] = slow(telling, rest=rendered)
        return await telling.ask(app, "/", ask)

    answer = telling.run(asks)
    assert b"Welcome as told" in answer.body
    assert b"nothing yet" not in answer.body
    assert len(TOKEN.findall(answer.body)) == 1
    record = telling.decisions()[-1]
    assert (record.id, record.context.placements) == (telling.told()["decision"], ("hero", "recommended"))
    assert telling.state(answer).visitor.hex() == record.visitor


def test_real_pages_are_the_same_wherever_their_chunks_end(worker: Worker, data_dir: Path) -> None:
    dice, filled = random.Random(11), 0

    def cut(body: bytes) -> list[Any]:
        ends = sorted(dice.choices(range(len(body)), k=3))
        parts = [body[start:end] for start, end in zip([0, *ends], [*ends, len(body)], strict=True)]
        return [piece for part in parts for piece in (part, pause)]

    async def thrice(app: PageApp, page: bytes) -> list[Answer]:
        answers = []
        for coding, coded in (
            ("identity", page),
            ("br", brotli.compress(page)),
            ("gzip", gzip.compress(page)),
        ):
            worker.site.says[b"/"] = Said(cut(coded), (HTML, PRIVATE, ("content-encoding", coding)))
            answers.append(await worker.ask(app, "/", FULL))
        return answers

    for path in sorted((data_dir / "html-pages").glob("**/*.html"))[::6]:
        page = path.read_bytes()[: MAX_PAGE_BYTES - 100].replace(b"<p", b'<p data-placement="hero"', 3)
        expected = whole(worker, page, FULL)
        filled += b"Welcome to <em>our</em> films" in expected.body
        for answer in worker.run(lambda app, page=page: thrice(app, page)):
            assert same(answer) == same(expected), path
            assert not answer.values("content-length")
    assert filled > 3


class MakingSite(RawSite):
    """Sends the beginning of its page, and goes on when it is told to; in a coding that needs no length."""

    def __init__(self) -> None:
        super().__init__({})
        self.go_on = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request on one connection."""
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n%s\r\n" % (len(HEAD), HEAD))
        await self.go_on.wait()
        writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(REST), REST))
        writer.close()


def test_on_real_sockets_a_visitor_has_the_beginning_while_the_site_makes_the_rest(worker: Worker) -> None:
    async def main() -> tuple[bytes, bytes]:
        site = MakingSite()
        async with serving(site) as site_url, listening(worker, site_url) as url, asyncio.timeout(WAIT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            writer.write(b"GET / HTTP/1.1\r\nhost: a\r\ncookie: consent=full\r\nconnection: close\r\n\r\n")
            begun = await reader.readuntil(HEAD)
            site.go_on.set()
            rest = await reader.read()
            writer.close()
            return begun, rest

    begun, rest = asyncio.run(main())
    assert begun.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"cache-control: private, no-store\r\n" in begun
    assert b"set-cookie: nearside=" in begun
    assert b"Welcome to <em>our</em> films" in rest
    assert rest.endswith(b"0\r\n\r\n")
