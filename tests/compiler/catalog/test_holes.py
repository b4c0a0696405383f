"""Holes of contents: where they may stand, what they become, and what no value can make of them."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.catalog.content import read_contents
from compiler.problems import Problem, Problems, WorkspaceError
from compiler.types import Content
from edge.decide.holes import MAX_VALUE_CHARS, fill
from edge.decide.types import Value

CITY = '{{ geo.city | default: "your city" }}'


def read(folder: Path, text: str, name: str = "a.html") -> tuple[Content | None, Problems]:
    (folder / "content").mkdir(exist_ok=True)
    (folder / "content" / name).write_text(text, encoding="utf-8")
    problems = Problems()
    contents = read_contents(folder, problems)
    return (contents[0] if contents else None), problems


def errors(problems: Problems) -> tuple[Problem, ...]:
    try:
        problems.raise_errors()
    except WorkspaceError as error:
        return tuple(problem for problem in error.problems if problem.severity == "error")
    return ()


def compiled(folder: Path, text: str, name: str = "a.html") -> Content:
    content, problems = read(folder, text, name)
    assert content is not None, list(map(str, errors(problems)))
    return content


def filled(folder: Path, text: str, value: Value | None, name: str = "a.html") -> str:
    content = compiled(folder, text, name)
    attributes = {} if value is None else {hole.attribute: value for hole in content.holes}
    return fill(content.body, content.holes, attributes).decode()


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        (f"<p>Films in {CITY}!</p>", "Graz", "<p>Films in Graz!</p>"),
        (f"<p>Films in {CITY}!</p>", None, "<p>Films in your city!</p>"),
        (f"<p>Films in {CITY}!</p>", "", "<p>Films in your city!</p>"),
        (f"<p>Films in {CITY}!</p>", " \x00\n ", "<p>Films in your city!</p>"),
        (f"<p>{CITY}</p>", "<b>&\"'", "<p>&lt;b&gt;&amp;&quot;&#x27;</p>"),
        (f"<p>{CITY}</p>", "a\nb\u202ec\x07", "<p>a bc</p>"),
        (f"<p>{CITY}</p>", "a\udcffb", "<p>ab</p>"),
        (f"<p>{CITY}</p>", "x" * 9999, f"<p>{'x' * MAX_VALUE_CHARS}</p>"),
        ("<p>{{a.b}}{{ a.b }}</p>", 3, "<p>33</p>"),
        ("<p>{{ a.b }}</p>", 2.5, "<p>2.5</p>"),
        ("<p>{{ a.b }}</p>", 1 / 3, "<p>0.33</p>"),
        ("<p>{{ a.b }}</p>", 4.0, "<p>4</p>"),
        ("<p>{{ a.b }}</p>", True, "<p>true</p>"),
        ("<p>{{ a.b }}</p>", None, "<p></p>"),
        ("<p>{{ a.b | upper }}</p>", "ärger", "<p>ÄRGER</p>"),
        ("<p>{{ a.b | lower }}</p>", "GRAZ", "<p>graz</p>"),
        ("<p>{{ a.b | capitalize }}</p>", "graz am See", "<p>Graz am See</p>"),
        ("<p>{{ a.b | truncate: 5 }}</p>", "Salzburg", "<p>Salz…</p>"),
        ('<p>{{ a.b | upper | truncate: 9 | default: "<x>" }}</p>', None, "<p>&lt;x&gt;</p>"),
        ('<p title="{{ a.b }}">x</p>', '"><script>', '<p title="&quot;&gt;&lt;script&gt;">x</p>'),
        ("<p title={{a.b}}>x</p>", "y z", '<p title="y z">x</p>'),
        ('<a href="/in/{{ a.b }}?q=1">x</a>', "../é/?#", '<a href="/in/..%2F%C3%A9%2F%3F%23?q=1">x</a>'),
        ('<a href="/in/{{ a.b }}/y">x</a>', "..", '<a href="/in//y">x</a>'),
        (
            '<a href="/{{ a.b | default: "en" }}/y">x</a>',
            "/evil.example",
            '<a href="/%2Fevil.example/y">x</a>',
        ),
        ('<a href="/{{ a.b | default: "en" }}/y">x</a>', ".", '<a href="/en/y">x</a>'),
        ('<a href="?q={{ a.b }}">x</a>', "a&b", '<a href="?q=a%26b">x</a>'),
        ('<img src="https://img.example/{{ a.b }}.jpg">', "é", '<img src="https://img.example/%C3%A9.jpg">'),
        ('<p>{{ "{{" }} x }}</p>', None, "<p>{{ x }}</p>"),
    ],
)
def test_what_a_hole_becomes(tmp_path: Path, text: str, value: Value | None, shown: str) -> None:
    assert filled(tmp_path, text, value) == shown


def test_a_plain_text_has_holes_too(tmp_path: Path) -> None:
    text = f"Films & more in {CITY}\n"
    assert filled(tmp_path, text, "<Graz>", "a.txt") == "Films &amp; more in &lt;Graz&gt;"
    assert filled(tmp_path, text, None, "a.txt") == "Films &amp; more in your city"


def test_a_content_without_holes_is_what_it_was(tmp_path: Path) -> None:
    content = compiled(tmp_path, "<p>nothing { } }} here</p>")
    assert (content.body, content.holes, content.asks) == (b"<p>nothing { } }} here</p>", (), ())


@pytest.mark.parametrize(
    "text",
    [
        "<script>{{ a.b }}</script>",
        "<style>{{ a.b }}</style>",
        "<!-- {{ a.b }} -->",
        '<p onclick="{{ a.b }}">x</p>',
        '<p style="color: {{ a.b }}">x</p>',
        "<{{ a.b }}>x</p>",
        "<p {{ a.b }}>x</p>",
        '<p {{ a.b }}="1">x</p>',
        '<p data-{{ a.b }}="1">x</p>',
        '<p data-item="{{ a.b }}">x</p>',
        '<p role="{{ a.b }}">x</p>',
        '<a rel="{{ a.b }}" href="/">x</a>',
        '<a target="{{ a.b }}" href="/">x</a>',
        '<img srcset="/a/{{ a.b }} 2x">',
        '<a href="{{ a.b }}">x</a>',
        '<a href="{{ a.b | default: "x" }}">x</a>',
        '<a href="/{{ a.b }}">x</a>',
        '<a href="//{{ a.b }}/x">x</a>',
        '<a href="/\\{{ a.b }}/x">x</a>',
        '<a href="https://{{ a.b }}/x">x</a>',
        '<a href="https://films.example{{ a.b }}/x">x</a>',
        '<a href="https://films.example:{{ a.b }}/x">x</a>',
        '<a href="https:{{ a.b }}/x">x</a>',
        '<a href="java{{ a.b }}">x</a>',
        '<a href="a{{ a.b }}">x</a>',
        '<a href="javascript:/x{{ a.b }}">x</a>',
        "<p>{{ a.b </p>",
        "<p>{{ }}</p>",
        "<p>{{ 7 }}</p>",
        "<p>{{ a.b c }}</p>",
        "<p>{{ a.b | }}</p>",
        "<p>{{ a.b | safe }}</p>",
        "<p>{{ a.b | default }}</p>",
        "<p>{{ a.b | default: x }}</p>",
        "<p>{{ a.b | truncate: 0 }}</p>",
        "<p>{{ a.b | upper: 3 }}</p>",
        '<a href="/&#9;/{{ a.b }}">x</a>',
        '<a href="/&#92;{{ a.b }}">x</a>',
        "<p>{{ a.b() }}</p>",
        "<p>{{{ a.b }}}</p>",
        "<p>{{ a{{ b }} }}</p>",
        "<p>{{ '}}' }}</p>",
    ],
)
def test_where_a_hole_must_not_stand_it_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    _, problems = read(tmp_path, "<p>one</p>\n\n" + text)
    assert (3, "hole") in [(problem.line, problem.code) for problem in errors(problems)]


class Seen(HTMLParser):
    """Tags with their attributes, and the text between."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_data(self, data: str) -> None:
        self.text += data


EVERYWHERE = (
    '<p title="{{ a.b }}">1{{ a.b }}2</p><a href="/in/{{ a.b }}">3</a>'
    '<a href="https://films.example/?q={{ a.b }}#{{ a.b }}">4</a><a href="/{{ a.b | default: "x" }}/y">5</a>'
)
SIGNS = st.sampled_from(
    (
        *"<>\"'&/\\:.@`= \n\t\u202e\x00é",
        "javascript:",
        "//",
        "..",
        "<!--",
        "{{",
        "%2e",
        "&lt;",
        "evil.example",
        "</p>",
    )
)


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> Content:
    return compiled(tmp_path_factory.mktemp("everywhere"), EVERYWHERE)


@settings(max_examples=400, deadline=None)
@given(st.lists(SIGNS | st.text(max_size=3), max_size=8).map("".join))
def test_no_value_is_anything_but_text(everywhere: Content, value: str) -> None:
    plain = Seen(everywhere.body.decode())
    seen = Seen(fill(everywhere.body, everywhere.holes, {"a.b": value}).decode())
    assert [(tag, [name for name, _ in attrs]) for tag, attrs in seen.tags] == [
        (tag, [name for name, _ in attrs]) for tag, attrs in plain.tags
    ]
    shown = seen.tags[0][1][0][1] or ""
    assert seen.text == f"1{shown}2345"
    urls = [
        urlsplit(urljoin("https://films.example/a/b", attrs[0][1] or ""))
        for tag, attrs in seen.tags
        if tag == "a"
    ]
    assert {(url.scheme, url.netloc) for url in urls} == {("https", "films.example")}
    if shown not in ("", ".", ".."):
        assert unquote(urls[0].path.removeprefix("/in/")) == shown
        assert unquote(urls[1].query) == "q=" + shown
        assert unquote(urls[1].fragment) == shown


@given(st.text(st.sampled_from('{}"|: ab.default<p>\n'), max_size=30))
def test_no_text_is_more_than_a_problem(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    content, problems = read(tmp_path_factory.mktemp("any"), f"<p>x{text}</p>")
    assert content is not None or errors(problems)
