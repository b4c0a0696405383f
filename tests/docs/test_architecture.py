"""docs/architecture.md names what is there: files, the rooms of the edge, and the arrows between them."""

import re
import tomllib
from pathlib import Path

from edge.worker import turn

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
INSIDE = PAGE.partition("Inside the edge")[2].partition("## ")[0]


def test_every_path_that_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:edge|compiler|models|origin|wrangler|loadtest|tests)/[\w./]*)`", PAGE))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_room_of_the_edge_is_named() -> None:
    rooms = {path.parent.name for path in (ROOT / "edge").glob("*/__init__.py")}
    assert set(re.findall(r"`edge/(\w+)/`", INSIDE)) == rooms


def test_the_rooms_stand_in_the_order_of_their_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    rows = re.findall(r"^\| (`edge/.*?) \|", INSIDE, re.M)
    drawn = [
        {name.removesuffix("/") for name in re.findall(r"`edge/([\w/]+?)(?:\.py)?`", row)} for row in rows
    ]
    kept = [{name.strip().removeprefix("edge.") for name in layer.split(":")} for layer in reversed(layers)]
    assert drawn == [layer for layer in kept if not layer & {"cli", "start"}]


def test_the_bounds_of_a_turn_are_those_of_the_code() -> None:
    assert f"up to {turn.MAX_BATCH}. With {turn.MAX_WAITING} waiting" in PAGE
