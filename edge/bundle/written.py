"""Rules as people wrote them: for explaining and comparing; no decision reads this."""

from typing import Final

import msgspec

from edge.bundle import format as fmt
from edge.bundle.reader import Bundle

KIND: Final = "written"
MAX_WRITTEN_BYTES: Final = 256 << 20


class Audience(msgspec.Struct, frozen=True, array_like=True):
    """A named condition, as JSON with dotted names, its parts in the order they were written."""

    name: str
    condition: str


class Group(msgspec.Struct, frozen=True, array_like=True):
    """A saved group that conditions name; `values` are JSON."""

    name: str
    values: str


class When(msgspec.Struct, frozen=True, array_like=True):
    """When a campaign runs.

    Attributes
    ----------
    start_ms, end_ms : int or None
        UTC; the end is outside.
    zone : str
        In which people think of it; empty: UTC.
    weekly : tuple
        Windows that come again each week: days (Monday is 0), and from and until when, in
        milliseconds after midnight there.
    """

    start_ms: int | None
    end_ms: int | None
    zone: str
    weekly: tuple[tuple[tuple[int, ...], int, int], ...] = ()


class Campaign(msgspec.Struct, frozen=True, array_like=True):
    """A campaign; `audience` names whom it is for, else `condition` says so.

    `placements` are positions in the schema. Of the campaigns with one `exclusive` a page shows one.
    Who did not grant all its `purposes` does not see it.
    """

    id: str
    priority: int
    placements: tuple[int, ...]
    audience: str = ""
    condition: str = ""
    when: When | None = None
    exclusive: str = ""
    purposes: tuple[str, ...] = ()


class Written(msgspec.Struct, frozen=True, array_like=True):
    """All audiences and groups by name, and all campaigns, the strongest first."""

    audiences: tuple[Audience, ...]
    campaigns: tuple[Campaign, ...]
    groups: tuple[Group, ...] = ()


def load_written(bundle: Bundle) -> Written | None:
    """The rules of a bundle as they were written; None in bundles of before there was such a part.

    Raises
    ------
    BundleError
        It can't be read.
    """
    if not bundle.artifacts("rules", KIND):
        return None
    return fmt.decode(bundle.read(bundle.one("rules", KIND)), Written, MAX_WRITTEN_BYTES)
