"""Interactions whose best lists are obvious."""

from dataclasses import replace

import numpy as np
import pytest

from models.data.interactions import Interactions, from_rows, sort_items
from tests.models.png import write_png

GROUPS = 4
GROUP_ITEMS = 8


@pytest.fixture(scope="session")
def tastes(tmp_path_factory: pytest.TempPathFactory) -> Interactions:
    """Four groups of people, each of whom likes six of the eight items of their group."""
    draw = np.random.default_rng(7)
    items = sort_items(f"g{group}-{n}" for group in range(GROUPS) for n in range(GROUP_ITEMS))
    rows = [
        (f"user{user}", f"g{user % GROUPS}-{n}", 1_700_000_000 + 60 * user + order, 1.0)
        for user in range(80)
        for order, n in enumerate(draw.permutation(GROUP_ITEMS)[:6].tolist())
    ]
    folder = tmp_path_factory.mktemp("tastes")
    for item in items:
        colour = [(70 * int(item[1])) % 256, 90, 30 * int(item[3:])]
        write_png(folder / f"pictures/{item}.png", np.tile(np.array(colour, np.uint8), (6, 5, 1)))
    titles = tuple(f"Taste {item[1]} number {item[3:]}" for item in items)
    pictures = tuple(f"{item}.png" for item in items)
    return replace(from_rows(rows, items), item_columns={"title": titles, "image": pictures}, folder=folder)
