"""Trains networks: seeded, with early stopping, and going on where it was stopped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Final, Protocol

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from edge.bundle import format as fmt
from edge.errors import GivenError
from models.data.interactions import Interactions
from models.data.split import split_per_user
from models.kept import folder as kept
from models.learn import torch_checkpoint
from models.learn.torch_checkpoint import Counts
from models.measures.metrics import ndcg
from models.settings import Number, Settings
from models.trained import Progress

HELD_SHARE: Final = 0.1
"""Of each user's rows, held back to see after how many epochs to stop."""

SMOOTHING: Final = 0.7
"""The share of the epochs before in how good one is: alone it would stop at the first lucky one."""

LISTED: Final = 10
BATCH_USERS: Final = 256

Weights = dict[str, NDArray[np.float64]]


class Task(Protocol):
    """What a recipe brings to be trained."""

    @property
    def network(self) -> Any:
        """A `torch.nn.Module`."""

    @property
    def n_rows(self) -> int:
        """How many examples there are to learn from."""

    def loss(self, rows: NDArray[np.int64]) -> Any:
        """The mean loss over these examples, as a tensor."""

    def scores(self, users: NDArray[np.int64]) -> Any:
        """Scores of all items for these users by their whole histories, as a tensor of (users, items)."""


Build = Callable[[Interactions], Task]
"""Makes a task with a fresh network for some interactions; what is drawn is drawn from PyTorch's seed."""

Divide = Callable[[Interactions, int], tuple[Interactions, Interactions]]
"""``(interactions, seed) -> (part, held)``: what to learn from, and what to stop early by."""


@dataclass(frozen=True)
class Schedule:
    """How long and in which steps to train; `patience` of 0 trains all epochs, with nothing held back."""

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    patience: int
    seed: int


POPULARITY: Final = Number(
    0.4, "What is added for an item's views: so many times their logarithm; 0 adds nothing.", 2
)


def popularity_bonus(interactions: Interactions, settings: Settings) -> NDArray[np.float64]:
    """What each item's logit gets on top, as `POPULARITY` says.

    A network that was trained to complete histories knows too little of what everybody views: on MovieLens
    100K this alone is worth 0.01 of nDCG@10.
    """
    counts = np.bincount(interactions.items, minlength=len(interactions.item_ids))
    bonus: NDArray[np.float64] = settings["popularity"] * np.log(np.maximum(counts, 1))
    return bonus


def schedule_settings(
    epochs: int, batch: int, learning_rate: float, weight_decay: float = 0.0, patience: int = 5
) -> dict[str, Number]:
    """The settings that every network has, with this one's defaults; `read_schedule` reads them."""
    return {
        "epochs": Number(epochs, "How often training goes over the rows, at most.", 10_000, whole=True),
        "batch": Number(batch, "Examples that are learned from at once.", 65_536, whole=True),
        "learning_rate": Number(learning_rate, "How far one step of learning goes.", 1, positive=True),
        "weight_decay": Number(weight_decay, "How strongly weights are drawn to 0.", 1),
        "patience": Number(
            patience,
            "Epochs without a better one until it stops, tried with a tenth held back; 0 tries nothing.",
            10_000,
        ),
        "seed": Number(1, "What chance begins with.", 2**31 - 1, whole=True),
    }


def read_schedule(settings: Settings) -> Schedule:
    """The schedule of a recipe's complete settings."""
    return Schedule(
        int(settings["epochs"]),
        int(settings["batch"]),
        settings["learning_rate"],
        settings["weight_decay"],
        int(settings["patience"]),
        int(settings["seed"]),
    )


def import_torch() -> ModuleType:
    """PyTorch.

    Raises
    ------
    GivenError
        ``missing-extra``: it is not installed; says how to install it.
    """
    try:
        import torch  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise GivenError(
            "missing-extra",
            "networks are trained with PyTorch, which is not installed: run `pip install 'nearside[neural]'`,"
            " or `make neural` in a checkout",
        ) from error
    found: ModuleType = torch
    return found


def device() -> str:
    """Where to train: on a GPU where there is one."""
    return "cuda" if import_torch().cuda.is_available() else "cpu"


def use_rows(interactions: Interactions) -> scipy.sparse.csr_array:
    """One row per user code, 1 where the user used the item, however often; rows may be empty."""
    shape = (len(interactions.user_ids), len(interactions.item_ids))
    pairs = (interactions.users, interactions.items)
    used = scipy.sparse.csr_array((np.ones(len(interactions), np.float32), pairs), shape=shape)
    used.data[:] = 1.0
    return used


def hold_back(interactions: Interactions, seed: int) -> tuple[Interactions, Interactions]:
    """A tenth of each user's rows held back, at random."""
    return split_per_user(interactions, 1 - HELD_SHARE, seed)


def learn(
    build: Build,
    interactions: Interactions,
    settings: Settings,
    progress: Progress,
    divide: Divide = hold_back,
) -> tuple[Weights, dict[str, Any]]:
    """The weights of a network that was trained on all interactions, and what to say of it in the card.

    First it is trained on a part, until what is held back gets no better; then anew, on all
    rows, for as many epochs as were best. The same settings and rows give the same weights on the same kind
    of machine, also when training was stopped between and goes on from `models.kept.folder`.
    """
    schedule = read_schedule(settings)
    part, held = divide(interactions, schedule.seed) if schedule.patience else (interactions, None)
    key = fmt.digest(repr((sorted(settings.items()), build.__module__, interactions.digest())).encode())
    told: dict[str, Any] = {"epochs": schedule.epochs}
    with _reproducible():
        if held is not None and len(held) and len(part):
            search = _Training(build, part, schedule, f"{key[:16]}-search")
            found = search.run(lambda share: progress("try", share / 2), held)
            schedule = replace(schedule, epochs=found.best_epoch)
            told = {"epochs": found.best_epoch, "held_ndcg@10": round(found.best, 4)}
        final = _Training(build, interactions, schedule, f"{key[:16]}-final")
        final.run(lambda share: progress("train", 0.5 + share / 2))
        weights = final.weights()
    for step in ("search", "final"):
        kept.forget(f"{key[:16]}-{step}.npz")
    progress("train", 1.0)
    return weights, {"training": told}


class _Training:
    """One network on its way."""

    def __init__(self, build: Build, interactions: Interactions, schedule: Schedule, key: str) -> None:
        torch = import_torch()
        torch.manual_seed(schedule.seed)
        self._task = build(interactions)
        self._interactions = interactions
        self._schedule = schedule
        self._key = key
        self._network = self._task.network.to(device())
        self._optimizer = torch.optim.Adam(
            self._network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
        )

    def run(self, hear: Callable[[float], None], held: Interactions | None = None) -> Counts:
        """Train to the end, or until `held` gets no better for as long as the schedule is patient."""
        path = kept.place(f"{self._key}.npz")
        found = torch_checkpoint.restore(path, self._key, self._network, self._optimizer) if path else None
        counts = found or Counts()
        while counts.epoch < self._schedule.epochs:
            self._epoch(counts.epoch)
            counts.epoch += 1
            if held is not None and not self._is_patient(counts, held):
                break
            if path is not None:
                torch_checkpoint.save(path, self._key, self._network, self._optimizer, counts)
            hear(counts.epoch / self._schedule.epochs)
        return counts

    def weights(self) -> Weights:
        """All parameters, in double precision."""
        state = self._network.state_dict().items()
        return {name: value.detach().cpu().numpy().astype(np.float64) for name, value in state}

    def _epoch(self, number: int) -> None:
        self._network.train()
        rows = np.random.default_rng([self._schedule.seed, number]).permutation(self._task.n_rows)
        for begin in range(0, len(rows), self._schedule.batch):
            loss = self._task.loss(rows[begin : begin + self._schedule.batch])
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()

    def _is_patient(self, counts: Counts, held: Interactions) -> bool:
        share = SMOOTHING if counts.epoch > 1 else 0
        counts.level = share * counts.level + (1 - share) * self._quality(held)
        if counts.level > counts.best:
            counts.best, counts.best_epoch = counts.level, counts.epoch
        return counts.epoch - counts.best_epoch < self._schedule.patience

    def _quality(self, held: Interactions) -> float:
        """Mean nDCG@10 of what was held back, as `models.measures.metrics` has it."""
        torch = import_torch()
        self._network.eval()
        users = np.unique(held.users).astype(np.int64)
        seen, wanted = use_rows(self._interactions), use_rows(held)
        lists: list[list[int]] = []
        with torch.no_grad():
            for begin in range(0, len(users), BATCH_USERS):
                some = users[begin : begin + BATCH_USERS]
                scores = self._task.scores(some)
                scores = scores.masked_fill(as_tensor(seen[some].toarray() > 0), -np.inf)
                lists += scores.topk(min(LISTED, scores.shape[1]), dim=1).indices.cpu().tolist()
        return ndcg(lists, [frozenset(row.tolist()) for row in _row_items(wanted, users)], LISTED)


def _row_items(used: scipy.sparse.csr_array, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int32]]:
    for row in rows:
        yield used.indices[used.indptr[row] : used.indptr[row + 1]]


@contextmanager
def _reproducible() -> Iterator[None]:
    """One thread, PyTorch's own seed, and no operation that depends on order; all as before afterwards."""
    torch = import_torch()
    threads, was = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng():
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(was)


def as_tensor(array: NDArray[Any]) -> Any:
    """The array on the device that is trained on."""
    return import_torch().from_numpy(array).to(device())
