"""Which attributes a GrowthBook payload asks about, how they are called here, and of what type they are."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from compiler.site import BUILT_IN, OWN_SOURCE

Json = Mapping[str, Any]

_LOGIC: Final = ("$and", "$or", "$nor", "$not")
_TEXTS: Final = frozenset(
    {"$regex", "$notRegex", "$regexi", "$notRegexi", "$veq", "$vne", "$vgt", "$vgte", "$vlt", "$vlte"}
)
_GROUPS: Final = {"$inGroup": "$in", "$notInGroup": "$nin"}


class Attributes:
    """The attributes that conditions and hashes ask about.

    Attributes
    ----------
    types : dict[str, str]
        By the name that they have here.
    """

    def __init__(self, conditions: Iterable[Json], groups: Mapping[str, Sequence[Any]]) -> None:
        self._groups = groups
        self.types: dict[str, str] = {}
        for condition in conditions:
            for name, kind in _asked(self.condition(condition)):
                self.types[name] = self.types.get(name) or BUILT_IN.get(name) or kind
        self.types = {name: kind or "string" for name, kind in self.types.items()}

    def condition(self, condition: Json) -> dict[str, Any]:
        """The condition with names that attributes have here, and saved groups written out.

        What is no condition stays as it is, for who reads the condition to refuse.
        """
        return {
            name if name.startswith("$") else attribute(name): self._part(name, wanted)
            for name, wanted in condition.items()
        }

    def _part(self, name: str, wanted: Any) -> Any:
        if name in ("$and", "$or", "$nor"):
            parts = wanted if isinstance(wanted, list) else ()
            return [self.condition(part) if isinstance(part, Mapping) else part for part in parts] or wanted
        if isinstance(wanted, Mapping):
            if name == "$not" or not any(key.startswith("$") for key in wanted):
                return self.condition(wanted)
            return self._operators(wanted)
        return wanted

    def _operators(self, given: Json) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for operator, operand in given.items():
            if operator in _GROUPS and isinstance(operand, str):
                found[_GROUPS[operator]] = list(self._groups.get(operand, ()))
            elif isinstance(operand, Mapping):
                found[operator] = self._operators(operand)
            else:
                found[operator] = operand
        return found

    def hashed(self, name: str) -> str:
        """The attribute that visitors are divided by."""
        here = attribute(name)
        self.types.setdefault(here, "string")
        return here

    def declared(self) -> dict[str, dict[str, str]]:
        """What site.yaml says of them; where each really comes from is for people to say."""
        return {
            name: {"type": kind, "source": f"cookie:{name.replace('.', '_')}"}
            for name, kind in sorted(self.types.items())
            if name not in BUILT_IN or name in OWN_SOURCE
        }


def attribute(name: str) -> str:
    """The name as attributes are called here: ``deviceType`` is ``device_type``."""
    parts = [re.sub(r"[^a-z0-9_]+", "_", _snake(part)).strip("_") or "x" for part in name.split(".")]
    parts[0] = parts[0] if parts[0][0].isalpha() else f"a{parts[0]}"
    return ".".join(parts[:8])


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _asked(condition: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Attributes and the type that they are compared with; '' where nothing can be told."""
    for name, wanted in condition.items():
        if name in _LOGIC:
            for part in wanted if isinstance(wanted, list) else [wanted]:
                yield from _asked(part) if isinstance(part, Mapping) else ()
        elif isinstance(wanted, Mapping) and not any(key.startswith("$") for key in wanted):
            yield from _asked(wanted, f"{prefix}{name}.")
        else:
            yield prefix + name, _type(wanted)


def _type(wanted: Any) -> str:
    if isinstance(wanted, Mapping):
        kinds = [
            "string" if operator in _TEXTS else _type_of(operator, operand)
            for operator, operand in wanted.items()
        ]
        return next((kind for kind in kinds if kind), "")
    if isinstance(wanted, list):
        return next((kind for kind in map(_type, wanted) if kind), "")
    if isinstance(wanted, bool):
        return "boolean"
    return {str: "string", int: "number", float: "number"}.get(type(wanted), "")


def _type_of(operator: str, operand: Any) -> str:
    return "" if operator in ("$exists", "$type", "$size") else _type(operand)
