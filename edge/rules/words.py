"""Conditions in words: what one asks for, and which part of it fails with which value."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from edge.rules.evaluate import Groups, evaluate, fits, holds, value_at

Condition = Mapping[str, Any]
"""With dotted names, as bundles keep them."""

_NO_GROUPS: Final[Groups] = {}

MAX_NAMED: Final = 8
"""Values of one list that are named."""

MAX_CHARS: Final = 60
"""Of one value."""

NOW: Final = "time.now"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FAR_MS: Final = 60_000_000_000_000
"""Some 1,900 years: later instants are shown as they are."""

_INVERSE: Final = {
    "$ne": "$eq",
    "$nin": "$in",
    "$nini": "$ini",
    "$notRegex": "$regex",
    "$notRegexi": "$regexi",
    "$vne": "$veq",
    "$not": "=",
    "$notInGroup": "$inGroup",
}
"""What must not be, where these stand."""

_PHRASES: Final = {
    "$gt": "more than {}",
    "$gte": "at least {}",
    "$lt": "less than {}",
    "$lte": "at most {}",
    "$regex": "matched by {}",
    "$regexi": "matched by {} in capital or small letters",
    "$veq": "version {}",
    "$vgt": "a version above {}",
    "$vgte": "version {} or above",
    "$vlt": "a version below {}",
    "$vlte": "version {} or below",
    "$cidr": "in the network {}",
    "$url": "an address like {}",
    "$before": "before {}",
    "$after": "at or after {}",
    "$type": "of the type {}",
}
"""After "is"; of the others see `_noun`."""


def words(condition: Condition) -> str:
    """What the condition asks for; "everyone" where that is nothing."""
    return " and ".join(_asked(name, wanted) for name, wanted in condition.items()) or "everyone"


def failure(condition: Condition, attributes: Mapping[str, Any], groups: Groups = _NO_GROUPS) -> str:
    """The first part that fails, with the value that it found; empty where the condition holds."""
    for name, wanted in condition.items():
        join = _JOINS.get(name)
        if join:
            found = join(wanted, attributes, groups)
        else:
            found = _leaf_failure(name, wanted, value_at(attributes, name), groups)
        if found:
            return found
    return ""


def _asked(name: str, wanted: Any) -> str:
    if name == "$and":
        return _joined(wanted, " and ")
    if name == "$or":
        return _joined(wanted, " or ")
    if name == "$nor":
        return f"neither {_joined(wanted, ' nor ')}"
    if name == "$not":
        return f"not ({words(wanted)})"
    return " and ".join(f"{name} is {_wanted(name, op, operand)}" for op, operand in _operators(wanted))


def _joined(parts: Sequence[Condition], between: str) -> str:
    asked = [f"({text})" if " and " in text or " or " in text else text for text in map(words, parts)]
    return between.join(asked) or "everyone"


def _all_failure(parts: Sequence[Condition], attributes: Mapping[str, Any], groups: Groups) -> str:
    return next((found for part in parts if (found := failure(part, attributes, groups))), "")


def _any_failure(parts: Sequence[Condition], attributes: Mapping[str, Any], groups: Groups) -> str:
    found = [failure(part, attributes, groups) for part in parts]
    if not found or not all(found):
        return ""
    more = f"; and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return f"none of {len(found)} holds: {'; '.join(found[:MAX_NAMED])}{more}" if len(found) > 1 else found[0]


def _nor_failure(parts: Sequence[Condition], attributes: Mapping[str, Any], groups: Groups) -> str:
    if not parts:
        return "it excludes everyone"
    return next((found for part in parts if (found := _not_failure(part, attributes, groups))), "")


def _not_failure(part: Condition, attributes: Mapping[str, Any], groups: Groups) -> str:
    """Why a part that must not hold does: told by the values that it found."""
    if not evaluate(part, attributes, groups):
        return ""
    leaves = [
        (name, op, operand)
        for name, wanted in part.items()
        if name not in _JOINS
        for op, operand in _operators(wanted)
    ]
    if len(leaves) == 1 == len(part):
        ((name, op, operand),) = leaves
        return f"{_is(name, value_at(attributes, name))}, and must not be {_wanted(name, op, operand)}"
    return f"it must not hold that {words(part)}"


_JOINS: Final[Mapping[str, Callable[[Any, Mapping[str, Any], Groups], str]]] = {
    "$and": _all_failure,
    "$or": _any_failure,
    "$nor": _nor_failure,
    "$not": _not_failure,
}


def _leaf_failure(name: str, wanted: Any, value: Any, groups: Groups) -> str:
    for op, operand in _operators(wanted):
        if fits(operand, value, groups) if op == "=" else holds(op, value, operand, groups):
            continue
        if op == "$exists":
            return f"{_is(name, value)}, and must be {'there' if operand else 'missing'}"
        if op not in _INVERSE:
            return f"{_is(name, value)}, not {_noun(name, op, operand)}"
        return f"{_is(name, value)}, and must not be {_noun(name, _INVERSE[op], operand)}"
    return ""


def _operators(wanted: Any) -> Iterable[tuple[str, Any]]:
    """The operators below an attribute; ``=`` for a plain value."""
    if isinstance(wanted, dict) and wanted and all(name.startswith("$") for name in wanted):
        return wanted.items()
    return (("=", wanted),)


def _is(name: str, value: Any) -> str:
    return f"{name} is {_shown(name, value)}"


def _wanted(name: str, op: str, operand: Any) -> str:
    """What must be, after "is"."""
    if op in _INVERSE:
        return f"not {_noun(name, _INVERSE[op], operand)}"
    return _noun(name, op, operand)


def _noun(name: str, op: str, operand: Any) -> str:
    """What must be, of an operator that asks for something; of `$not` and a plain value, what is below."""
    phrase = _PHRASES.get(op)
    if phrase is not None:
        return phrase.format(_shown(name, operand))
    special = _NOUNS.get(op)
    return _parts(name, operand) if special is None else special(operand)


def _group(operand: Any) -> str:
    return f"of the group {operand}" if isinstance(operand, str) else _listed(operand, "one of")


_NOUNS: Final[Mapping[str, Callable[[Any], str]]] = {
    "$in": _group,
    "$inGroup": _group,
    "$ini": lambda operand: f"{_group(operand)} in capital or small letters",
    "$all": lambda operand: f"a list with {_listed(operand, 'each of')}",
    "$alli": lambda operand: f"a list with {_listed(operand, 'each of')} in capital or small letters",
    "$size": lambda operand: f"a list whose length is {_parts('', operand)}",
    "$elemMatch": lambda operand: f"a list with an element that is {_parts('', operand)}",
    "$exists": lambda operand: "there" if operand else "missing",
}


def _parts(name: str, wanted: Any) -> str:
    parts = _operators(wanted)
    return " and ".join(
        _shown(name, operand) if op == "=" else _wanted(name, op, operand) for op, operand in parts
    )


def _listed(values: Any, before: str) -> str:
    if not isinstance(values, list | tuple):  # the compiler refuses it, the dialect does not
        return f"{before} {_shown('', values)}"
    named = [value if isinstance(value, str) else _shown("", value) for value in values]
    if len(named) == 1:
        return _shown("", values[0])
    more = f" and {len(named) - MAX_NAMED:,} more" if len(named) > MAX_NAMED else ""
    return f"{before} {', '.join(map(_short, named[:MAX_NAMED]))}{more}" if named else "one of nothing"


def _shown(name: str, value: Any) -> str:
    """A value as people read it: text in quotes, the clock as a date."""
    if value is None:
        return "missing"
    if name == NOW and isinstance(value, int | float) and abs(value) < _FAR_MS:
        return f"{_EPOCH + timedelta(milliseconds=int(value)):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _short(json.dumps(value, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= MAX_CHARS else text[:MAX_CHARS] + "…"
