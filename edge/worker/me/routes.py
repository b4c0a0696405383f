"""`/_nearside/me`: tells visitors what is known of them and why a page looks so, and does what they wish."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from edge.consent.policy import OPTED_OUT
from edge.decide.engine import EmptyEngine, Engine
from edge.errors import GivenError
from edge.visitor import cookie, wishes
from edge.visitor.form import FormBox
from edge.visitor.state import VisitorState
from edge.visitor.wishes import Wishes
from edge.worker.active import Active, Holder
from edge.worker.attributes.request import Headers, Request, headers_of, is_secure
from edge.worker.me.known import Known, held_state, known
from edge.worker.me.page import DONE, PATH, POLICY, View, render
from edge.worker.me.why import Place, Whom, campaigns_of, places
from edge.worker.turn.boundary import note_failure
from edge.worker.turn.draft import look_up, open_wishes
from edge.worker.turn.view import Desk

MAX_FORM_BYTES: Final = 8 << 10
MAX_PAGE_CHARS: Final = 2_048
OPTED_OUT_S: Final = 400 * 86_400
"""As long as browsers keep a cookie at most."""

_HEADERS: Final = {
    "cache-control": "private, no-store",
    "content-security-policy": POLICY,
    "referrer-policy": "same-origin",  # with none, browsers would send forms with the origin `null`
    "x-content-type-options": "nosniff",
}
_STATUS: Final = {"form": 403, "form-expired": 403, "foreign": 403, "too-large": 413}
_WISHES: Final[Mapping[str, Callable[[Wishes, str], Wishes]]] = {
    "mute-item": wishes.mute_item,
    "mute-topic": wishes.mute_topic,
    "like": wishes.like,
    "back-item": wishes.take_back_item,
    "back-topic": wishes.take_back_topic,
}
_WHOLE: Final = ("reset", "opt-out", "opt-in")


def me_routes(holder: Holder, desk: Desk, forms: FormBox) -> list[Route]:
    """The routes of the visitor's own page."""
    page = _Page(holder, desk, forms)
    return [Route(PATH, page.get, methods=["GET"]), Route(PATH, page.post, methods=["POST"])]


class _Page:
    """Answers the two methods."""

    def __init__(self, holder: Holder, desk: Desk, forms: FormBox) -> None:
        self._holder, self._desk, self._forms = holder, desk, forms
        self._whom = Whom()
        self._reading = asyncio.Lock()

    async def get(self, request: HttpRequest) -> Response:
        """What is known."""
        headers = headers_of(request.headers.raw)
        done = DONE.get(request.query_params.get("done", ""), "")
        page = _page_of(request.query_params.get("page", "")) or _came_from(headers)
        return await self._shown(headers, _peer(request), page, done=done)

    async def post(self, request: HttpRequest) -> Response:
        """Do what the visitor wishes, then show the page again."""
        headers, page = headers_of(request.headers.raw), "/"
        try:
            form = await _form(request)
            page = _page_of(form.get("page", "")) or "/"
            _check_origin(headers)
            now_s = int(time.time())
            self._forms.check(form.get("token", ""), _bound_to(held_state(headers, self._desk)), now_s)
            do, _, what = form.get("do", "").partition(" ")
            cookies = self._done(do, what, headers)
        except GivenError as error:
            self._desk.counters.add(f'nearside_refused_requests_total{{route="me",code="{error.code}"}}')
            return await self._shown(headers, _peer(request), page, refused=error)
        done = "back" if do.startswith("back") else do
        response = Response(status_code=303, headers=_HEADERS)
        response.headers["location"] = f"{PATH}?{urlencode({'done': done, 'page': page})}"
        for value in cookies:
            response.headers.append("set-cookie", value.decode())
        return response

    def _done(self, do: str, what: str, headers: Headers) -> list[bytes]:
        """The Set-Cookie headers that make it so."""
        secure = is_secure(headers)
        if do == "opt-in":
            return [OPTED_OUT + cookie.ERASED]
        if do in _WHOLE:
            erased = [name + cookie.ERASED for name in (*cookie.OF_VISITOR, cookie.LED)]
            # Scripts of pages that do not come through the edge have to know of it.
            out = cookie.set_cookie(OPTED_OUT, b"1", OPTED_OUT_S, secure=secure, readable=True)
            return [*erased, out] if do == "opt-out" else erased
        wish = _WISHES.get(do)
        if wish is None:
            raise GivenError("wish", "there is no such thing to do")
        return [self._wished(wish, what, headers, secure=secure)]

    def _wished(
        self, wish: Callable[[Wishes, str], Wishes], what: str, headers: Headers, *, secure: bool
    ) -> bytes:
        active, desk = self._holder.active, self._desk
        tier = active.reader.consent.of(headers).tier
        state = held_state(headers, desk)
        if tier not in ("session", "full") or not state.visits:
            raise GivenError("wish", "nothing is kept of you, so no wish can be either")
        if not wish.__name__.startswith("take_back"):
            _check_known(wish, what, active)
        before = open_wishes(headers, state, desk)
        after = wish(before, what)
        held = Wishes(wishes.VERSION, wishes.whose(state), after.muted, after.liked)
        lifetime_s = desk.cookie_lifetime_s if tier == "full" else 0
        return cookie.set_cookie(
            cookie.WISHES_NAME, desk.cookies.seal_wishes(held), lifetime_s, secure=secure
        )

    async def _shown(
        self, headers: Headers, peer: str, page: str, *, done: str = "", refused: GivenError | None = None
    ) -> Response:
        active = self._holder.active
        await look_up(headers, active, self._desk)
        found = self._known(headers, peer, page, active)
        engine = active.engine
        shown: tuple[Place, ...] = ()
        if isinstance(engine, Engine) and found.decision is not None and found.context is not None:
            await self._read_whom(engine, campaigns_of(found.decision))
            shown = tuple(places(engine, found.context, found.decision, self._whom))
        token = self._forms.sign(_bound_to(held_state(headers, self._desk)), int(time.time()))
        about = engine.about if isinstance(engine, Engine) else None
        wrong = "" if refused is None else f"That was not done: {_reason(refused)}."
        body = render(View(found, about, shown, page, token, done, wrong))
        status = 200 if refused is None else _STATUS.get(refused.code, 400)
        return Response(body, status, _HEADERS, media_type="text/html; charset=utf-8")

    def _known(self, headers: Headers, peer: str, page: str, active: Active) -> Known:
        path, _, query = page.partition("?")
        of_page = {name: value for name, value in headers.items() if name != b"referer"}
        request = Request(unquote(path), query.encode(), of_page, peer)
        request.now_ms = time.time_ns() // 1_000_000
        try:
            return known(request, active, self._desk)
        except Exception as error:
            note_failure(error, "the page of a visitor", self._desk.counters)
            consent = active.reader.consent
            return Known(
                consent.of(headers).tier, consent.source(headers), state=held_state(headers, self._desk)
            )

    async def _read_whom(self, engine: Engine, campaigns: list[str]) -> None:
        if not self._whom.lacks(engine, campaigns):
            return
        async with self._reading:  # one after the other: the rules as written may be many
            if self._whom.lacks(engine, campaigns):
                await asyncio.to_thread(self._whom.read, engine, campaigns)


def _reason(error: GivenError) -> str:
    if error.code in ("form", "form-expired"):
        return "the page that you sent is of before; this is a new one, try again"
    return str(error).removeprefix(f"{error.code}: ")


def _bound_to(state: VisitorState) -> bytes:
    """Whose forms these are: of a visitor without a state, nobody's in particular."""
    return (state.visitor or wishes.whose(state)) if state.visits else b""


def _check_known(wish: Callable[[Wishes, str], Wishes], what: str, active: Active) -> None:
    engine = active.engine
    if isinstance(engine, EmptyEngine):
        raise GivenError("wish", "there is nothing to wish for yet")
    is_known = (
        engine.about.has_topic(what) if wish is wishes.mute_topic else engine.items.find(what.encode()) >= 0
    )
    if not is_known:
        raise GivenError("wish", "this site has no such thing")


async def _form(request: HttpRequest) -> dict[str, str]:
    """The fields of a posted form, the first of each name."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise GivenError("content-type", "it was no form")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM_BYTES:
                raise GivenError("too-large", "the form is too long")
        fields = parse_qs(body.decode("ascii"), max_num_fields=16, errors="strict")
    except (ValueError, ClientDisconnect) as error:
        raise GivenError("malformed", "the form can't be read") from error
    return {name: held[0] for name, held in fields.items()}


def _check_origin(headers: Headers) -> None:
    """Refuse what another site's page sends: browsers say where a form was."""
    site = headers.get(b"sec-fetch-site")
    origin = headers.get(b"origin")
    if site is not None:
        ours = site in (b"same-origin", b"none")
    else:
        hosts = {headers.get(name, b"").lower() for name in (b"host", b"x-forwarded-host")}
        ours = origin is None or origin.partition(b"://")[2].lower() in hosts - {b""}
    if not ours:
        raise GivenError("foreign", "the form was not on this site")


def _page_of(text: str) -> str:
    """A page of the site as an address without a host, or empty for what is none."""
    if (
        not text.startswith("/")
        or text.startswith(("//", "/\\", "/_nearside/"))
        or len(text) > MAX_PAGE_CHARS
    ):
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.netloc or parts.scheme or any(ord(character) < 32 for character in text):
        return ""
    query = "?" + quote(parts.query, safe="%=&+-._~!$'()*,;:@/?") if parts.query else ""
    return quote(parts.path, safe="%/-._~!$&'()*+,;=:@") + query


def _came_from(headers: Headers) -> str:
    """The page of this site that the visitor comes from, or its first one."""
    try:
        parts = urlsplit(headers.get(b"referer", b"").decode("latin-1"))
    except ValueError:
        return "/"
    hosts = {headers.get(name, b"").decode("latin-1").lower() for name in (b"host", b"x-forwarded-host")}
    if not parts.netloc or parts.netloc.lower() not in hosts:
        return "/"
    return _page_of((parts.path or "/") + ("?" + parts.query if parts.query else "")) or "/"


def _peer(request: HttpRequest) -> str:
    return request.client.host if request.client else ""
