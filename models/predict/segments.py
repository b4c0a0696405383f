"""Sorts visitors into groups that are alike, and names each by what is unusual about it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from edge.errors import GivenError
from models.predict.contract import Prediction, Predictor
from models.predict.graph import constants_of, prediction_graph, rounded
from models.predict.linear import share_nodes, shares
from models.predict.standard import Standard
from models.predict.table import Rows, Table
from models.settings import Number, Setting, Settings
from models.trained import Progress

SAMPLE: Final = 2000
"""Rows that the silhouette is measured on: its work grows with their square."""

DRAWS: Final = 5
UNUSUAL: Final = 0.25
"""Standard deviations from the mean of all; less is nothing to be named after."""


class Segments:
    """k-means (Lloyd 1982, k-means++ of Arthur and Vassilvitskii 2007); k by silhouette (Rousseeuw 1987).

    The outputs are shares: how near the row is to each centre, as a mixture of round groups would say.
    """

    name: Final = "segments"
    settings: Final[Mapping[str, Setting]] = {
        "count": Number(0, "How many segments; 0 takes the number with the best silhouette.", 50),
        "most": Number(8, "The most that are tried where `count` is 0.", 50, whole=True),
    }

    def train(self, table: Table, settings: Settings, progress: Progress) -> Prediction:
        """See `models.predict.contract.PredictionRecipe`."""
        standard = Standard.of(table.rows, table.weight)
        scaled, _ = standard.apply(table.rows)
        counts = _counts(len(np.unique(scaled, axis=0)), settings)
        tried = {}
        for number, count in enumerate(counts):
            tried[count] = _cluster(scaled, table, count, int(settings["seed"]))
            progress("clusters", (number + 1) / (len(counts) + 1))
        silhouettes = {
            count: _silhouette(scaled, model, int(settings["seed"])) for count, model in tried.items()
        }
        best = max(silhouettes, key=lambda count: silhouettes[count])
        progress("silhouettes", 1.0)
        centres, sizes = _by_size(tried[best])
        names = name_segments(centres, table.features)
        constants = {"weights": centres.T, "bias": -(centres**2).sum(axis=1) / 2, **standard.constants()}
        nodes = [*Standard.nodes(), *share_nodes("scaled")]
        graph = prediction_graph(self.name, (len(table.features), len(names)), nodes, constants)
        card = {
            "segments": _describe(
                names, sizes, [_centre(standard, centre, table.features) for centre in centres]
            ),
            "silhouettes": {str(count): round(value, 4) for count, value in silhouettes.items()},
        }
        predictor = self.predictor(graph, {})
        return Prediction(self.name, table.features, names, graph, {}, card, predictor, names_winner=True)

    def predictor(self, graph: bytes, arrays: Mapping[str, Array]) -> Predictor:
        """See `models.predict.contract.PredictionRecipe`."""
        constants = constants_of(graph)
        standard = Standard.read(constants)

        def predict(rows: Rows) -> NDArray[np.float32]:
            return rounded(shares(standard.apply(rows)[0], constants))

        return predict


def name_segments(centres: NDArray[np.float64], features: Sequence[str]) -> tuple[str, ...]:
    """Each by its most unusual features, as many as it takes to tell it from those before it."""
    names: list[str] = []
    for centre in centres:
        order = np.argsort(-np.abs(centre), kind="stable")
        words = [
            f"{'high' if centre[place] > 0 else 'low'}-{_id(features[place])}"
            for place in order
            if abs(centre[place]) >= UNUSUAL
        ] or ["ordinary"]
        length = 2
        while "-".join(words[:length]) in names and length < len(words):
            length += 1
        name = "-".join(words[:length])
        names.append(name if name not in names else f"{name}-{len(names) + 1}")
    return tuple(names)


def _id(feature: str) -> str:
    """A feature's name as rules may write it."""
    return re.sub("[^a-z0-9]+", "-", feature.lower()).strip("-") or "value"


def _counts(n_distinct: int, settings: Settings) -> list[int]:
    count = settings["count"]
    if count != round(count) or count == 1:
        raise GivenError("setting", f"segments: count must be 0 or a whole number from 2, not {count:g}")
    if n_distinct < max(3, count):
        raise GivenError("table", f"{n_distinct} rows differ; segments needs at least {max(3, int(count))}")
    most = min(max(2, int(settings["most"])), n_distinct - 1)
    return [int(count)] if count else list(range(2, most + 1))


def _cluster(scaled: NDArray[np.float64], table: Table, count: int, seed: int) -> Any:
    from sklearn.cluster import KMeans  # noqa: PLC0415 - it is slow to import

    return KMeans(count, n_init=DRAWS, random_state=seed).fit(scaled, sample_weight=table.weights)


def _silhouette(scaled: NDArray[np.float64], model: Any, seed: int) -> float:
    from sklearn.metrics import silhouette_score  # noqa: PLC0415 - it is slow to import

    rows = np.random.default_rng(seed).permutation(len(scaled))[:SAMPLE]
    if len(np.unique(model.labels_[rows])) < 2 or len(np.unique(model.labels_[rows])) == len(rows):
        return -1.0
    return float(silhouette_score(scaled[rows], model.labels_[rows]))


def _by_size(model: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres and shares of rows, the greatest segment first."""
    sizes = np.bincount(model.labels_, minlength=len(model.cluster_centers_)) / len(model.labels_)
    order = np.argsort(-sizes, kind="stable")
    return model.cluster_centers_[order], sizes[order]


def _describe(
    names: Sequence[str], sizes: NDArray[np.float64], centres: Sequence[Mapping[str, float]]
) -> list[dict[str, Any]]:
    return [
        {"name": name, "share": round(float(size), 4), "centre": centre}
        for name, size, centre in zip(names, sizes, centres, strict=True)
    ]


def _centre(standard: Standard, centre: NDArray[np.float64], features: Sequence[str]) -> dict[str, float]:
    """In the features' own units."""
    spread = np.divide(1, standard.scale, out=np.zeros_like(standard.scale), where=standard.scale > 0)
    values = standard.mean + centre * spread
    return {name: float(f"{value:.6g}") for name, value in zip(features, values.tolist(), strict=True)}
