"""What models tell of a context before rules are matched, as documents of a bundle."""

from typing import Final

import msgspec

from edge.bundle.features import Column

KIND: Final = "predictions"
GRAPH_KIND: Final = "prediction-graph"
ARRAYS_KIND: Final = "prediction-arrays"
SOURCE: Final = "model"
"""Of the attributes that predictions are."""

PREFIX: Final = "model."
MAX_PREDICTIONS: Final = 64
MAX_OUTPUTS: Final = 256
MAX_WORDS: Final = 16_384


class PredictionPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One prediction of the graph.

    Without a grant for all its `purposes` it is missing.

    Attributes
    ----------
    output : str
        Of the graph: float32, (rows, len(outputs)).
    outputs : tuple[str, ...]
        One name: the attribute ``model.NAME`` is its number. Several: ``model.NAME.OUTPUT`` are theirs.
    names_winner : bool
        Whether ``model.NAME`` is the name of the greatest output, the first of equals.
    columns : tuple[int, ...]
        Positions of the columns that it depends on.
    text, words : str, int
        Of one that reads a text: the attribute, and the width of the row that `edge.decide.words` makes.
    """

    name: str
    output: str
    outputs: tuple[str, ...]
    columns: tuple[int, ...]
    names_winner: bool = False
    purposes: tuple[str, ...] = ()
    text: str = ""
    words: int = 0

    @property
    def text_input(self) -> str:
        """The graph's input for the row of its text; those of one text and width share it."""
        return f"text/{self.text}/{self.words}"

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes of its outputs, in their order."""
        if len(self.outputs) == 1:
            return (PREFIX + self.name,)
        return tuple(f"{PREFIX}{self.name}.{output}" for output in self.outputs)


class PredictionGolden(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A row of columns, NaN where missing, and what each prediction answers, in their order.

    `text` is what every attribute has that a prediction reads as a text.
    """

    row: tuple[float, ...]
    answers: tuple[tuple[float, ...], ...]
    text: str = ""


class Predictions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the graph of predictions is called; `bindings` are as in `edge.bundle.format.ModelsPlan`."""

    graph: str
    columns: tuple[Column, ...]
    bindings: dict[str, tuple[str, str]]
    predictions: tuple[PredictionPlan, ...]
    golden: tuple[PredictionGolden, ...] = ()
