"""Says whether markup ends where its placement ends, as a browser's parser would read it."""

import re
from typing import Final

MAX_REGION_BYTES: Final = 256 << 10
"""Reading tags costs about 2 µs each; what is longer is no default but a page."""
MAX_DEPTH: Final = 256
"""Elements in each other; browsers stop at 512."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


RAW_TEXT: Final = _names("script style textarea title iframe noscript noembed noframes xmp plaintext")
"""Elements whose inside is text to a browser, or may be."""

VOID: Final = _names(
    "area base basefont bgsound br col embed frame hr image img input keygen link meta param source track wbr"
)
_HEADINGS: Final = _names("h1 h2 h3 h4 h5 h6")
_ROWS: Final = _names("tbody thead tfoot")
_CELLS: Final = _names("td th")
_IN_TABLE: Final = _ROWS | _CELLS | _names("tr caption colgroup")
_BLOCKS: Final = _HEADINGS | _names(
    "address article aside blockquote center details dialog dir div dl dd dt fieldset figcaption figure "
    "footer form header hgroup hr li listing main menu nav ol p plaintext pre search section summary "
    "table ul xmp"
)
_ORDINARY: Final = _names("rb rp rt rtc")
MAY_STAY_OPEN: Final = _IN_TABLE | _ORDINARY | _names("dd dt li optgroup option p")
"""Elements whose end tag may be left out."""

ENDS_ALL_INSIDE: Final = _BLOCKS | _IN_TABLE | _names("table template button object select")
"""Elements whose end tag also ends those in them that may stay open; that of any other is ignored then."""

# What a start tag ends that stands open right before it.
_ENDS: Final = {
    **dict.fromkeys(_BLOCKS, _names("p")),
    "li": _names("li p"),
    **dict.fromkeys(("dd", "dt"), _names("dd dt p")),
    "option": _names("option"),
    "optgroup": _names("option optgroup"),
    **dict.fromkeys(_CELLS, _CELLS | {"p"}),
    "tr": _CELLS | _names("tr caption colgroup p"),
    **dict.fromkeys(_ROWS, _IN_TABLE | {"p"}),
    **dict.fromkeys(("caption", "colgroup"), _names("caption colgroup")),
    **dict.fromkeys(("rb", "rp", "rt", "rtc"), _names("rb rp rt rtc")),
}
# What start tags end even if something else is open between, and what between holds them off.
_HOLDS: Final = _names("table template object button marquee applet caption td th foreignobject")
_ENDS_AROUND: Final = {
    "p": (_BLOCKS, _HOLDS),
    "li": (_names("li"), _HOLDS | _names("ul ol menu dir")),
    **dict.fromkeys(("dd", "dt"), (_names("dd dt"), _HOLDS | {"dl"})),
    "option": (_names("option optgroup"), _HOLDS | {"select"}),
    "optgroup": (_names("optgroup"), _HOLDS | {"select"}),
    "select": (_names("select input textarea keygen"), _HOLDS),
    "button": (_names("button"), _HOLDS - {"button"}),
    "a": (_names("a"), _HOLDS - {"button"}),
    "nobr": (_names("nobr"), _HOLDS - {"button"}),
    "form": (_names("form"), _names("template")),
    **dict.fromkeys(_HEADINGS, (_HEADINGS, _BLOCKS - _HEADINGS | _HOLDS)),
    **dict.fromkeys(_CELLS | {"caption", "colgroup"}, (_IN_TABLE, _names("table template"))),
    "tr": (_IN_TABLE - _CELLS, _names("table template")),
    **dict.fromkeys(_ROWS, (_ROWS | {"caption", "colgroup"}, _names("table template"))),
    **dict.fromkeys(("rb", "rp", "rt", "rtc"), (_names("rb rp rt rtc"), _names("ruby"))),
}
_FOREIGN: Final = _names("svg math")
_HTML_IN_FOREIGN: Final = _names("foreignobject desc title annotation-xml mi mo mn ms mtext")
# HTML that ends all SVG and MathML around it.
_BREAKS_OUT: Final = _HEADINGS | _names(
    "b big blockquote body br center code dd div dl dt em embed head hr i img li listing menu meta nobr ol "
    "p pre ruby s small span strong strike sub sup table tt u ul var"
)

# Quotes count after an equals sign alone. Nothing here is ever tried in a second way: pages can be hostile.
ATTRIBUTES: Final = rb"""(?>[^>=]|=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+|(?=>)))*+"""
_TAG: Final = re.compile(
    rb"<(?:!--(?:-?>|.*?(?:--!?>|\Z))"
    rb"|(?P<cdata>!\[CDATA\[)"
    rb"|[!?][^>]*>|/>|/[^a-zA-Z>][^>]*>"
    rb"|(?P<slash>/?)(?P<name>[a-zA-Z][^\s/>]*+)(?P<rest>" + ATTRIBUTES + rb")>)",
    re.DOTALL,
)


_BEGINS: Final = re.compile(rb"[a-zA-Z/!?]")


class _Leaves(Exception):  # noqa: N818 - not an error: the answer is no
    """The markup ends something that it did not begin, or the other way round."""


def stays_inside(inside: bytes, parent: str = "", *, foreign: bool = False) -> bool:
    """Whether taking this markup out, and other whole markup in, changes nothing around it.

    Parameters
    ----------
    inside : bytes
        All between the two marks.
    parent : str
        The element that the marks are, in lower case: what it ends may be left open. Empty for a
        pair of comments, between which nothing may be.
    foreign : bool
        Whether that element is of SVG or MathML.
    """
    if len(inside) > MAX_REGION_BYTES:
        return False
    if b"<" not in inside:
        return True
    try:
        left = _Reader(inside, parent, foreign=foreign).read()
    except _Leaves:
        return False
    return not left or (bool(parent) and _left_open_in(parent).issuperset(left))


def _left_open_in(name: str) -> frozenset[str]:
    return MAY_STAY_OPEN if name in ENDS_ALL_INSIDE else _ORDINARY


class _Reader:
    """Follows the tags of some markup with a stack of what is open."""

    def __init__(self, markup: bytes, parent: str, *, foreign: bool) -> None:
        self._markup = markup
        self._parent = parent
        self._in_foreign = foreign and parent not in _HTML_IN_FOREIGN
        self._open: list[str] = []

    def read(self) -> list[str]:
        """What is open in the end."""
        at = self._markup.find(b"<")
        while at >= 0:
            at = self._markup.find(b"<", self._token(at))
        return self._open

    def _token(self, at: int) -> int:
        """Read what begins with the ``<`` at a position; where it ends."""
        found = _TAG.match(self._markup, at)
        if found is None:
            if _BEGINS.match(self._markup, at + 1):
                raise _Leaves  # a tag that does not end here
            return at + 1
        if found["cdata"]:
            return self._after(b"]]>" if self._is_foreign() else b">", found.end())
        if not found["name"]:
            return found.end()
        name = found["name"].decode("latin-1").lower()
        if found["slash"]:
            self._end(name)
            return found.end()
        return self._start(name, found["rest"].endswith(b"/"), found.end())

    def _after(self, end: bytes, at: int) -> int:
        found = self._markup.find(end, at)
        if found < 0:
            raise _Leaves
        return found + len(end)

    def _is_foreign(self) -> bool:
        found = [name for name in self._open if name in _FOREIGN or name in _HTML_IN_FOREIGN]
        return found[-1] in _FOREIGN if found else self._in_foreign

    def _start(self, name: str, closed: bool, at: int) -> int:
        if len(self._open) > MAX_DEPTH:
            raise _Leaves
        if self._is_foreign():
            if name in _BREAKS_OUT:
                raise _Leaves
            if not closed:
                self._open.append(name)
            return at
        ended = _ENDS.get(name, frozenset())
        while self._open and self._open[-1] in ended:
            self._open.pop()
        for outer in {self._parent, *self._open} & _ENDS_AROUND.keys():
            self._check_around(name, outer)
        if name in RAW_TEXT:
            return self._after_text(name, at)
        if name not in VOID and not (closed and name in _FOREIGN):
            self._open.append(name)
        return at

    def _check_around(self, name: str, outer: str) -> None:
        """Refuse a start tag that ends `outer` while other elements in it are open."""
        enders, holders = _ENDS_AROUND[outer]
        depth = len(self._open) - self._open[::-1].index(outer) if outer in self._open else 0
        if name in enders and holders.isdisjoint(self._open[depth:]):
            raise _Leaves

    def _after_text(self, name: str, at: int) -> int:
        end = re.compile(rb"</%s(?:>|[\s/][^>]*>)" % name.encode(), re.IGNORECASE).search(self._markup, at)
        if end is None:
            raise _Leaves
        return end.end()

    def _end(self, name: str) -> None:
        if name not in self._open:
            if name == "p" and self._parent not in ("", "p"):
                return  # an empty paragraph to a browser
            raise _Leaves
        while (ended := self._open.pop()) != name:
            if ended not in _left_open_in(name):
                raise _Leaves
