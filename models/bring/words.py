"""Puts codes in the place of the words that a fitted pipeline reads: no text reaches a graph."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from models.bring.source import Rows, cannot

UNSEEN: Final = "\0unseen"
"""A word that no model knows."""

Words = Mapping[str, tuple[str, ...]]


class Coded:
    """The words of each column of text, and rows of numbers in their place.

    Attributes
    ----------
    words : Mapping[str, tuple[str, ...]]
        By feature; a code is a position here, and their number stands for any other word.
    """

    def __init__(self, features: Sequence[str], found: Mapping[int, Sequence[Any]], given: Words) -> None:
        self._features = tuple(features)
        self.words = {
            features[column]: tuple(given.get(features[column], map(str, known)))
            for column, known in sorted(found.items())
        }

    def codes(self, column: int, known: Sequence[Any]) -> np.ndarray[Any, Any]:
        """The codes of an encoder's categories, in its order; NaN for the missing one."""
        words = self.words[self._features[column]]
        strange = [word for word in known if isinstance(word, str) and word not in words]
        if strange:
            name = self._features[column]
            raise cannot(
                f"feature {name!r}", f"has no category {strange[0]!r}, which the model was fitted with"
            )
        return np.array(
            [words.index(word) if isinstance(word, str) else np.nan for word in known], np.float64
        )

    def texts(self, rows: Rows) -> np.ndarray[Any, Any]:
        """Rows as the pipeline was fitted with."""
        if not self.words:
            return rows
        table = rows.astype(object)
        for column, name in enumerate(self._features):
            if name in self.words:
                words = (*self.words[name], UNSEEN)
                table[:, column] = [_word(words, code) for code in rows[:, column]]
        return table


def _word(words: Sequence[str], code: float) -> object:
    if np.isnan(code):
        return np.nan
    return words[int(code)] if code == int(code) and 0 <= code < len(words) else UNSEEN


def encoders(transformers: Sequence[tuple[str, Any, Sequence[int]]]) -> list[tuple[Any, Sequence[int]]]:
    """The fitted parts of a column transformer that read words, and their columns."""
    found: list[tuple[Any, Sequence[int]]] = []
    for _, part, columns in transformers:
        steps = [step for _, step in part.steps] if hasattr(part, "steps") else [part]
        for step in steps:
            kept: Any = getattr(step, "categories_", getattr(step, "statistics_", ()))
            if any(np.asarray(value).dtype.kind in "OUS" for value in kept):
                found.append((step, columns))
            if hasattr(step, "categories_"):
                break  # what follows reads numbers
    return found


def words_of(found: Sequence[tuple[Any, Sequence[int]]]) -> dict[int, list[Any]]:
    """By column, the words of its encoder, in its order."""
    words: dict[int, list[Any]] = {}
    for step, columns in found:
        for column, known in zip(columns, getattr(step, "categories_", ()), strict=False):
            words[column] = [word for word in known if isinstance(word, str)]
    return words


def put_codes(found: Sequence[tuple[Any, Sequence[int]]], coded: Coded) -> None:
    """Let fitted parts know codes instead of words."""
    for step, columns in found:
        if hasattr(step, "categories_"):
            step.categories_ = [
                coded.codes(column, known) for column, known in zip(columns, step.categories_, strict=True)
            ]
        else:
            step.statistics_ = np.concatenate(
                [coded.codes(column, [word]) for column, word in zip(columns, step.statistics_, strict=True)]
            )
            step._fit_dtype = np.dtype(np.float64)
