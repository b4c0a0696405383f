"""The experiments and bandits of rules/*.yaml: what a campaign may leave it to what is shown."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from compiler.files.fields import Fields
from compiler.files.yaml_lines import Node
from compiler.problems import Problems, nearest
from compiler.rules.audiences import Gaps
from compiler.rules.bandits import BanditReader
from compiler.rules.experiments import ExperimentReader
from compiler.rules.show import Names
from compiler.types import Arm, Bandit, Experiment, Site, Variation

KEYS = ("experiment", "bandit")


class _Placed(Protocol):
    """What stands somewhere under an id of its own."""

    @property
    def id(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def line(self) -> int: ...


P = TypeVar("P", bound=_Placed)


class TestedReader:
    """The experiments and bandits of all files so far.

    Attributes
    ----------
    experiments : dict[str, Experiment]
        By id.
    bandits : dict[str, Bandit]
        By id.
    """

    def __init__(self, site: Site, names: Names, gaps: Gaps, problems: Problems) -> None:
        self.experiments: dict[str, Experiment] = {}
        self.bandits: dict[str, Bandit] = {}
        self._broken: dict[str, set[str]] = {key: set() for key in KEYS}
        self._experiment = ExperimentReader(site, names, problems)
        self._bandit = BanditReader(self._experiment, problems)
        self._gaps = gaps
        self._problems = problems

    def take(self, fields: Fields) -> None:
        """Read what a file has under ``experiments`` and ``bandits``."""
        self._take(fields, "experiment", self._experiment.read, self.experiments)
        self._take(fields, "bandit", self._bandit.read, self.bandits)

    def _take(
        self, fields: Fields, key: str, read: Callable[[Node, str, int], P | None], known: dict[str, P]
    ) -> None:
        for position, node in enumerate(fields.items(f"{key}s"), 1):
            found = read(node, fields.path, position)
            if found is None:
                id_: Any = node.value.get("id") if isinstance(node.value, dict) else None
                self._broken[key].add(str(id_.value) if id_ is not None else "")
            elif found.id in known:
                other = known[found.id]
                what, first = f"{key} {found.id!r}", f"{other.path}:{other.line}"
                self._problems.twice(fields.path, node.line, what, first)
            else:
                known[found.id] = found

    def is_broken(self, id_: str) -> bool:
        """Whether one of this id can't be read, which has been told."""
        return any(id_ in broken for broken in self._broken.values())

    def parts(self, tested: set[str]) -> list[Variation | Arm]:
        """The variations and arms of these experiments and bandits."""
        parts: list[Variation | Arm] = []
        for experiment in self.experiments.values():
            parts += experiment.variations if experiment.id in tested else ()
        for bandit in self.bandits.values():
            parts += bandit.arms if bandit.id in tested else ()
        return parts

    def named(self, node: Node, place: tuple[str, str], key: str) -> str:
        """The experiment or bandit that is named; '' stands for any that can't be read."""
        fields = Fields(node, *place, self._problems)
        name = fields.text(key)
        fields.close()
        ids = self.experiments if key == "experiment" else self.bandits
        known = {*ids, *self._broken[key]}
        if name is not None and name not in known and not self._gaps.partial:
            message = f"has an unknown {key} {name!r}"
            fields.error(fields.line_of(key), "unknown-name", message, nearest(name, known))
        return name or ""
