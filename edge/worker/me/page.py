"""The visitor's own page as HTML: plain, without scripts, readable by everyone; every value escaped."""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final

from edge.decide.about import About
from edge.worker.me.known import Known
from edge.worker.me.why import Place

PATH: Final = "/_nearside/me"
MAX_TOPICS_SHOWN: Final = 24

_STYLE: Final = """\
:root{color-scheme:light dark;--line:#8885;--soft:#8881}
body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:46rem;padding:1rem}
h1{font-size:1.6rem;line-height:1.2}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
th,td{border-bottom:1px solid var(--line);padding:.4rem;text-align:left;vertical-align:top}
th{font-weight:600}ul{list-style:none;padding:0}li{border-bottom:1px solid var(--line);padding:.4rem 0}
li>div{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center}li>div>span{flex:1 1 12rem}
button{font:inherit;min-height:2.75rem;padding:.3rem .8rem;border:1px solid;border-radius:.4rem;
background:none;color:inherit;cursor:pointer}
button:hover{background:var(--soft)}:focus-visible{outline:3px solid #36c;outline-offset:2px}
.note{border-left:4px solid #36c;background:var(--soft);padding:.6rem .8rem}.bad{border-color:#c33}
.small{font-size:.9rem}dt{font-weight:600}dd{margin:0 0 .6rem}
p,dd,td,li,h1{overflow-wrap:anywhere}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""What browsers may do with the page: show it, with its own style, and send its forms back."""

_TIERS: Final = {
    "none": "nothing may be known of you, and every page is the one that everybody gets",
    "contextual": "a page may go by its own request, and nothing is kept of you",
    "session": "what you do is kept until you close the browser or pause for a while, without an id",
    "full": "what you do is kept in a cookie of this site, under a random id",
}
_ASKED: Final = {
    "default": "nobody has asked you yet, so the site's own setting holds",
    "opted-out": "you opted out on this page",
    "cookie": "the site's own cookie says so",
    "tcf": "your choices in the consent dialogue say so (a TC string)",
    "gpp": "your choices in the consent dialogue say so (a GPP string)",
    "usp": "your choices in the consent dialogue say so (a US Privacy string)",
}
DONE: Final = {
    "mute-item": "You will not be recommended this any more.",
    "mute-topic": "You will not be recommended anything of this topic any more.",
    "like": "Noted: recommendations now go by this, too.",
    "back": "Taken back.",
    "reset": "Everything that was kept of you is erased.",
    "opt-out": "You opted out: nothing is known of you from now on, and what was kept is erased.",
    "opt-in": "You are back: what you agreed to on this site holds again.",
}
"""What was done, by the name that the address has of it."""


@dataclass(frozen=True)
class View:
    """What one page shows.

    Attributes
    ----------
    page : str
        The page of the site that is explained, as an address without its host.
    token : str
        Of the forms.
    done, wrong : str
        What was done, or why it was not; in words.
    """

    known: Known
    about: About | None
    places: tuple[Place, ...]
    page: str
    token: str
    done: str = ""
    wrong: str = ""


def render(view: View) -> bytes:
    """The page."""
    known = view.known
    parts: list[Iterable[str]] = [_head(view), _consent(known)]
    if known.bot:
        parts.append(
            ["<p>You look like a program. Programs get the plain page; nothing is kept of them.</p>"]
        )
    if known.decision is not None:
        parts += [_kept(view), _wishes(view), _why(view), _facts(known)]
    parts += [_choices(known), ["</form></main></body></html>\n"]]
    return "".join(piece for part in parts for piece in part).encode()


def _head(view: View) -> Iterator[str]:
    yield (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><title>What this site knows of you</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>What this site knows of you</h1>"
    )
    if view.done:
        yield f'<p class="note" role="status">{escape(view.done)}</p>'
    if view.wrong:
        yield f'<p class="note bad" role="alert">{escape(view.wrong)}</p>'
    yield (
        f'<form method="post" action="{PATH}"><input type="hidden" name="token" value="{escape(view.token)}">'
        f'<input type="hidden" name="page" value="{escape(view.page)}">'
    )


def _consent(known: Known) -> Iterator[str]:
    yield "<h2>What may be known</h2>"
    if not known.bot:
        asked = _ASKED.get(known.asked, known.asked)
        yield f"<p>{escape(_TIERS[known.tier].capitalize())}. This holds because {escape(asked)}.</p>"
    if known.decision is None:
        yield "<p><strong>Nothing is known of you</strong>, and nothing was chosen for you.</p>"


def _kept(view: View) -> Iterator[str]:
    known, state = view.known, view.known.state
    yield "<h2>What is kept of you</h2>"
    if not state.visits:
        yield "<p>Nothing yet.</p>" if known.tier != "contextual" else "<p>Nothing.</p>"
        return
    yield (
        f"<p>Since {_day(state.first_s)}: {_plural(state.visits, 'visit')}, the last page on "
        f"{_day(state.last_s)}. It is in a cookie in your browser, encrypted, and nowhere else but in the "
        "records of what pages showed.</p>"
    )
    if state.items:
        yield f"<h3>{_plural(len(state.items), 'item')} that you viewed, the last one first</h3>"
        yield from _items(view, state.items)
    for title, lines in (
        ("Counted of what you did", known.counted),
        ("Tests that you are in", [f"{name}: {what}" for name, what in known.tests.items()]),
    ):
        if lines:
            yield f"<h3>{title}</h3><ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _items(view: View, items: Iterable[str]) -> Iterator[str]:
    """Items by title, each with what can be wished of it."""
    wishes, may = view.known.wishes, bool(view.known.state.visits)
    yield "<ul>"
    for item in items:
        title = view.about.title(item) if view.about is not None else item
        yield f"<li><div><span>{escape(title)}</span>"
        if may and item in wishes.liked:
            yield _button("back-item", item, "Take the like back", title)
        elif may:
            yield _button("like", item, "More like this", title)
        if may and item not in wishes.muted.items:
            yield _button("mute-item", item, "Less of this", title)
        yield "</div></li>"
    yield "</ul>"


def _wishes(view: View) -> Iterator[str]:
    """What was muted and liked, and which topics can be muted."""
    wishes, about = view.known.wishes, view.about
    if not view.known.state.visits or about is None:
        return
    muted = [("back-item", item, about.title(item)) for item in wishes.muted.items]
    muted += [("back-topic", topic, f"Everything of the topic {topic}") for topic in wishes.muted.topics]
    if muted:
        yield "<h2>What you want no more of</h2><ul>"
        for do, what, title in muted:
            back = _button(do, what, "Take it back", title)
            yield f"<li><div><span>{escape(title)}</span>{back}</div></li>"
        yield "</ul>"
    liked = [item for item in wishes.liked if item not in view.known.state.items]
    if liked:
        yield "<h2>What you liked</h2>"
        yield from _items(view, liked)
    shown = [item for place in view.places for item in place.items]
    named = dict.fromkeys(topic for item in (*shown, *view.known.state.items) for topic in about.topics(item))
    topics = [topic for topic in named if topic not in wishes.muted.topics][:MAX_TOPICS_SHOWN]
    if topics:
        yield "<h2>Topics of what you see and viewed</h2><ul>"
        for topic in topics:
            less = _button("mute-topic", topic, "Less of this topic", topic)
            yield f"<li><div><span>{escape(topic)}</span>{less}</div></li>"
        yield "</ul>"


def _why(view: View) -> Iterator[str]:
    yield (
        f"<h2>Why the page {escape(view.page)} looks so</h2><p>As it would be for you now. "
        "Not every page has all of these places.</p><dl>"
    )
    for place in view.places:
        yield f"<dt>{escape(place.name)}</dt><dd>{escape(place.shows)}: {escape(place.because)}.</dd>"
        if place.items:
            yield "<dd>"
            yield from _items(view, place.items)
            yield "</dd>"
    yield "</dl>"


def _facts(known: Known) -> Iterator[str]:
    if not known.facts:
        return
    yield "<h2>What pages may go by</h2><p>This is all that was looked at, and from what it is known.</p>"
    columns = "".join(f'<th scope="col">{name}</th>' for name in ("What", "Value", "From"))
    yield f"<table><thead><tr>{columns}</tr></thead><tbody>"
    for fact in known.facts:
        yield (
            f'<tr><th scope="row">{escape(fact.name)}</th><td>{escape(fact.value)}</td>'
            f"<td>{escape(fact.source)}</td></tr>"
        )
    yield "</tbody></table>"


def _choices(known: Known) -> Iterator[str]:
    yield "<h2>What you can do</h2><ul>"
    if known.asked == "opted-out":
        yield _choice("opt-in", "Opt in again", "What you agreed to on this site holds again.")
    else:
        if known.state.visits:
            reset = "What is kept of you is erased; from the next page on you are a new visitor."
            yield _choice("reset", "Erase everything", reset)
        out = "Nothing is known of you from the next page on. A cookie without any id remembers it."
        yield _choice("opt-out", "Opt out", out)
    yield "</ul>"


def _choice(do: str, label: str, meaning: str) -> str:
    return f'<li><div><span>{meaning}</span><button name="do" value="{do}">{label}</button></div></li>'


def _button(do: str, what: str, label: str, about: str) -> str:
    name = f'aria-label="{label}: {escape(about)}"'
    return f'<button name="do" value="{do} {escape(what)}" {name}>{label}</button>'


def _day(at_s: int) -> str:
    try:
        return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d}"
    except (ValueError, OverflowError, OSError):
        return "a day that can't be told"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
