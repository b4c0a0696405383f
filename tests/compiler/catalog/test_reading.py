"""Catalogs and cards."""

import time
from pathlib import Path

import pytest

from compiler.catalog.reading import render_cards
from compiler.problems import Problems, WorkspaceError
from compiler.types import Card, Catalog, Item
from compiler.workspace import read_workspace
from tests.compiler.catalog.test_content import HOSTILE, assert_inert
from tests.workspaces.make import make_workspace


def _catalog(*values: dict[str, str]) -> Catalog:
    items = tuple(Item(f"i{n:06}", {"id": f"i{n:06}", **v}, n + 2) for n, v in enumerate(values))
    return Catalog("catalogs/x.csv", ("id", *values[0]), items)


def _render(source: str, *values: dict[str, str]) -> list[str]:
    problems = Problems()
    bodies = render_cards(Card("card", source, "catalogs/cards/card.html"), _catalog(*values), problems)
    problems.raise_errors()
    return [body.decode() for body in bodies]


def test_items_are_sorted_by_the_bytes_of_their_ids(tmp_path: Path) -> None:
    csv = "title,id,genre\n" + "".join(
        f"T,{id_},g\n" for id_ in ("b", "é", "a", "Z", "10", "9", "😀", "\uff5e")
    )
    changes = {"catalogs/films.csv": "\ufeff" + csv.replace("\n", "\r\n")}
    workspace = read_workspace(make_workspace(tmp_path, changes))
    ids = [item.id for item in workspace.catalog.items]
    assert ids == ["10", "9", "Z", "a", "b", "é", "\uff5e", "😀"]
    assert workspace.catalog.columns == ("title", "id", "genre")


def test_fields_hold_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    csv = 'id,title,genre\n\na,"Dune, ""Part"" One\nand more",x\n\nb,line\u2028separator\x0b,y\n'
    workspace = read_workspace(make_workspace(tmp_path, {"catalogs/films.csv": csv}))
    a, b = workspace.catalog.items
    assert (a.values["title"], a.line) == ('Dune, "Part" One\nand more', 3)
    assert (b.values["title"], b.line) == ("line\u2028separator\x0b", 6)
    assert [(p.line, p.code) for p in workspace.warnings] == [(6, "replaced-text")]


CARD = (
    '<a class="card" href="{{ link }}" title="{{ title }}" data-item="{{ id }}"><b>{{ title }}</b>'
    "<i title={{ title }}>{{ title }}</i><img src='{{ link }}' alt='{{ title }}'></a>"
)


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_values_come_out_inert(title: str) -> None:
    title = title[:1000]
    (body,) = _render(CARD, {"title": title, "link": title})
    assert_inert(body)
    assert body.count("<b>") <= 1
    assert "<script" not in body.lower()


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "JaVaScRiPt:alert(1)", " data:text/html,x", "java\tscript:x"]
)
def test_a_link_from_the_catalog_can_not_run(link: str) -> None:
    (body,) = _render('<a href="{{ link }}">x</a>', {"link": link})
    assert body == "<a>x</a>"


def test_values_are_escaped_even_where_a_card_asks_for_raw() -> None:
    (body,) = _render("<p>{{ title|safe }}</p>", {"title": "<b>ok</b><script>x</script>"})
    assert body == "<p><b>ok</b></p>"


def test_a_card_reads_columns_that_are_no_names() -> None:
    (body,) = _render("<p>{{ item['release year'] }}</p>", {"release year": "1979"})
    assert body == "<p>1979</p>"


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("<p>\n{{ item.titel }}", 2),
        ("{{ title|int / 0 }}", 1),
        ("\n\n{{ title.__class__.__mro__ }}", 3),
        ("{% include 'other.html' %}", 1),
        ("{{ title.upper(1) }}", 1),
    ],
)
def test_a_card_that_fails_for_an_item_is_a_problem(source: str, line: int) -> None:
    with pytest.raises(WorkspaceError) as caught:
        _render(source, {"title": "x"}, {"title": "y"})
    first = caught.value.problems[0]
    assert (first.path, first.line, first.code) == ("catalogs/cards/card.html", line, "template")
    assert "i000000" in first.message


@pytest.mark.parametrize("source", ["{{ [1,2]|random }}", "{{ lipsum() }}", "{{ range(9) }}"])
def test_cards_have_nothing_random_or_endless(source: str, tmp_path: Path) -> None:
    changes = {"catalogs/cards/film.html": source}
    with pytest.raises(WorkspaceError, match="template"):
        read_workspace(make_workspace(tmp_path, changes))


def test_what_is_taken_out_of_items_is_told_once() -> None:
    problems = Problems()
    card = Card("card", '<a href="{{ link }}" id="x">x</a>', "catalogs/cards/card.html")
    render_cards(
        card, _catalog({"link": "/ok"}, {"link": "javascript:x"}, {"link": "javascript:y"}), problems
    )
    assert [p.message for p in problems.warnings] == [
        "href='javascript:' of <a> was taken out of 2 items, as of 'i000001'",
        "id of <a> was taken out of 3 items, as of 'i000000'",
    ]


def test_ten_thousand_items_render_in_seconds() -> None:
    values = [{"title": f"Title <{n}> & co", "link": f"/film/{n}"} for n in range(10_000)]
    begin = time.process_time()
    bodies = _render(CARD, *values)
    assert time.process_time() - begin < 8
    assert len(bodies) == 10_000
    assert "Title &lt;7&gt; &amp; co" in bodies[7]
