"""Which columns are titles and topics: what is wrong is told, and topics are cut where it is said."""

from pathlib import Path

import pytest

from compiler.problems import WorkspaceError
from compiler.workspace import read_workspace
from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from tests.workspaces.make import FILES, SITE, make_bundle, make_workspace

PATH = 'items: {path: "/film/{item}"'


def _site(keys: str) -> str:
    return FILES["site.yaml"].replace(PATH, f"{PATH}, {keys}")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("title: titel", "site.yaml:6: error [unknown-name] items has an unknown column 'titel' as 'title'"),
        (
            "topics: genres",
            "site.yaml:6: error [unknown-name] items has an unknown column 'genres' as 'topics'",
        ),
        ("topics: [genre]", "site.yaml:6: error [wrong-type] items has a list as 'topics'"),
        ("topics: story", "site.yaml:6: error [too-large] items has a topic of 70 bytes"),
        ("topic: genre", "site.yaml:6: error [unknown-key] items has an unknown key 'topic'"),
    ],
)
def test_what_can_not_be_is_told(tmp_path: Path, keys: str, said: str) -> None:
    catalog = FILES["catalogs/films.csv"].replace("\n", f",{'x' * 70}\n").replace("x" * 70, "story", 1)
    with pytest.raises(WorkspaceError) as caught:
        read_workspace(make_workspace(tmp_path, {"site.yaml": _site(keys), "catalogs/films.csv": catalog}))
    assert said in str(caught.value)


def test_topics_are_cut_at_commas_and_bars(tmp_path: Path) -> None:
    catalog = FILES["catalogs/films.csv"].replace("horror", '" horror, space|;crime,horror"')
    changes = {"site.yaml": _site("topics: genre"), "catalogs/films.csv": catalog}
    engine = Engine.load(open_bundle(make_bundle(tmp_path, changes), SITE))
    assert engine.about.topics("alien") == ["crime", "horror", "space"]
    assert engine.about.topics("heat") == ["crime"]
    assert engine.about.title("alien") == "alien"


def test_a_catalog_without_titles_has_no_such_part(tmp_path: Path) -> None:
    assert not open_bundle(make_bundle(tmp_path), SITE).artifacts("catalog", "about")
