"""The recipe of recommenders that were trained elsewhere: scorers over the catalog, and exports."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle import format as fmt
from edge.bundle.arrays import Array
from edge.errors import GivenError
from models.bring.source import cannot
from models.data.interactions import Interactions
from models.graphs.neighbours import NEIGHBOURS
from models.learn.fold_in import CAUTION
from models.settings import Choice, Setting, Settings, Text
from models.trained import Predictor, Progress, Scores, Trained

NAME: Final = "brought"
SUFFIXES: Final[Mapping[str, str]] = {
    ".onnx": "a scorer, as ONNX",
    ".pt": "a scorer, as TorchScript",
    ".csv": "how alike items are: `item,other,score`",
    ".npz": "how alike items are, as `scipy.sparse.save_npz` writes it; or vectors of items",
    ".npy": "one table: how alike items are where it is square, else vectors of items",
}
"""By the ending of `model`."""

ANY_LENGTH: Final = ("any", "max_history")
SCORERS: Final = (".onnx", ".pt")


class BroughtRecommender:
    """A model that was trained elsewhere, over the items of the catalog."""

    name: Final = NAME
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "model": Text("", "The file of the model; its ending says what it is."),
        "items": Text("", "The file that names its items, in the model's order."),
        "length": Choice(
            "any", "The length of histories that a scorer takes: any, or always `max_history`.", ANY_LENGTH
        ),
        "neighbours": NEIGHBOURS,
        "caution": CAUTION,
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`: reads and converts it, and holds it against what it was made of."""
        folder = interactions.folder or Path()
        path = folder / settings["model"]
        suffix = path.suffix.lower()
        if not settings["model"]:
            raise GivenError("setting", f"{NAME}: `model` names no file; it is a path in the workspace")
        if suffix not in SUFFIXES:
            raise cannot(
                settings["model"], f"ends in {suffix or 'nothing'}", f"known are {', '.join(SUFFIXES)}"
            )
        if not path.is_file():
            raise cannot(settings["model"], "is not there", "`model` is a path in the workspace")
        named = folder / settings["items"] if settings["items"] else None
        progress("convert", 0.0)
        # Only now: what they import is slow, and few workspaces bring a model.
        if suffix in SCORERS:
            model = _scorer(path, named, interactions, settings)
        else:
            from models.bring.convert_export import bring_export  # noqa: PLC0415

            model = bring_export(path, named, interactions, settings)
        progress("compare", 1.0)
        return replace(model, card={**model.card, "brought": fmt.digest(path.read_bytes())})

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`; of exports, whose arrays say all. Scorers have an `evaluator`."""
        from models.bring.exports import score_matrix, score_vectors  # noqa: PLC0415

        return (score_matrix if "neighbour" in arrays else score_vectors)(arrays, history, weight)


def _scorer(path: Path, named: Path | None, interactions: Interactions, settings: Settings) -> Trained:
    from models.bring.convert_scorer import bring_scorer  # noqa: PLC0415 - as above
    from models.bring.files import open_file  # noqa: PLC0415
    from models.bring.items import read_ids  # noqa: PLC0415

    if named is None:
        raise cannot(path.name, "says nothing of its items", "name them in a file: `items: data/items.txt`")
    ids = read_ids(named)
    model, longest = open_file(path, trust=False), int(settings["max_history"])
    return bring_scorer(model, ids, interactions, longest, is_fixed=settings["length"] != ANY_LENGTH[0])


def evaluator(graph: bytes) -> Predictor:
    """The reference of a scorer: what ONNX itself says that its graph means, slowly."""
    evaluators: list[Any] = []

    def score(arrays: Mapping[str, Array], history: NDArray[np.int32], weight: Scores) -> Scores:
        from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 - slow to import

        if not evaluators:
            evaluators.append(ReferenceEvaluator(graph))
        with np.errstate(all="ignore"):  # what is no number is not listed
            feeds = {"history": history, "weight": weight, **arrays}
            found: Scores = evaluators[0].run(None, feeds)[0]
        return found

    return score
