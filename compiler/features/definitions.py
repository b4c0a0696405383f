"""What the features of a model were when it was trained, as its card keeps it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from edge.bundle.features import Features, flattened, needed

DEFINITIONS: Final = "definitions"
"""In a model's card."""


def definitions(names: Sequence[str], features: Features) -> list[dict[str, object]]:
    """What features are, for a model's card; all JSON."""
    return [msgspec.json.decode(msgspec.json.encode(one)) for one in needed(names, features)]


def are_trained(
    names: Sequence[str], features: Features, trained: Sequence[str], card: Mapping[str, Any]
) -> bool:
    """Whether a model takes in the numbers of these features, and they are still what they were."""
    kept = card.get(DEFINITIONS, [])
    return (tuple(flattened(names, features)), definitions(names, features)) == (tuple(trained), kept)
