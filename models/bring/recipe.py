"""Reads a brought prediction back: its reference is what ONNX itself says that the graph means."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from edge.errors import GivenError
from models.predict.contract import Prediction, Predictor
from models.predict.table import Rows, Table
from models.settings import Choice, Setting, Settings, Text
from models.trained import Progress

NAME: Final = "brought"


class Brought:
    """A model that was fitted elsewhere; `models.bring.prediction.bring` makes it.

    Its source is not kept. The reference is ONNX's own evaluator, in numpy: slow, and nothing
    of onnxruntime. What it owes to its source is in the card, as ``parity``.
    """

    name: Final = NAME
    settings: Final[Mapping[str, Setting]] = {
        "pickle": Choice(
            "refused",
            "Reading a pickle runs the code in it: `trusted` is for what you made.",
            ("refused", "trusted"),
        ),
        "rows": Text("", "A file of rows like `data` of other recipes: what the conversion is tried on."),
    }

    def train(self, table: Table, settings: Settings, progress: Progress) -> Prediction:
        """It has been trained."""
        raise GivenError("unknown-recipe", f"{NAME!r} trains nothing: its `data` is a model")

    def predictor(self, graph: bytes, arrays: Mapping[str, Array]) -> Predictor:
        """See `models.predict.contract.PredictionRecipe`."""
        evaluators: list[Any] = []

        def predict(rows: Rows) -> NDArray[np.float32]:
            from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 - slow to import

            if not evaluators:
                evaluators.append(ReferenceEvaluator(graph))
            with np.errstate(all="ignore"):  # an answer that is no number is one that rules find missing
                found: NDArray[np.float32] = evaluators[0].run(None, {"features": rows, **arrays})[0]
            return found

        return predict
