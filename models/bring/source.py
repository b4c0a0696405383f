"""What every kind of brought model is read into: something that predicts, and converts to ONNX."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import GivenError

Rows = NDArray[np.float64]
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Source:
    """A fitted model, whatever library it is of.

    Attributes
    ----------
    kind : str
        The class or format, as its makers call it.
    features : tuple[str, ...]
        The columns of a row, in the model's order.
    outputs : tuple[str, ...]
        The classes of a classifier; none for a model of one number.
    predict : callable
        ``(n, features) -> (n, outputs)``, by the library itself.
    convert : callable
        The model as an ONNX proto with one float input; may hold what the edge does not run.
    words : Mapping[str, tuple[str, ...]]
        Of each feature that the model takes as text, its words: 0 stands for the first.
    width : int
        Numbers that a model without classes answers with.
    is_foreign : bool
        Whether the graph was made elsewhere: what a converter makes of a model can't reach far.
    """

    kind: str
    features: tuple[str, ...]
    outputs: tuple[str, ...]
    predict: Callable[[Rows], Values]
    convert: Callable[[], Any]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    width: int = 1
    is_foreign: bool = False


def cannot(what: str, why: str, instead: str = "") -> GivenError:
    """The error of a model that can't be brought, with what would work in its place."""
    return GivenError("bring", f"{what} {why}" + (f"; {instead}" if instead else ""))


def columns_of(known: tuple[str, ...] | None, n_features: int, features: tuple[str, ...]) -> tuple[str, ...]:
    """The model's columns by name: those that it was fitted with, or else `features` as they stand.

    Raises
    ------
    GivenError
        ``bring``: the names or their number do not fit.
    """
    if len(set(features)) < len(features):
        raise cannot("`features`", "names one twice")
    if known is None or known == tuple(f"Column_{place}" for place in range(n_features)):
        if features and len(features) != n_features:
            raise cannot(f"the model takes {n_features} features,", f"and {len(features)} are named")
        if not features:
            raise cannot("the model", "does not know the names of its features", "name them in `features`")
        return features
    if features and set(features) != set(known):
        missing, strange = sorted(set(known) - set(features)), sorted(set(features) - set(known))
        said = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"adds {', '.join(strange)}"] * bool(
            strange
        )
        raise cannot("`features`", f"{' and '.join(said)}, compared with what the model was fitted with")
    return known
