"""docs/bring-your-own.md names every model that is refused, and every file that is read."""

import re
from pathlib import Path

from edge.decide.inference import MAX_RUN_BYTES
from models.bring.files import MLFLOW, SUFFIXES
from models.bring.refusals import INSTEAD
from tests.hostile.models import HOSTILE

TEXT = (Path(__file__).parents[2] / "docs" / "bring-your-own.md").read_text(encoding="utf-8")


def test_hostile_models_are_those_that_are_tried() -> None:
    rows = TEXT.split("| kind | models |\n| --- | --- |\n")[1].split("\n\n")[0].splitlines()
    named = [name.strip() for row in rows for name in row.strip("| ").split("|")[1].split("·")]
    assert named == list(HOSTILE)
    assert len(named) >= 30


def test_files_are_those_that_are_read() -> None:
    named = re.findall(r"`(\.[a-z]+)`", TEXT.split("| ends in | is |")[1].split("\n\n")[0])
    assert named == [*SUFFIXES, MLFLOW]


def test_what_cannot_be_brought_is_in_the_table() -> None:
    table = TEXT.split("## What can't be brought")[1].split("\n\n")[1]
    named = set(re.findall(r"[A-Z]\w+", table))
    families = tuple(re.findall(r"`(\w+)\*`", table))
    missing = [n for n in INSTEAD if n not in named and not n.startswith(families) and "KMeans" not in n]
    assert missing == []


def test_bounds_are_those_of_the_code() -> None:
    assert f"{MAX_RUN_BYTES >> 20} MB fails alone" in TEXT
