"""Learns what a view says of a visitor from the vectors of known users: a library's `user_factors`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from models.bring.exports import Made, Vectors
from models.bring.held import listed, own_scores, share_listed
from models.bring.items import Alignment, texts
from models.bring.source import cannot
from models.bring.tables import finite
from models.data.histories import histories
from models.data.interactions import Interactions
from models.graphs.factors import Dense
from models.learn.cooccurrence import check_size, use_matrix
from models.learn.fold_in import fold_in

MOST: Final = 400
"""Users whose lists are compared."""


@dataclass(frozen=True, eq=False)
class Users:
    """Vectors of users, and what those viewed; rows are in the order of the users' codes."""

    vectors: Dense
    interactions: Interactions


def read_users(tables: Mapping[str, Any], interactions: Interactions, what: str) -> Users | None:
    """The arrays `users` and `user_ids`; None where there are no `users`.

    Raises
    ------
    GivenError
        ``bring``: they do not fit each other, or are of nobody in the interactions.
    """
    if "users" not in tables:
        return None
    vectors = finite(tables["users"], f"{what}: 'users'")
    ids = texts(tables.get("user_ids", np.zeros(0)), f"{what}: 'user_ids'")
    if vectors.ndim != 2 or len(vectors) != len(ids):
        raise cannot(what, f"has `users` of {vectors.shape} and {len(ids):,} `user_ids`", "a row a user")
    at = {user: place for place, user in enumerate(ids)}
    places = {code: at[user] for code, user in enumerate(interactions.user_ids) if user in at}
    kept = interactions.where(np.isin(interactions.users, list(places)))
    if not len(kept):
        raise cannot(
            what, "has vectors of none of the users of the interactions", "save their ids as `user_ids`"
        )
    return Users(vectors[[places[code] for code in np.unique(kept.users).tolist()]], kept)


def learn_into(users: Users, alignment: Alignment, caution: float) -> Dense:
    """By the source's positions, what a view adds to a visitor's vector (`models.learn.fold_in`).

    Raises
    ------
    GivenError
        ``too-many-items``.
    """
    check_size("brought, with `users`,", alignment.n_items)
    into = fold_in(use_matrix(users.interactions, alignment.n_items), users.vectors, caution)
    found: Dense = np.zeros((alignment.n_source, users.vectors.shape[1]))
    known = alignment.known
    found[alignment.to_source[:-1][known]] = into[known]
    return found


def overlap(users: Users, vectors: Vectors, made: Made, alignment: Alignment, longest: int) -> float:
    """The share of what users' own vectors list that their histories list, too."""
    known, codes = histories(users.interactions), np.unique(users.interactions.users)
    chosen = np.arange(len(codes))[:: max(1, len(codes) // MOST)]
    rows = [np.array(known[codes[place]][:longest], np.int64) for place in chosen.tolist()]
    scores = np.full((len(rows), alignment.n_items), -np.inf)
    of_source = vectors.out @ users.vectors[chosen].T + (
        0 if vectors.bias is None else vectors.bias[:, np.newaxis]
    )
    scores[:, alignment.known] = of_source[alignment.to_source[:-1][alignment.known]].T
    own = own_scores(made.graph, made.arrays, rows, alignment.n_items)
    shares = []
    for row, history in enumerate(rows):
        wanted, found = (listed(part[row], history) for part in (scores, own))
        shares.append(share_listed(scores[row], wanted, found))
    return float(np.mean(shares))
