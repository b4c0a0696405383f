"""docs/architecture.md names what is there: files, rooms, and the arrows between them."""

import re
import tomllib
from pathlib import Path

import pytest

from edge.worker import turn

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
INSIDE = {part: PAGE.partition(f"Inside the {part}")[2].partition("\n\nI")[0] for part in ("edge", "origin")}
SHELL = {"cli", "start"}
"""Modules at the top, which are no rooms."""


def test_every_path_that_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:edge|compiler|models|origin|wrangler|loadtest|tests)/[\w./]*)`", PAGE))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("part", INSIDE)
def test_every_room_is_named(part: str) -> None:
    rooms = {path.parent.name for path in (ROOT / part).glob("*/__init__.py")}
    assert set(re.findall(rf"`{part}/(\w+)/`", INSIDE[part])) == rooms


@pytest.mark.parametrize("part", INSIDE)
def test_the_rooms_stand_in_the_order_of_their_import_contract(part: str) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [one["layers"] for one in contracts if one["type"] == "layers" and part in one["layers"][0]]
    rows = re.findall(rf"^\| (`{part}/.*?) \|", INSIDE[part], re.M)
    drawn = [
        {name.removesuffix("/") for name in re.findall(rf"`{part}/([\w/]+?)(?:\.py)?`", row)} for row in rows
    ]
    kept = [
        {name.strip().removeprefix(f"{part}.") for name in layer.split(":")} for layer in reversed(layers)
    ]
    assert drawn == [layer for layer in kept if not layer & SHELL]


def test_the_bounds_of_a_turn_are_those_of_the_code() -> None:
    assert f"up to {turn.MAX_BATCH}. With {turn.MAX_WAITING} waiting" in PAGE
