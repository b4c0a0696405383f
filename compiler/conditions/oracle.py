"""What a written condition means, as plainly as it can be said: the yardstick of the index."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from edge.rules.evaluate import evaluate as evaluate_flat
from edge.rules.values import KINDS, typed

_NO_GROUPS: Final[Mapping[str, Sequence[Any]]] = {}


def evaluate(
    condition: Mapping[str, Any],
    attributes: Mapping[str, Any],
    groups: Mapping[str, Sequence[Any]] = _NO_GROUPS,
) -> bool:
    """Whether the condition, as it was written, holds for these attributes.

    It is of the dialect but for one thing: a mapping without operators is no object
    that an attribute must equal, but attributes whose names begin with what it stands for.
    """
    return evaluate_flat(flat(condition), attributes, groups)


def conform(attributes: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    """The attributes without values of other types than declared, which count as missing."""
    return {name: value for name, value in attributes.items() if typed(value, KINDS[types[name]]) is not None}


def flat(condition: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The same with dotted names, `prefix` before each."""
    parts: list[dict[str, Any]] = []
    for name, wanted in condition.items():
        if name in ("$and", "$or", "$nor"):
            parts.append({name: [flat(part) for part in wanted]})
        elif name == "$not":
            parts.append({name: flat(wanted)})
        elif isinstance(wanted, Mapping) and not any(str(key).startswith("$") for key in wanted):
            parts.append(flat(wanted, f"{prefix}{name}."))
        else:
            parts.append({prefix + name: wanted})
    merged = {name: wanted for part in parts for name, wanted in part.items()}
    return merged if len(merged) == sum(map(len, parts)) else {"$and": parts}
