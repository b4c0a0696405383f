"""The site's pages: whole, escaped, and the same for all who ask."""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from edge.pages.plan import scan
from origin.demo.films import Film, film
from origin.demo.posters import MOTIFS, draw

VOID = {"meta", "link", "img", "input", "br"}
HOSTILE = (
    "</title><script>alert(1)</script>",
    '" onerror="alert(1)',
    "' autofocus onfocus='alert(1)",
    "{{ 7*7 }}",
    "<!-- --><template data-placement=hero>",
    "javascript:alert(1)",
    "&lt;b&gt; &amp;amp;",
)


class Page(HTMLParser):
    """Checks that tags balance, and collects what tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), tag
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize(
    ("path", "placements"),
    [
        ("/", ("hero", "recommended", "trending")),
        ("/film/1", ("because-you-watched", "trending")),
        ("/genre/sci-fi", ()),
        ("/genre/sci-fi?page=2", ()),
        ("/search?q=the", ()),
        ("/search", ()),
    ],
)
def test_pages_are_whole_and_marked(client: Any, path: str, placements: tuple[str, ...]) -> None:
    response = client.get(path)
    page = Page(response.text)
    assert response.status_code == 200
    assert "s-maxage=60" in response.headers["cache-control"]
    assert scan(response.content).placements == placements
    assert all("alt" in image for image in page.all("img"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert (
        len(page.all("h1"))
        == len(page.all("main"))
        == len(page.all("header"))
        == len(page.all("footer"))
        == 1
    )


def test_each_placement_has_a_default(client: Any) -> None:
    plan = scan(client.get("/").content)
    assert all(default.strip() for default in plan.defaults)


def test_the_front_page_is_of_a_usual_size(client: Any) -> None:
    assert 12_000 < len(client.get("/").content) < 25_000


def test_all_links_of_the_front_page_lead_somewhere(client: Any) -> None:
    page = Page(client.get("/").text)
    for link in {link["href"] for link in page.all("a")} | {image["src"] for image in page.all("img")}:
        assert link is not None
        if not link.startswith("#"):
            assert client.get(link).status_code == 200, link


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_titles_are_escaped_wherever_they_stand(title: str, make_client: Any) -> None:
    films = [film(str(number), title, 1999, ["Drama", title], title) for number in range(1, 4)]
    client = make_client(films)
    for path in ("/", "/film/1", f"/search?q={quote(title)}", "/genre/drama"):
        response = client.get(path)
        assert response.status_code == 200
        page = Page(response.text)
        assert len(page.all("script")) == 1
        assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
        assert all(link["href"] and link["href"][0] in "/#" for link in page.all("a"))
        assert "49" not in response.text
    drawing = ElementTree.fromstring(client.get("/poster/1.svg").text)
    assert not [
        e for e in drawing.iter() if e.tag.endswith("script") or any(a.startswith("on") for a in e.attrib)
    ]


@pytest.mark.parametrize("path", ["/film/0", "/film/nope", "/genre/nope", "/genre/sci-fi?page=0", "/nope"])
def test_what_is_not_there_is_a_page_too(client: Any, path: str) -> None:
    response = client.get(path)
    Page(response.text)
    assert (response.status_code, response.headers["cache-control"]) == (404, "no-store")


def test_search_ignores_case_and_accents(client: Any) -> None:
    assert "Škoda" in client.get("/search", params={"q": "skoda"}).text
    assert "No film has that" in client.get("/search", params={"q": "zzzz"}).text


@pytest.mark.parametrize("tier", ["full", "none"])
def test_a_choice_is_kept_and_leads_back(client: Any, tier: str) -> None:
    response = client.post(f"/consent?tier={tier}&back=/film/3")
    assert (response.status_code, response.headers["location"]) == (303, "/film/3")
    assert response.headers["set-cookie"].startswith(f"consent={tier};")
    assert "SameSite=lax" in response.headers["set-cookie"]


def test_a_choice_can_be_withdrawn(client: Any) -> None:
    assert 'consent="";' in client.get("/consent?tier=unset&back=/").headers["set-cookie"]


def test_an_unknown_choice_changes_nothing(client: Any) -> None:
    response = client.get("/consent?tier=everything")
    assert response.status_code == 400
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "\n//evil.example",
        "javascript:alert(1)",
        "///evil.example",
        "evil.example",
        "",
        "/%0d%0aset-cookie:x=1\r\nx: y",
    ],
)
def test_no_choice_leads_to_another_site(client: Any, back: str) -> None:
    response = client.get("/consent", params={"tier": "full", "back": back})
    assert response.headers["location"] == "/"


def test_the_page_is_the_same_whatever_was_chosen(client: Any) -> None:
    plain = client.get("/").content
    assert client.get("/", headers={"cookie": "consent=full"}).content == plain
    css = client.get("/consent.css", headers={"cookie": "consent=full"})
    assert "display:none" in css.text
    assert "no-store" in css.headers["cache-control"]
    assert client.get("/consent.css").text == ""


@pytest.mark.parametrize("genre", [*MOTIFS, "unheard-of"])
def test_posters_are_small_and_well_formed(genre: str) -> None:
    drawn = draw(Film("7", 'A "Very" <Long> & Winding Title of Ten Words', 1999, genre, genre, "", "", ""))
    assert "".join(ElementTree.fromstring(drawn).itertext()).startswith('A "Very"')
    assert len(drawn) < 4096
    assert "<Long>" not in drawn
