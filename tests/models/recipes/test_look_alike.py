"""Look-alikes: what has the picture's colours and edges comes first, and wrong catalogs are named."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from edge.errors import GivenError
from models import recipe
from models.content.picture_embeddings import embed_drawing, embed_picture, shrink
from models.data.interactions import Interactions, from_rows
from tests.models.png import write_png

KINDS = ("bars", "lines", "discs")
CIRCLE = '<svg><circle cx="1" cy="2" r="3" fill="#aa2010"/><circle cx="9" cy="2" r="3" fill="#cc3020"/></svg>'
PATH = '<svg><path d="M0 0L9 9z" fill="hsl(220 60% 40%)"/></svg>'


def _drawn(kind: str, draw: np.random.Generator) -> np.ndarray:
    at = np.arange(40)
    shift = draw.integers(0, 8)
    picture = np.full((40, 40, 3), 200.0)
    if kind == "bars":
        picture[:, (at + shift) % 8 < 4] = 30
    elif kind == "lines":
        picture[(at + shift) % 8 < 4] = 30
    else:
        picture[np.hypot(at[:, np.newaxis] - 16 - shift, at - 20) < 9] = 30
    return np.clip(picture + draw.normal(size=picture.shape) * 20, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Interactions:
    folder = tmp_path_factory.mktemp("gallery")
    draw = np.random.default_rng(2)
    items = tuple(sorted(f"{kind}{n}" for kind in KINDS for n in range(6)))
    for item in items:
        write_png(folder / f"pictures/{item}.png", _drawn(item[:-1], draw))
    columns = {"image": tuple(f"/{item}.png" for item in items)}
    return replace(from_rows([("u", items[0], 1, 1.0)], items), item_columns=columns, folder=folder)


def test_the_nearest_pictures_are_of_the_same_kind(gallery: Interactions) -> None:
    model = recipe.train("a", "look-alike", gallery, {})
    right = []
    for place, item in enumerate(model.items):
        scores = model.score(np.array([[place]], np.int32), np.ones((1, 1), np.float32))[0]
        best = [model.items[other] for other in np.argsort(-scores, kind="stable")[:5]]
        right += [name[:-1] == item[:-1] for name in best]
    assert np.mean(right) > 0.9  # 0.29 by chance


def test_only_the_newest_item_counts(gallery: Interactions) -> None:
    model = recipe.train("a", "look-alike", gallery, {})
    one, two = np.array([[3]], np.int32), np.array([[3, 9]], np.int32)
    scores = model.score(two, np.ones((1, 2), np.float32))
    assert np.array_equal(model.score(one, np.ones((1, 1), np.float32)), scores)


def test_an_item_without_a_picture_is_never_listed(gallery: Interactions) -> None:
    images = ("", *gallery.item_columns["image"][1:])
    model = recipe.train("a", "look-alike", replace(gallery, item_columns={"image": images}), {})
    for place in range(len(model.items)):
        assert model.score(np.array([[place]], np.int32), np.ones((1, 1), np.float32))[0, 0] == -np.inf


def test_other_pictures_are_other_data(gallery: Interactions, tmp_path: Path) -> None:
    card = recipe.train("a", "look-alike", gallery, {}).card
    for image in gallery.item_columns["image"]:
        write_png(tmp_path / f"pictures{image}", np.full((4, 4, 3), len(image), np.uint8))
    other = recipe.train("a", "look-alike", replace(gallery, folder=tmp_path), {})
    assert other.card["pictures"] != card["pictures"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"imag": "a.png"}, "no column 'image' of pictures; did you mean 'imag'"),
        ({"image": "none.png"}, "item 'a': there is no picture 'none.png'"),
        ({"image": "../secret.png"}, "item 'a': there is no picture '../secret.png'"),
    ],
)
def test_wrong_catalogs_are_named(tmp_path: Path, columns: dict[str, str], said: str) -> None:
    write_png(tmp_path / "secret.png", np.zeros((2, 2, 3), np.uint8))
    lone = from_rows([("u", "a", 1, 1.0)], ("a",))
    told = {name: (text,) for name, text in columns.items()}
    with pytest.raises(GivenError, match=said):
        recipe.train("a", "look-alike", replace(lone, item_columns=told, folder=tmp_path), {})


def test_drawings_are_compared_by_what_they_are_drawn_with() -> None:
    red, blue = embed_drawing(CIRCLE), embed_drawing(PATH)
    again = embed_drawing(CIRCLE.replace('r="3"', 'r="4"'))
    assert red @ again > red @ blue + 0.5
    assert not embed_drawing("no drawing at all").any()


def test_pictures_of_any_size_have_the_same_number_of_parts() -> None:
    sizes = [(1, 1, 3), (8, 300, 3), (33, 31, 3)]
    rows = [embed_picture(np.full(size, 0.5, np.float32)) for size in sizes]
    assert {row.shape for row in rows} == {rows[0].shape}
    assert all(np.isfinite(row).all() for row in rows)
    assert np.allclose(shrink(np.full((50, 70, 3), 0.25, np.float32), 8), 0.25)


def test_a_network_looks_at_pictures_as_well(efficientnet: ModuleType, gallery: Interactions) -> None:
    few = [place for place in range(len(gallery.item_ids)) if place % 3 == 0]
    items = tuple(gallery.item_ids[place] for place in few)
    columns = {"image": tuple(gallery.item_columns["image"][place] for place in few)}
    fewer = replace(from_rows([("u", items[0], 1, 1.0)], items), item_columns=columns, folder=gallery.folder)
    model = recipe.train("a", "look-alike", fewer, {"seen_by": "network", "factors": 4})
    for place, item in enumerate(items):
        scores = model.score(np.array([[place]], np.int32), np.ones((1, 1), np.float32))[0]
        assert items[int(np.argmax(scores))][:-1] == item[:-1]


def test_no_network_sees_drawings(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/a.svg").write_text(CIRCLE)
    lone = replace(
        from_rows([("u", "a", 1, 1.0)], ("a",)), item_columns={"image": ("a.svg",)}, folder=tmp_path
    )
    with pytest.raises(GivenError, match=r"a\.svg: is a drawing, which no network sees"):
        recipe.train("a", "look-alike", lone, {"seen_by": "network"})
