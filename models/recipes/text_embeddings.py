"""Ranks items by how near the meaning of their texts is to that of the history's."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from models.content.text_embeddings import MODEL, embed
from models.content.texts import COLUMNS, text_columns
from models.data.interactions import Interactions
from models.graphs.factors import factor_graph, score_factors
from models.learn.lately import LATELY, alike_arrays
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained


class TextEmbeddings:
    """Texts of the catalog as sentence embeddings (Reimers and Gurevych 2019), made at compile time.

    As in `models.recipes.content` being alike needs no views; unlike it, it knows that
    two words mean the same. What all texts have in common is taken away before they are compared, and
    what is left is brought to few dimensions.
    """

    name: Final = "text-embeddings"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "columns": COLUMNS,
        "factors": Number(100, "How many numbers stand for an item's texts.", 384, whole=True),
        **LATELY,
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`; of the views, only how many an item has lately is read."""
        names = text_columns(interactions, settings["columns"])
        columns = [interactions.item_columns[name] for name in names]
        texts = [". ".join(filter(None, parts)) for parts in zip(*columns, strict=True)]
        rows = embed(texts, lambda share: progress("embed", 0.9 * share)).astype(np.float64)
        factors = reduce_rows(rows, int(settings["factors"]))
        arrays = alike_arrays(factors, interactions, settings)
        progress("reduce", 1.0)
        card = {"embeddings": MODEL}
        return Trained(self.name, items, factor_graph(self.name, arrays, "mean"), arrays, card, self.score)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`."""
        return score_factors(arrays, history, weight, "mean")


def reduce_rows(rows: NDArray[np.float64], factors: int) -> NDArray[np.float64]:
    """Rows without their mean, in the directions in which they differ most, of length 1; zeros stay zeros."""
    known = np.any(rows, axis=1)
    centred = np.where(known[:, np.newaxis], rows - rows[known].mean(axis=0) if known.any() else rows, 0.0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])
    found = centred @ (directions * signs[:, np.newaxis])[:factors].T
    reduced: NDArray[np.float64] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return reduced
