"""Ranks items by factors of visitors and items that explain who viewed what: alternating least squares."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from models.data.interactions import Interactions
from models.data.positions import DEBIAS_POSITION, view_weights
from models.graphs.factors import factor_arrays, factor_graph, score_factors
from models.kept.rounds import Rounds
from models.learn.cooccurrence import use_matrix
from models.learn.fold_in import CAUTION, fold_in, one_thread
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained


class Als:
    """Implicit-feedback factors (Hu, Koren and Volinsky 2008), by the `implicit` library.

    Users of training get factors of their own; a regression then learns what each item of a
    history adds to them (`models.learn.fold_in`), and that is all that the edge needs.
    """

    name: Final = "als"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "factors": Number(24, "How many numbers stand for a user and for an item.", 1024, whole=True),
        "regularization": Number(30, "How much factors are kept small."),
        "confidence": Number(3, "How many times more a view says than its absence.", positive=True),
        "rounds": Number(15, "How often users and items are fitted in turn.", 1000, whole=True),
        "caution": CAUTION,
        "debias_position": DEBIAS_POSITION,
        "seed": Number(0, "What random numbers begin with.", 2**31),
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415 - slow to import

        used = use_matrix(interactions, len(items))
        weighed = use_matrix(interactions, len(items), view_weights(interactions, settings))
        rounds, kept = int(settings["rounds"]), Rounds(self.name, interactions, settings)
        done, learned = kept.found()
        with one_thread():
            model = AlternatingLeastSquares(
                factors=int(settings["factors"]),
                regularization=settings["regularization"],
                alpha=settings["confidence"],
                iterations=rounds - done,
                num_threads=1,
                random_state=int(settings["seed"]),
            )
            if learned:
                model.user_factors, model.item_factors = learned["users"], learned["items"]

            def hear(at: int, *_: object) -> None:
                kept.keep(done + at + 1, {"users": model.user_factors, "items": model.item_factors})
                progress("fit", 0.9 * (done + at + 1) / rounds)

            model.fit(scipy.sparse.csr_matrix(weighed), show_progress=False, callback=hear)
            into = fold_in(used, model.user_factors, settings["caution"])
        kept.end()
        arrays = factor_arrays(into, model.item_factors.T.astype(np.float64))
        progress("fold in", 1.0)
        return Trained(self.name, items, factor_graph(self.name, arrays), arrays, {}, self.score)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`."""
        return score_factors(arrays, history, weight)
