"""What a bundle's maker vouches for about its models; people and tools read it, decisions never do."""

from typing import Final

import msgspec

from edge.bundle import format as fmt
from edge.bundle.reader import Bundle

KIND: Final = "certificate"
MAX_CERTIFICATE_BYTES: Final = 1 << 20


class Parity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How far the compiled graph is from the model's reference predictor, over real rows.

    Attributes
    ----------
    rows : int
        Of training data, that both were given; histories as they once were, or rows of a table.
    error : float
        No score was further off: as a share of the row's greatest score, or absolute where that is below 1;
        rounded up to a power of two. 0 is equal.
    allowed : float
        A greater error had been no bundle.
    agreement : float
        The share of rows with the same `top` items in the same order (of a prediction: with the same
        decisions, `top` is 0), rounded down to a thousandth.
    flips : int
        Rows that would be decided differently: another item is listed, or a threshold is on the other side.
    thresholds : tuple[float, ...]
        Of a prediction: the numbers that rules compare it with, and 0.5.
    """

    rows: int
    error: float
    allowed: float
    top: int
    agreement: float
    flips: int
    thresholds: tuple[float, ...] = ()


class Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model takes: its bytes, and multiply-adds for one visitor with as much history as it reads.

    `candidates` are the items that it scores for one page.
    """

    bytes: int
    operations: int
    candidates: int


class Shortlisted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a shortlist finds that leaves out what might be listed.

    Attributes
    ----------
    rows, top, recall
        Over so many histories, the share of the best `top` items of a scan; rounded down.
    looked_at : int
        Items that are scored for each visitor.
    """

    rows: int
    top: int
    recall: float
    looked_at: int


class ModelCertificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One model: how it came about, how it was measured, what it costs, and that its graph is it.

    `data` and `code` are SHA-256: of what it was trained on, and of the sources that trained it.
    `shortlist` is of models that leave items out in large catalogs.
    """

    name: str
    recipe: str
    settings: dict[str, float | str]
    seed: int
    data: str
    code: str
    split: str
    metrics: dict[str, float]
    parity: Parity
    cost: Cost
    shortlist: Shortlisted | None = None


class Certificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Models of a bundle, by name; recommenders and predictions have one each."""

    models: tuple[ModelCertificate, ...]


def load_certificate(bundle: Bundle) -> Certificate | None:
    """The bundle's certificate; None in bundles without models, and of before there were certificates.

    Raises
    ------
    BundleError
        It can't be read.
    """
    artifacts = bundle.artifacts("models", KIND)
    if not artifacts:
        return None
    parts = [
        fmt.decode(bundle.read(artifacts[name]), Certificate, MAX_CERTIFICATE_BYTES)
        for name in sorted(artifacts)
    ]
    return Certificate(tuple(model for part in parts for model in part.models))
