"""The demo's workspace compiles without a warning, and its cards are those of the site."""

from pathlib import Path

from compiler.catalog.manifest import draft_catalog
from compiler.problems import Problems
from compiler.workspace import read_workspace
from edge.bundle.arrays import unpack
from edge.bundle.strings import Strings
from origin.demo.film_site import _templates
from origin.demo.workspace_files import lay_down


def test_the_workspace_has_no_problem(tmp_path: Path) -> None:
    laid = lay_down(tmp_path / "workspace", None)
    workspace = read_workspace(laid.folder)
    assert workspace.warnings == ()
    assert [model.name for model in workspace.models] == ["also-viewed", "ease", "popularity"]
    assert "generated" in laid.source


def test_laying_down_again_leaves_nothing_old(tmp_path: Path) -> None:
    lay_down(tmp_path, None)
    (tmp_path / ".trained").mkdir()
    lay_down(tmp_path, None)
    assert not (tmp_path / ".trained").exists()


def test_cards_of_the_bundle_are_those_of_the_site(tmp_path: Path) -> None:
    laid = lay_down(tmp_path, None)
    draft = draft_catalog(read_workspace(tmp_path), Problems())
    artifacts = {
        artifact.kind: draft.bodies[artifact.sha256] for artifact in draft.manifest("films").artifacts
    }
    ids, bodies = Strings(unpack(artifacts["items"]), "ids"), Strings(unpack(artifacts["cards"]), "bodies")
    card = _templates().get_template("parts.html").module.card
    for film in laid.films:
        compiled = bodies[ids.find(film.id.encode())].decode()
        assert _alike(compiled) == _alike(str(card(film)))


def _alike(card: str) -> list[str]:
    """Tags without the order of their attributes, which the sanitizer may change, and texts."""
    unquoted = card.replace("&#34;", '"').replace("&#39;", "'").replace("&quot;", '"')
    return sorted(unquoted.replace("<", " <").replace(">", " ").split())
