"""A placement's markup stays inside of it for a browser; html5ever, a browser's parser, is the oracle."""

import random
import time

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.pages.plan import scan
from edge.pages.region import MAX_REGION_BYTES, stays_inside

WHOLE = [
    b"",
    b"text < 3 & more",
    b"<b>x</b><br><img src=x><hr/>",
    b"<ul><li>1<li>2</ul>",
    b"<p>one<p>two</p>",
    b"<table><tr><td>1<td>2<tr><td>3</table>",
    b"<dl><dt>a<dd>b<dt>c</dl>",
    b"<!-- </div> --><!--><p></p><!---><i></i><!-- --!>",
    b"<a title='</div>' alt=\"<p>\">x</a>",
    b"<script>if (a</b>/c) '</div>'</script><style>b > i {}</style>",
    b"<textarea></div></textarea>",
    b"<svg><path d='M0'/><style></style><foreignObject><div>x</div></foreignObject></svg>",
    b"<svg><title><b>t</b></title></svg>",
    b"<svg><![CDATA[</svg><div>]]></svg>",
    b"<![CDATA[<b>]]>x",
    b"<select><option>1<option>2</select>",
    b"<ruby>a<rt>b</ruby>",
    b"<math><mi>x</mi></math>",
    b"<DIV></div><P>x</P >",
    b"<? pi ?><!doctype html></>",
    b"<a href=x/>y</a>",
]
BROKEN = [
    b"<div>",
    b"</div>",
    b"<b>x",
    b"<b><i>x</b></i>",
    b"<div><b></div></b>",
    b"<a><div></a></div>",
    b"<script>x",
    b"<textarea>x</div>",
    b"<plaintext>",
    b"<svg><p>x</p></svg>",
    b"<svg><g>",
    b"<table><tr></div></table>",
    b"<div",
    b"<div title='x>",
    b"<!-- x --><b",
    b"<svg><![CDATA[ x </svg>",
    b"<div/>",
    b"<!--></div>-->",
    b"<p><b>x</p>",
    b"x" * (MAX_REGION_BYTES + 1),
]


@pytest.mark.parametrize("markup", WHOLE)
def test_whole_markup_stays(markup: bytes) -> None:
    assert stays_inside(markup)
    assert stays_inside(markup, "div")


@pytest.mark.parametrize("markup", BROKEN)
def test_broken_markup_leaves(markup: bytes) -> None:
    assert not stays_inside(markup)
    assert not stays_inside(markup, "div")


@pytest.mark.parametrize(
    ("parent", "markup", "stays"),
    [
        ("ul", b"<li>1<li>2", True),
        ("", b"<li>1<li>2", False),
        ("div", b"<p>1<p>2", True),
        ("", b"<p>1", False),
        ("p", b"<b>1</b>", True),
        ("p", b"<div>1</div>", False),
        ("p", b"<object><p>1</p></object>", True),
        ("div", b"<p><div>x</div></p>", True),
        ("", b"<p><div>x</div></p>", False),
        ("li", b"<ul><li>1</ul>", True),
        ("li", b"1<li>2", False),
        ("li", b"<b>1</b><div><li>2</li></div>", False),
        ("dd", b"<dl><dt>1</dl>", True),
        ("dt", b"1<dd>2", False),
        ("option", b"1<option>2", False),
        ("select", b"<option>1<option>2", True),
        ("select", b"<option>1</option><input>", False),
        ("td", b"1<td>2", False),
        ("td", b"<table><tr><td>2</table>", True),
        ("tr", b"<td>1<td>2", True),
        ("tr", b"<td>1<tr><td>2", False),
        ("tbody", b"<tr><td>1<tr><td>2", True),
        ("tbody", b"<tr><td>1<tbody>", False),
        ("table", b"<tr><td>1<tbody><tr>", True),
        ("h1", b"1<h2>2</h2>", False),
        ("h1", b"<b>1</b>", True),
        ("a", b"1<a>2</a>", False),
        ("a", b"<b>1</b><div>2</div>", True),
        ("button", b"<button>2</button>", False),
        ("form", b"<form>2</form>", False),
        ("form", b"<input>", True),
    ],
)
def test_what_the_marked_element_may_hold(parent: str, markup: bytes, stays: bool) -> None:
    assert stays_inside(markup, parent) is stays


def test_elements_of_svg_may_close_themselves() -> None:
    assert stays_inside(b"<path/><circle/>", "g", foreign=True)
    assert not stays_inside(b"<path/><p></p>", "g", foreign=True)
    assert stays_inside(b"<p></p>", "foreignobject", foreign=True)


@pytest.mark.parametrize(
    "piece", [b"<a", b"<a b=", b"<a b='", b'<a b="x', b"</a ", b"<!--", b"<", b"<a b=c", b"<p>", b"</"]
)
def test_hostile_markup_is_read_in_time(piece: bytes) -> None:
    markup = piece * (MAX_REGION_BYTES // len(piece))
    start = time.process_time()
    stays_inside(markup, "div")
    assert time.process_time() - start < 3


TAGS = {
    "b", "i", "a", "p", "div", "section", "ul", "ol", "li", "dl", "dt", "dd", "h1", "h2", "span", "table",
    "tr", "td", "tbody", "br", "img", "ruby", "rt", "header", "em",
}  # fmt: skip
ALLOWED = {"*": {"data-placement"}}
CLOSABLE = sorted(TAGS - {"br", "img"})
PIECES = [f"<{tag}>" for tag in sorted(TAGS)] + [f"</{tag}>" for tag in CLOSABLE] + ["text"] * 12
HOLDERS = ["div", "section", "p", "li", "span", "b", "a", "h1", "dd", "td", "ul"]


def tree(page: str) -> str:
    return nh3.clean(page, tags=TAGS, attributes=ALLOWED, link_rel=None)


def soup(rnd: random.Random, longest: int) -> str:
    """Markup that is whole more often than chance would have it."""
    parts: list[str] = []
    for _ in range(rnd.randint(0, longest)):
        if rnd.random() < 0.5:
            tag = rnd.choice(CLOSABLE)
            parts.append(f"<{tag}>{soup(rnd, 2)}</{tag}>")
        else:
            parts.append(rnd.choice(PIECES))
    return "".join(parts)


@settings(deadline=None, max_examples=1500)
@given(st.integers(0, 1 << 32), st.booleans())
def test_outside_of_a_placement_a_browser_builds_the_same_tree(seed: int, pair: bool) -> None:
    rnd = random.Random(seed)
    holder = rnd.choice(HOLDERS)
    begin, end = (f"<{holder} data-placement=a>", f"</{holder}>")
    if pair:
        begin, end = "<div><!-- placement:a -->", "<!-- /placement --></div>"
    before, after = (
        rnd.choice(["", "<div>", "<ul>", "<section>x", "<b>"]),
        rnd.choice(["", "x</div>", "<p>x", "</ul>y"]),
    )
    page = f"{before}{begin}{soup(rnd, 4)}{end}{after}"
    plan = scan(page.encode())
    if plan.placements != ("a",) or "<t" in page:
        return
    filled = tree(plan.fill({"a": b"FILLED"}).decode())
    ahead, found, behind = filled.partition("FILLED")
    assert found
    built = tree(page)
    assert built.startswith(ahead), (page, built, filled)
    assert built.endswith(behind), (page, built, filled)


def test_most_of_what_is_tried_is_whole() -> None:
    """So that the property above is not about nothing."""
    rnd = random.Random(2)
    found = [stays_inside(soup(rnd, 4).encode(), "div") for _ in range(500)]
    assert 100 < sum(found) < 450
