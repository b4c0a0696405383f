"""Whether JSON is shaped as GrowthBook's SDK endpoint sends it, so that its conversion need not ask."""

from typing import Any, Final

import msgspec

MAX_DEPTH: Final = 100
"""Levels of objects and lists; conditions have fewer still."""


class _Meta(msgspec.Struct, frozen=True):
    key: str | None = None
    passthrough: bool | None = None


class _Rule(msgspec.Struct, frozen=True):
    """A rule of a feature, or an experiment: what is read of either, apart from its values."""

    key: str | None = None
    condition: dict[str, Any] | None = None
    variations: list[Any] | None = None
    meta: list[_Meta] | None = None
    weights: list[float] | None = None
    ranges: list[tuple[float, float]] | None = None
    range: tuple[float, float] | None = None
    coverage: float | None = None
    namespace: tuple[str, float, float] | None = None
    seed: str | None = None
    hashAttribute: str | None = None  # noqa: N815 - as it is sent
    hashVersion: int | None = None  # noqa: N815


class _Feature(msgspec.Struct, frozen=True):
    rules: list[_Rule] | None = None


class _Payload(msgspec.Struct, frozen=True):
    features: dict[str, _Feature] | None = None
    experiments: list[_Rule] | None = None
    savedGroups: dict[str, list[Any]] | None = None  # noqa: N815


def check_payload(payload: Any) -> None:
    """Refuse what can't be converted.

    Raises
    ------
    ValueError
        A part of it is of another type than it should be; the message says where.
    """
    level, depth = [payload], 0
    while level:
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH}")
        inner = (part.values() if isinstance(part, dict) else part for part in level)
        level = [one for parts in inner for one in parts if isinstance(one, dict | list)]
        depth += 1
    msgspec.convert(payload, _Payload)
