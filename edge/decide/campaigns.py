"""The campaigns of a bundle as bits: who owns each, and what it shows."""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from edge.bundle.arrays import Array
from edge.bundle.format import Choices, RulesSchema
from edge.bundle.strings import Strings
from edge.errors import BundleError

CONTENT: Final = 0
RECOMMENDER: Final = 1
EXPERIMENT: Final = 2
BANDIT: Final = 3
LAYOUT: Final = 4
REDIRECT: Final = 5
"""Actions: what a target is a position of."""

PAGE_LAYOUT: Final = "page.layout"
PAGE_REDIRECT: Final = "page.redirect"
WHOLE_PAGE: Final[Mapping[str, int]] = {PAGE_LAYOUT: LAYOUT, PAGE_REDIRECT: REDIRECT}
"""Placements that no page marks, as they are the page as a whole, and the action that each is for."""


_NO_CHOICES: Final = Choices()


class Campaigns:
    """Who owns each rule bit, and what it shows; over the `campaigns` artifact.

    Bits are grouped by placement and rise with priority: the highest bit that
    is set inside a placement's range wins.

    Attributes
    ----------
    owners : Array
        The campaign of each bit, by position; `owner`, `action` and `target` are for single look-ups.
    masks : dict[str, tuple[int, int]]
        The lowest bit and the mask of each placement.

    Parameters
    ----------
    page
        How many layouts and redirects there are.
    """

    def __init__(
        self,
        arrays: dict[str, Array],
        schema: RulesSchema,
        contents: int,
        choices: Choices = _NO_CHOICES,
        page: tuple[int, int] = (0, 0),
    ) -> None:
        self.ids = Strings(arrays, "ids")
        self.ids.check_texts()
        starts, owner = _vector(arrays, "starts", "<u4"), _vector(arrays, "campaign", "<u4")
        action, target = _vector(arrays, "action", "|u1"), _vector(arrays, "target", "<u4")
        _check_campaigns(starts, owner, action, target, (len(schema.placements), len(self.ids)))
        counts = (contents, len(schema.recommenders), len(choices.experiments), len(choices.bandits), *page)
        held = np.array(counts, np.int64)
        if np.any(action > REDIRECT) or np.any(target >= held[np.minimum(action, REDIRECT)]):
            raise BundleError("arrays", "a campaign shows what the bundle does not hold")
        self.size = len(owner)
        self.owners = owner
        self.owner, self.action, self.target = owner.data, action.data, target.data
        bounds = starts.tolist()
        for name, low, high in zip(schema.placements, bounds[:-1], bounds[1:], strict=True):
            if not all(fits(name, shown) for shown in np.unique(action[low:high]).tolist()):
                raise BundleError("arrays", f"a campaign shows in {name!r} what can't be shown there")
        self.masks = {
            name: (low, (1 << high) - (1 << low))
            for name, low, high in zip(schema.placements, bounds[:-1], bounds[1:], strict=True)
        }

    def bits(self, campaigns: Iterable[str]) -> int:
        """The rule bits of these campaigns; unknown ones have none."""
        positions = [self.ids.find(campaign.encode()) for campaign in campaigns]
        owned = np.isin(self.owners, [p for p in positions if p >= 0])
        return int.from_bytes(np.packbits(owned, bitorder="little").tobytes(), "little")


def fits(placement: str, action: int) -> bool:
    """Whether an action may be shown in a placement."""
    wanted = WHOLE_PAGE.get(placement)
    return action in (EXPERIMENT, BANDIT, wanted) or (wanted is None and action in (CONTENT, RECOMMENDER))


def _vector(arrays: Mapping[str, Array], name: str, dtype: str) -> Array:
    array = arrays.get(name)
    if array is None or array.ndim != 1 or array.dtype.str != dtype:
        raise BundleError("arrays", f"campaigns have no vector {name!r} of {dtype}")
    return array


def _check_campaigns(
    starts: Array, owner: Array, action: Array, target: Array, counts: tuple[int, int]
) -> None:
    placements, campaigns = counts
    size = len(owner)
    if len(starts) != placements + 1 or starts[0] != 0 or starts[-1] != size:
        raise BundleError("arrays", "campaign bits do not fit the placements")
    if np.any(starts[1:] < starts[:-1]) or not len(action) == len(target) == size:
        raise BundleError("arrays", "campaign bits do not fit the placements")
    if size and int(owner.max()) >= campaigns:
        raise BundleError("arrays", "a rule bit belongs to no campaign")
