"""Fragments are inert, whatever they were made from."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.catalog.content import ATTRIBUTES, CHOICES, PREFIXES, TAGS, removed, sanitize
from compiler.files.text_files import settle
from compiler.workspace import read_workspace
from tests.workspaces.make import make_workspace

HOSTILE = [
    "<script>alert(1)</script>",
    "\u202e\u2066reversed<!--",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg/onload=alert(1)>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<a href='&#x6A;avascript:alert(1)'>x</a>",
    "<a href='\x01javascript:alert(1)'>x</a>",
    "<a href=data:text/html,<script>alert(1)</script>>x</a>",
    "<a href=vbscript:x>x</a>",
    "<img srcset='javascript:alert(1) 2x'>",
    "<img srcset='/a.png 1x, data:image/svg+xml;base64,AAAA 2x'>",
    "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<form action=/steal><input name=card></form>",
    "<button type=submit formaction=/steal onclick=x>Buy</button>",
    "<style>body{display:none}</style>",
    "<p style='position:fixed;inset:0'>x</p>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<base href=//evil.example/>",
    "<object data=x><embed src=x>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<p id=document name=cookie>x</p>",
    "</div></div></body></html>",
    "<p title='a\" onmouseover=\"alert(1)'>x</p>",
    "<div data-placement=hero data-nearside-x=1>x</div>",
    "a\x00<scr\x00ipt>alert(1)</scr\x00ipt>",
    "<plaintext><p>",
    "<textarea></textarea><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php system('x') ?>",
    "\u202e\u2066reversed",
    "<" * 5000,
    "<b>" * 2000,
]


class _Audit(HTMLParser):
    """Fails on anything that is not on the lists."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        allowed = ATTRIBUTES["*"] | ATTRIBUTES.get(tag, set()) | set(CHOICES.get(tag, {})) | {"type"}
        for name, value in attrs:
            assert name in allowed or name.startswith(PREFIXES), name
            assert not name.startswith(("on", "data-placement", "data-nearside"))
            if name in ("href", "src", "srcset"):
                scheme = re.match("[^/?#]*:", value or "")
                assert scheme is None or scheme[0] in ("http:", "https:"), value
        if tag == "button":
            assert dict(attrs)["type"] == "button"

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)


def assert_inert(fragment: str) -> None:
    audit = _Audit()
    audit.feed(fragment)
    audit.close()
    assert "\x00" not in fragment
    assert settle(fragment) == fragment


@pytest.mark.parametrize("fragment", HOSTILE)
def test_hostile_html_comes_out_inert(fragment: str) -> None:
    cleaned = sanitize(fragment)
    assert_inert(cleaned)
    assert sanitize(cleaned) == cleaned


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([*HOSTILE, "<", ">", '"', "'", "&", "<p ", "=", "x", "</p>", "<!--", "`"]), max_size=6
    )
)
def test_combined_hostile_html_comes_out_inert(parts: list[str]) -> None:
    assert_inert(sanitize("".join(parts)))


def test_what_pages_are_made_of_stays() -> None:
    fragment = (
        '<figure class="card" data-item="7"><picture>'
        '<source srcset="/a.webp 1x, https://cdn.example/b.webp 2x">'
        '<img src="/a.jpg" alt="A" loading="lazy" width="10"></picture>'
        '<figcaption><a href="https://example.com/x?a=1&amp;b=2" target="_blank" rel="nofollow">A</a>'
        "</figcaption></figure>"
        '<p lang="de" aria-label="x">Grüße</p><a href="../up#part">up</a>'
    )
    assert sanitize(fragment) == fragment
    assert removed(fragment, sanitize(fragment)) == []


def test_what_was_taken_out_is_told_with_its_line(tmp_path: Path) -> None:
    text = "<p>\n<a href='javascript:x'>a</a>\n<b onclick=x id=b>b</b>\n<script>x</script>\n</p>"
    workspace = read_workspace(make_workspace(tmp_path, {"content/app.html": text}))
    told = [(p.line, p.message) for p in workspace.warnings if p.code == "sanitized"]
    assert told == [
        (2, "href='javascript:' of <a> was taken out"),
        (3, "id of <b> was taken out"),
        (3, "onclick of <b> was taken out"),
        (4, "<script> was taken out"),
    ]


def test_text_is_escaped(tmp_path: Path) -> None:
    text = "Tom & \"Jerry\" <script>alert('1')</script>\x00\u202eevil\n"
    workspace = read_workspace(make_workspace(tmp_path, {"content/summer.txt": text}))
    (summer,) = [content for content in workspace.contents if content.id == "summer"]
    body = summer.body.decode()
    assert body == ("Tom &amp; &quot;Jerry&quot; &lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;\ufffdevil")
    assert [p.path for p in workspace.warnings if p.code == "replaced-text"] == ["content/summer.txt"]


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        ("plain", "plain"),
        ("a\x00b\x1b", "a\ufffdb\ufffd"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("\u202eabc", "abc"),
        ("\u202dabc\u202c", "abc"),
        ("\u2067abc\u2069", "\u2067abc\u2069"),
        ("\u2067abc", "\u2067abc\u2069"),
        ("\u202babc", "\u202babc\u202c"),
        ("abc\u2069\u202c", "abc"),
        ("\u2067a\u202bb\u2069", "\u2067a\u202bb\u202c\u2069"),
        ("\u200fabc\u200e", "\u200fabc\u200e"),
    ],
)
def test_text_can_not_disturb_what_stands_after_it(text: str, settled: str) -> None:
    assert settle(text) == settled
    assert settle(settled) == settled


@given(st.text(alphabet="ab\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00"))
def test_settled_text_is_balanced(text: str) -> None:
    settled = settle(text)
    assert settle(settled) == settled
    assert sum(settled.count(c) for c in "\u2066\u2067\u2068") == settled.count("\u2069")
    assert sum(settled.count(c) for c in "\u202a\u202b") == settled.count("\u202c")


def test_hidden_and_foreign_files_are_not_contents(tmp_path: Path) -> None:
    changes = {"content/.DS_Store": b"\x00", "content/notes.md": "x"}
    workspace = read_workspace(make_workspace(tmp_path, changes))
    assert [content.id for content in workspace.contents] == ["app", "summer", "welcome"]
    assert [p.path for p in workspace.warnings] == ["content/notes.md"]
