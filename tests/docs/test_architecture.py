"""docs/architecture.md names what is there: files, rooms, and the arrows between them."""

import re
import tomllib
from pathlib import Path

import pytest

from edge.worker.turn import turn

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
INSIDE = {"edge": "edge", "worker": "edge/worker", "models": "models", "origin": "origin"}
SHELL = {"edge/cli", "edge/start", "origin/cli"}
"""Modules at the top, which are no rooms."""


def test_every_path_that_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:edge|compiler|models|origin|wrangler|loadtest|tests)/[\w./]*)`", PAGE))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def table(part: str) -> list[set[str]]:
    """The rooms of each row of a table, and modules that stand there as rooms do."""
    text = PAGE.partition(f"Inside the {part}")[2].partition("\n\nI")[0]
    rows = re.findall(r"^\| (`.*?) \|", text, re.M)
    return [{name.removesuffix("/") for name in re.findall(r"`([\w/]+?)(?:\.py)?`", row)} for row in rows]


@pytest.mark.parametrize("part", INSIDE)
def test_every_room_is_named(part: str) -> None:
    folder = ROOT / INSIDE[part]
    rooms = {f"{INSIDE[part]}/{path.parent.name}" for path in folder.glob("*/__init__.py")}
    assert rooms and rooms <= set().union(*table(part))


@pytest.mark.parametrize("part", INSIDE)
def test_the_rooms_stand_in_the_order_of_their_import_contract(part: str) -> None:
    package = INSIDE[part].replace("/", ".")
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layered = [one["layers"] for one in contracts if one["type"] == "layers"]
    (layers,) = [layers for layers in layered if layers[0].rpartition(".")[0] == package]
    kept = [{name.strip().replace(".", "/") for name in layer.split(":")} for layer in reversed(layers)]
    assert table(part) == [layer for layer in kept if not layer & SHELL]


def test_the_bounds_of_a_turn_are_those_of_the_code() -> None:
    assert f"up to {turn.MAX_BATCH}. With {turn.MAX_WAITING} waiting" in PAGE
