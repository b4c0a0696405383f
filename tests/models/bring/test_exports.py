"""What other libraries learned of items becomes a recommender that lists as they do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender

from edge.errors import GivenError
from models import recipe
from models.data.histories import padded
from models.data.interactions import Interactions, from_rows, sort_items
from models.data.movielens import read_interactions
from models.graphs.blocked import FEWEST, with_blocks
from models.learn.cooccurrence import use_matrix
from models.learn.fold_in import one_thread
from models.trained import Trained
from tests.models.bring.test_scorers import run

ROWS = [[0], [5, 1, 2], [31, 30, 29, 28, 0, 7, 9]]


def _bring(tastes: Interactions, model: str, **more: Any) -> Trained:
    return recipe.train("mine", "brought", tastes, {"model": model, **more})


def _name_items(tastes: Interactions, name: str = "ids.txt", ids: Any = None) -> str:
    (tastes.folder / name).write_text("\n".join(tastes.item_ids if ids is None else ids) + "\n")
    return name


@pytest.fixture(scope="module")
def together(tastes: Interactions) -> scipy.sparse.csr_array:
    """How often items were viewed by the same; with each item itself, as libraries leave it."""
    used = use_matrix(tastes, len(tastes.item_ids))
    return scipy.sparse.csr_array(used.T @ used) / 7.0


def _sums(matrix: scipy.sparse.csr_array, row: list[int]) -> Any:
    without = matrix.toarray()
    np.fill_diagonal(without, 0)
    scores = without[row].sum(axis=0)
    return np.where(scores > 0, scores, -np.inf)


@pytest.mark.parametrize("save", ["csr", "csc", "coo", "dense", "csv"])
def test_how_alike_items_are(tastes: Interactions, together: scipy.sparse.csr_array, save: str) -> None:
    items: dict[str, Any] = {"items": _name_items(tastes)}
    if save == "dense":
        np.save(tastes.folder / "m.npy", together.toarray().astype(np.float32))
        name = "m.npy"
    elif save == "csv":
        found, name, items = together.tocoo(), "m.csv", {}
        pairs = zip(found.row.tolist(), found.col.tolist(), found.data.tolist(), strict=True)
        lines = [f"{tastes.item_ids[one]},{tastes.item_ids[other]},{score!r}" for one, other, score in pairs]
        (tastes.folder / name).write_text("item,other,score\n" + "\n".join(lines) + "\n")
    else:
        name = "m.npz"
        scipy.sparse.save_npz(tastes.folder / name, together.asformat(save))
    model = _bring(tastes, name, **items)
    for row, scores in zip(ROWS, run(model, ROWS), strict=True):
        assert np.allclose(scores, _sums(together, row), atol=1e-3)
    assert np.array_equal(run(model, ROWS), model.score(*_padded(ROWS)))
    assert model.card["parity"]["overlap"] == 1.0
    assert model.card["source"] == "item-item matrix"


def _padded(rows: list[list[int]]) -> Any:
    return padded(rows, 32)


def test_the_strongest_neighbours_are_kept(tastes: Interactions, together: scipy.sparse.csr_array) -> None:
    scipy.sparse.save_npz(tastes.folder / "m.npz", together)
    model = _bring(tastes, "m.npz", items=_name_items(tastes), neighbours=3)
    assert model.arrays["neighbour"].shape == (33, 3)
    listed = np.flatnonzero(np.isfinite(run(model, [[0]])[0]))
    row = together.toarray()[0]
    row[0] = 0
    assert set(listed) <= set(np.argsort(-row, kind="stable")[:8])
    assert "pairs left out: `neighbours` is 3" in model.card["left_out"]


def _vectors(tastes: Interactions, count: int = 8) -> dict[str, Any]:
    used = use_matrix(tastes, len(tastes.item_ids))
    users, sizes, items = np.linalg.svd(used.toarray(), full_matrices=False)
    return {
        "into": items[:count].T, "out": items[:count].T * 2.0, "items": np.array(tastes.item_ids),
        "users": users[:, :count] * sizes[:count], "user_ids": np.array(tastes.user_ids),
    }  # fmt: skip


@pytest.mark.parametrize("bias", [False, True])
def test_vectors_of_items(tastes: Interactions, bias: bool) -> None:
    found = _vectors(tastes)
    more = {"bias": np.arange(32) / 1000} if bias else {}
    np.savez(tastes.folder / "v.npz", into=found["into"], out=found["out"], items=found["items"], **more)
    model = _bring(tastes, "v.npz")
    for row, scores in zip(ROWS, run(model, ROWS), strict=True):
        wanted = found["out"] @ found["into"][row].sum(axis=0) + more.get("bias", 0)
        assert np.abs(scores - wanted).max() < 5e-3 * np.abs(wanted).max()
    assert np.array_equal(run(model, ROWS), model.score(*_padded(ROWS)))
    nothing = run(model, [[]])[0]
    assert np.array_equal(nothing, more["bias"].astype(np.float32)) if bias else (nothing == -np.inf).all()


def test_items_without_vectors_are_not_listed(tastes: Interactions) -> None:
    ids, table = list(tastes.item_ids[2:]), _vectors(tastes)["out"][2:]
    np.save(tastes.folder / "v.npy", table)
    model = _bring(tastes, "v.npy", items=_name_items(tastes, "fewer.txt", ids), storage="int8")
    assert np.flatnonzero(run(model, [[5]])[0] == -np.inf).tolist() == [0, 1]
    assert (run(model, [[0]])[0] == -np.inf).all()  # nothing is known of who viewed only that
    assert model.card["aligned"]["missing"] == 2


def test_vectors_of_users_say_what_a_view_adds(tastes: Interactions) -> None:
    found = _vectors(tastes)
    del found["into"]
    np.savez(tastes.folder / "u.npz", **found)
    model = _bring(tastes, "u.npz", caution=1)
    assert model.card["users"] > 0.9
    best = np.argsort(-run(model, [[0, 1, 2]])[0], kind="stable")[:8]
    assert {tastes.item_ids[place][:2] for place in best} == {"g0"}
    strangers = {**found, "user_ids": np.array([f"other{n}" for n in range(len(found["user_ids"]))])}
    np.savez(tastes.folder / "u.npz", **strangers)
    with pytest.raises(GivenError, match="none of the users"):
        _bring(tastes, "u.npz")


def test_many_items_are_listed_from_blocks(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    ids = sort_items(f"item{place}" for place in range(FEWEST))
    kinds = draw.normal(size=(50, 8))
    np.save(tmp_path / "v.npy", kinds[draw.integers(0, 50, FEWEST)] + 0.1 * draw.normal(size=(FEWEST, 8)))
    viewed = draw.integers(0, FEWEST, 400).tolist()
    rows = [(f"u{turn % 40}", ids[place], turn, 1.0) for turn, place in enumerate(viewed)]
    views = replace(from_rows(rows, ids), folder=tmp_path)
    model = with_blocks(_bring(views, "v.npy", items=_name_items(views)))
    assert model.card["shortlist"]["recall50"] >= 0.95
    assert model.shortlist
    recipe.save(model, tmp_path / "kept")
    asked = padded([[5, 7]], FEWEST)
    assert np.array_equal(recipe.load(tmp_path / "kept").score(*asked), model.score(*asked))


def _write(suffix: str, save: Callable[[Path], Any]) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        save(folder / f"bad{suffix}")
        return f"bad{suffix}"

    return write


def _text(body: str) -> Callable[[Path], str]:
    return _write(".csv", lambda path: path.write_text(body))


def _npz(**arrays: Any) -> Callable[[Path], str]:
    return _write(".npz", lambda path: np.savez(path, **arrays))


def _npy(array: Any) -> Callable[[Path], str]:
    return _write(".npy", lambda path: np.save(path, array))


def _lying(path: Path) -> None:
    """A header of a terabyte."""
    np.save(path, np.zeros(4))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"(4,), ", b"(137438953472,),")[:128] + data[128:])


TABLE = np.ones((32, 4))
SPARSE = {"format": np.array(b"csr"), "shape": np.array([32, 32]), "data": np.ones(1)}
BAD: dict[str, tuple[Callable[[Path], str], str]] = {
    "no pair": (_text("item,other,score\n"), "has no pair of items"),
    "no column": (_text("item,score\na,1\n"), "bad.csv:1: no column other"),
    "a word": (_text("item,other,score\ng0-0,g0-1,much\n"), "bad.csv:2: score 'much' is no number"),
    "NaN in text": (_text("item,other,score\ng0-0,g0-1,nan\n"), "bad.csv:2: score 'nan' is not finite"),
    "a pair twice": (
        _text("item,other,score\ng0-0,g0-1,1\ng0-0,g0-1,2\n"),
        "bad.csv:3: 'g0-0' and 'g0-1' are there again, as in line 2",
    ),
    "strangers": (_text("item,other,score\na,b,1\n"), "the catalog has none of them"),
    "no archive": (_write(".npz", lambda path: path.write_bytes(b"PK\3\4no")), "np.savez"),
    "objects": (_npz(out=np.array([{}] * 32)), "Python objects"),
    "no vectors": (_npz(vectors=TABLE), r"lacks `out` \(it has: vectors\)"),
    "NaN": (_npz(out=np.where(np.eye(32)[:, :4] > 0, np.nan, 1)), r"holds nan at \(0, 0\)"),
    "texts": (_npz(out=np.full((32, 4), "1")), "which are no numbers"),
    "huge numbers": (_npz(out=TABLE * 1e35), "scale it down"),
    "two shapes": (_npz(out=TABLE, into=np.ones((32, 5))), "both need one shape"),
    "a short bias": (_npz(out=TABLE, bias=np.ones(3)), "a number an item"),
    "one dimension": (_npy(np.ones(32)), "a row an item, a column a factor"),
    "too few rows": (_npy(np.ones((31, 4))), "there are 32 items"),
    "too many factors": (_npy(np.ones((32, 1025))), "at most 1,024"),
    "a lying header": (_write(".npy", _lying), "more than there is|can't be read as an array"),
    "noise": (_write(".npy", lambda path: path.write_bytes(b"noise" * 9)), "can't be read as an array"),
    "another shape": (_npz(**SPARSE | {"shape": np.array([9, 9])}), r"has the shape \(9, 9\)"),
    "another form": (_npz(**SPARSE | {"format": np.array(b"bsr")}), "form 'bsr'"),
    "no indices": (_npz(**SPARSE), "lacks indices, indptr"),
    "indices past the end": (
        _npz(**SPARSE, indices=np.array([999]), indptr=np.array([0] + [1] * 32)),
        "is no matrix",
    ),
    "rows past the end": (
        _npz(**SPARSE, indices=np.array([1]), indptr=np.array([0] + [77] * 32)),
        "is no matrix",
    ),
    "users without ids": (_npz(out=TABLE, users=np.ones((2, 4))), "`user_ids`|ids are a list"),
    "an unknown ending": (_write(".h5", lambda path: path.write_bytes(b"")), "known are .onnx"),
    "no file": (lambda folder: "none.npy", "none.npy is not there"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_odd_is_refused_by_name(tastes: Interactions, name: str) -> None:
    write, said = BAD[name]
    model = write(tastes.folder)
    items = {} if model.endswith(".csv") else {"items": _name_items(tastes)}
    with pytest.raises(GivenError, match=said):
        _bring(tastes, model, **items)


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("i.txt", "g0-0\n\ng0-1\n", "has nothing as item 2"),
        ("i.txt", "", "names no item"),
        ("i.csv", "name\ng0-0\n", "no column item or id"),
        ("i.json", "{}", "no list of ids"),
        ("i.yaml", "", "items are read from .txt"),
        ("none.txt", None, "No such file"),
    ],
)
def test_items_that_can_not_be_read(tastes: Interactions, name: str, body: str | None, said: str) -> None:
    np.save(tastes.folder / "t.npy", TABLE)
    if body is not None:
        (tastes.folder / name).write_text(body)
    with pytest.raises(GivenError, match=said):
        _bring(tastes, "t.npy", items=name)


@pytest.mark.parametrize("name", ["i.csv", "i.json", "i.npy"])
def test_files_that_name_items(tastes: Interactions, name: str) -> None:
    path, ids = tastes.folder / name, list(tastes.item_ids)
    if name.endswith(".npy"):
        np.save(path, np.array(ids))
    else:
        path.write_text(
            "id,n\n" + "".join(f"{item},1\n" for item in ids)
            if name == "i.csv"
            else str(ids).replace("'", '"')
        )
    np.save(tastes.folder / "t.npy", _vectors(tastes)["out"])
    assert _bring(tastes, "t.npy", items=name).card["aligned"]["known"] == 32


def test_nothing_is_guessed(tastes: Interactions) -> None:
    np.save(tastes.folder / "t.npy", TABLE)
    for settings, said in (
        ({}, "`model` names no file"),
        ({"model": "t.npy"}, "says nothing of its items"),
    ):
        with pytest.raises(GivenError, match=said):
            recipe.train("mine", "brought", tastes, settings)


@pytest.mark.filterwarnings("ignore:Method expects CSR input")
def test_exports_of_real_views(data_dir: Path, tmp_path: Path) -> None:
    """Of implicit's cosine neighbours and alternating least squares, on MovieLens 100K."""
    films = replace(read_interactions(data_dir / "ml-100k"), folder=tmp_path)
    used = scipy.sparse.csr_matrix(use_matrix(films, len(films.item_ids)))
    _name_items(films)
    with one_thread():
        near = CosineRecommender(K=50, num_threads=1)
        near.fit(used, show_progress=False)
        als = AlternatingLeastSquares(factors=16, iterations=3, num_threads=1, random_state=1)
        als.fit(used, show_progress=False)
    scipy.sparse.save_npz(tmp_path / "near.npz", near.similarity)
    np.savez(
        tmp_path / "als.npz", out=als.item_factors, users=als.user_factors, user_ids=np.array(films.user_ids)
    )
    parity = _bring(films, "near.npz", items="ids.txt").card["parity"]
    assert (parity["lists"], parity["overlap"], parity["max_error"]) > (0.98, 0.999, 0)
    card = _bring(films, "als.npz", items="ids.txt").card
    assert card["parity"]["overlap"] > 0.99
    assert card["users"] > 0.6
