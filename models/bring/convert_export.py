"""Converts what other libraries export of items into a recommender, and holds the result against it."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import scipy.sparse

from models.bring import tables
from models.bring.exports import (
    MATRIX,
    Made,
    of_matrix,
    of_vectors,
    read_vectors,
    score_matrix,
    score_vectors,
)
from models.bring.held import Held, compare, error_of, histories_of, own_scores
from models.bring.items import Alignment, align, read_ids, texts
from models.bring.recommender import NAME
from models.bring.source import cannot
from models.bring.user_vectors import learn_into, overlap, read_users
from models.data.interactions import Interactions
from models.settings import Settings
from models.trained import Trained

ALIKE: Final = 0.9
"""Of what a recommender lists, the share that its source must list, too."""

MAX_FILE_BYTES: Final = 256 << 20


def bring_export(path: Path, named: Path | None, interactions: Interactions, settings: Settings) -> Trained:
    """A recommender of a matrix or of vectors; see `models.bring.recommender.SUFFIXES`.

    Raises
    ------
    GivenError
        ``bring``: the file is not what its ending says, its numbers do not fit its items, or
        exact sums can't say what it does.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        size = path.stat().st_size >> 20
        raise cannot(path.name, f"has {size} MB; at most {MAX_FILE_BYTES >> 20} are read")
    parts, ids = _read(path, read_ids(named) if named is not None else None)
    alignment = align(ids, interactions.item_ids, "`items`" if named is not None else path.name)
    matrix = _matrix(parts, len(ids), path.name)
    card: dict[str, Any] = {"aligned": alignment.card()}
    if matrix is not None:
        made = of_matrix(matrix, alignment, int(settings["neighbours"]))
    else:
        made, shared = _of_vectors(parts, alignment, interactions, settings, path.name)
        card |= shared
    held = _hold(made, alignment, interactions, int(settings["max_history"]))
    if held.overlap < ALIKE and not made.words:
        said = f"can't be said in exact sums: of what it lists itself, they list {held.overlap:.0%}"
        instead = "its numbers are of too different sizes; divide each item's vector by its length"
        raise cannot(path.name, said, instead)
    card |= {"source": made.kind, "parity": held.card(), "left_out": made.words}
    reference = score_matrix if matrix is not None else score_vectors
    return Trained(
        NAME, interactions.item_ids, made.graph, made.arrays, card, reference, shortlist=made.shortlist
    )


def _of_vectors(
    parts: dict[str, Any], alignment: Alignment, interactions: Interactions, settings: Settings, what: str
) -> tuple[Made, dict[str, float]]:
    """The recommender of vectors and, where users' own are known, how much of their lists it lists."""
    users = read_users(parts, interactions, what)
    if users is None:
        return of_vectors(read_vectors(parts, alignment.n_source, what), alignment), {}
    into = parts["into"] if "into" in parts else learn_into(users, alignment, settings["caution"])
    vectors = read_vectors({**parts, "into": into}, alignment.n_source, what)
    made = of_vectors(vectors, alignment)
    shared = overlap(users, vectors, made, alignment, int(settings["max_history"]))
    return made, {"users": round(shared, 4)}


def _read(path: Path, ids: tuple[str, ...] | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What a file holds, and the items that it is of: its own, or those that are named beside it."""
    what, suffix = path.name, path.suffix.lower()
    if suffix == ".csv":
        if ids is not None:
            raise cannot(what, "names its items itself", "leave `items` out")
        ids, matrix = tables.read_pairs(path)
        return {MATRIX: matrix}, ids
    held: dict[str, Any] = tables.read_npz(path) if suffix == ".npz" else {"": tables.read_npy(path)}
    if ids is None and "items" in held:
        ids = texts(held["items"], f"{what}: 'items'")
    if ids is None:
        raise cannot(what, "says nothing of its items", "name them in a file: `items: data/items.txt`")
    square = "" in held and held[""].shape == (len(ids), len(ids))
    if square:
        return {MATRIX: scipy.sparse.csr_array(tables.finite(held[""], what))}, ids
    return {"out": held[""]} if "" in held else held, ids


def _matrix(held: dict[str, Any], n_items: int, what: str) -> scipy.sparse.csr_array | None:
    """How alike items are, where that is what was read."""
    if tables.is_sparse(held):
        return tables.sparse_matrix(held, n_items, what)
    found: scipy.sparse.csr_array | None = held.get(MATRIX)
    return found


def _hold(made: Made, alignment: Alignment, interactions: Interactions, longest: int) -> Held:
    """Compare lists with those of the export's own numbers, in 64 bits."""
    rows = histories_of(interactions, longest, alignment.n_source)
    source = np.full((len(rows), alignment.n_items), -np.inf)
    known = alignment.known
    for row, history in enumerate(rows):
        places = alignment.to_source[history].astype(np.int64)
        scores = made.source(places[places < alignment.n_source])
        source[row, known] = scores[alignment.to_source[:-1][known]]
    own = own_scores(made.graph, made.arrays, rows, alignment.n_items)
    held = compare(source, own, rows, 0.0)
    if made.kind == MATRIX:  # at 0 an item stops being listed, so there is no score to compare
        zero = [np.where(np.isfinite(scores), scores, 0.0) for scores in (source, own)]
        held = replace(held, max_error=float(error_of(zero[0], zero[1], 0.0).max(initial=0.0)))
    return held
