"""Makes fragments safe to stand in a page: HTML sanitized, text escaped."""

import html
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import nh3

from compiler.catalog.holes import settle_holes, take_out
from compiler.files.fields import check_id
from compiler.files.text_files import find_control, read_text, settle
from compiler.problems import Problems
from compiler.types import Content

FOLDER: Final = "content"
MAX_CONTENT_BYTES: Final = 256 << 10

_TAGS: Final = (
    "a abbr article aside b bdi bdo blockquote br button caption cite code col colgroup dd del details "
    "dfn div dl dt em figcaption figure footer h1 h2 h3 h4 h5 h6 header hgroup hr i img ins kbd li mark nav "
    "ol p picture pre q rp rt ruby s samp section small source span strong sub summary sup table tbody td "
    "tfoot th thead time tr u ul var wbr"
)
TAGS: Final = frozenset(_TAGS.split())
ATTRIBUTES: Final = {
    "*": {"class", "dir", "lang", "role", "title"},
    "a": {"href", "hreflang", "rel"},
    "col": {"span"},
    "colgroup": {"span"},
    "details": {"open"},
    "img": {"alt", "height", "sizes", "src", "srcset", "width"},
    "ol": {"reversed", "start"},
    "source": {"height", "media", "sizes", "srcset", "type", "width"},
    "td": {"colspan", "headers", "rowspan"},
    "th": {"colspan", "headers", "rowspan", "scope"},
    "time": {"datetime"},
}
CHOICES: Final = {
    "a": {"target": {"_blank", "_self"}},
    "img": {"loading": {"lazy", "eager"}, "decoding": {"async", "sync", "auto"}},
}
PREFIXES: Final = ("aria-", "data-")
SCHEMES: Final = frozenset({"http", "https"})

# A fragment must not pass for one of the site's placements, nor for what the edge writes.
_OURS: Final = re.compile(r"data-(placement|nearside)\b.*")
_SCHEME: Final = re.compile(r"[^/?#]*:")
_URLS: Final = ("href", "src", "srcset")


def _filter_attribute(_tag: str, name: str, value: str) -> str | None:
    if _OURS.fullmatch(name):
        return None
    if name in ("href", "src"):
        return value if _is_safe_url(value) else None
    if name == "srcset":
        return value if all(map(_is_safe_url, re.split(r"[\s,]+", value))) else None
    return value


def _is_safe_url(url: str) -> bool:
    """Whether it is relative or http(s); stricter than the sanitizer, which does not know srcset."""
    scheme = _SCHEME.match(url.strip())
    return scheme is None or scheme[0].lower() in ("http:", "https:")


_CLEANER: Final = nh3.Cleaner(
    tags=set(TAGS),
    clean_content_tags={
        "script",
        "style",
        "template",
        "title",
        "textarea",
        "noscript",
        "iframe",
        "svg",
        "math",
    },
    attributes=ATTRIBUTES,
    attribute_filter=_filter_attribute,
    generic_attribute_prefixes=set(PREFIXES),
    tag_attribute_values=CHOICES,
    # A button without a type would submit a form of the site.
    set_tag_attribute_values={"button": {"type": "button"}},
    url_schemes=set(SCHEMES),
    link_rel=None,
)


def sanitize(fragment: str) -> str:
    """The fragment as balanced HTML that can't run anything, submit anything or pass for a placement."""
    # Once more after cleaning: a mark that was closed inside of a dropped comment is open again.
    return settle(str(_CLEANER.clean(settle(fragment))).strip())


def removed(fragment: str, cleaned: str) -> list[tuple[int, str]]:
    """What sanitizing took out, as (line, name); for people, not for safety."""
    # Removal only ever lowers these counts, and looking closely costs more than sanitizing.
    if all(fragment.count(sign) <= cleaned.count(sign) for sign in ("<", "=")):
        return []
    before, after = _Scan(fragment), _Scan(cleaned)
    missing = before.counts - after.counts
    return [(line, name) for line, name in before.seen if name in missing]


class _Scan(HTMLParser):
    """Lists start tags and attributes as a person would name them."""

    def __init__(self, fragment: str) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[tuple[int, str]] = []
        self.feed(fragment)
        self.close()
        self.counts = Counter(name for _, name in self.seen)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag and its attributes."""
        line = self.getpos()[0]
        self.seen.append((line, f"<{tag}>"))
        for name, value in attrs:
            scheme = _SCHEME.match((value or "").strip()) if name in _URLS else None
            self.seen.append((line, f"{name}={scheme[0]!r} of <{tag}>" if scheme else f"{name} of <{tag}>"))


def read_contents(folder: Path, problems: Problems) -> tuple[Content, ...]:
    """The workspace's contents, sorted by id."""
    found: dict[str, Content] = {}
    for file in sorted((folder / FOLDER).glob("*")):
        path = f"{FOLDER}/{file.name}"
        if file.name.startswith("."):
            continue
        if file.suffix not in (".html", ".txt"):
            problems.warn(path, 0, "unused", "is neither .html nor .txt", "rename or move it")
            continue
        if not check_id(file.stem, "a content", (path, 0), problems):
            continue
        if file.stem in found:
            problems.twice(path, 0, f"content {file.stem!r}", found[file.stem].path)
            continue
        content = _read_content(folder, path, problems)
        if content is not None:
            found[file.stem] = content
    return tuple(found[id_] for id_ in sorted(found))


def _read_content(folder: Path, path: str, problems: Problems) -> Content | None:
    text = read_text(folder, path, problems, MAX_CONTENT_BYTES)
    if text is None:
        return None
    marked, holes, fine = take_out(text, path, problems)
    body = _clean(marked, path, problems) if fine else None
    if body is None:
        return None
    filled, settled = settle_holes(body, holes, path, problems)
    asks = tuple((hole.attribute, hole.line) for hole in holes.values())
    return Content(Path(path).stem, filled, path, settled, asks)


def _clean(text: str, path: str, problems: Problems) -> str | None:
    if not text.strip():
        problems.error(path, 0, "empty", "the content is empty", "write something, or delete the file")
        return None
    note_settled(text, path, problems)
    if path.endswith(".txt"):
        return html.escape(settle(text).strip(), quote=True)
    body = sanitize(text)
    for line, name in removed(text, body):
        problems.warn(path, line, "sanitized", f"{name} was taken out", "fragments hold plain, inert HTML")
    if not body:
        problems.error(path, 0, "empty", "nothing is left after sanitizing", "write plain HTML")
        return None
    return body


def note_settled(text: str, path: str, problems: Problems) -> None:
    """Warn where `settle` changes a text."""
    if settle(text) == text:
        return
    line, name = find_control(text) or (0, "a directional mark without its end, or an override")
    problems.warn(path, line, "replaced-text", f"{name} was replaced or taken out", "delete it")
