"""Reads the bandits of rules/*.yaml: arms, how often each is tried, and what it shows."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from compiler.files.fields import Fields, check_id
from compiler.files.yaml_lines import Node
from compiler.problems import Problems
from compiler.rules.experiments import ExperimentReader, where
from compiler.types import Arm, Bandit, Campaign, Experiment, Show
from edge.bundle import format as fmt
from edge.rules.bucketing import MAX_TOTAL, MIN_TOTAL, equal_weights

DEFAULT_FLOOR: Final = 0.01
MIN_FLOOR: Final = 0.001
MAX_FLOOR: Final = 0.5
MIN_ARMS: Final = 2
_TOLERANCE: Final = 1e-9


class BanditReader:
    """Reads bandits of one site; what an arm shows is read as what a variation shows."""

    def __init__(self, experiments: ExperimentReader, problems: Problems) -> None:
        self._experiments = experiments
        self._problems = problems

    def read(self, node: Node, path: str, position: int) -> Bandit | None:
        """One entry of the list `bandits`; None where it can't be used at all."""
        fields = Fields(node, path, where(node, "bandit", position), self._problems)
        id_ = fields.text("id", required=True)
        floor = fields.number("floor", MIN_FLOOR, MAX_FLOOR)
        arms = self._arms(fields, DEFAULT_FLOOR if floor is None else floor)
        fields.close()
        if id_ is None or not check_id(id_, "a bandit", (path, fields.line_of("id")), self._problems):
            return None
        return Bandit(id_, DEFAULT_FLOOR if floor is None else floor, arms, path, node.line)

    def _arms(self, fields: Fields, floor: float) -> tuple[Arm, ...]:
        nodes = fields.items("arms", required=True)
        line = fields.line_of("arms")
        if fields.node("arms") is not None and not MIN_ARMS <= len(nodes) <= fmt.MAX_VARIATIONS:
            hint = f"write {MIN_ARMS} to {fmt.MAX_VARIATIONS}"
            fields.error(line, "bad-value", f"has {len(nodes)} arms", hint)
            return ()
        drafts = [self._arm(node, fields, number) for number, node in enumerate(nodes, 1)]
        weights = _weights(fields, [weight for _, weight, _ in drafts], floor)
        found: dict[str, Arm] = {}
        for (key, _, shows), node, weight in zip(drafts, nodes, weights, strict=True):
            if key in found:
                fields.error(node.line, "duplicate-id", f"has two arms {key!r}", "rename one of them")
            elif key:
                found[key] = Arm(key, weight, shows)
        return tuple(found.values())

    def _arm(self, node: Node, fields: Fields, number: int) -> tuple[str, float | None, dict[str, Show]]:
        inner = Fields(node, fields.path, f"{fields.where}: arm {number}", self._problems)
        key = inner.text("key", required=True) or ""
        weight = inner.number("weight", 0, 1)
        shows = self._experiments.shows(inner)
        inner.close()
        if key and not check_id(key, "an arm", (fields.path, inner.line_of("key")), self._problems):
            key = ""
        return key, weight, shows


def _weights(fields: Fields, written: Sequence[float | None], floor: float) -> Sequence[float]:
    """The weight of each arm: all are given or none, they make up 1, and none is below the floor."""
    given = [weight for weight in written if weight is not None]
    count, total, line = len(written), sum(given), fields.line_of("arms")
    if floor * count > 1 + _TOLERANCE:
        hint = f"lower it to {1 / count:.3g} or less"
        fields.error(fields.line_of("floor"), "bad-value", f"has floor {floor:g} for {count} arms", hint)
    elif given and len(given) < count:
        fields.error(line, "missing-key", "has weights for some arms only", "give each a weight, or none")
    elif given and not MIN_TOTAL <= total <= MAX_TOTAL:
        fields.error(line, "bad-value", f"has weights that make up {total:g}", "use weights that make up 1")
    elif given and min(given) < floor - _TOLERANCE:
        message = f"has an arm of weight {min(given):g}, below its floor of {floor:g}"
        hint = "an arm that is never tried is never known: raise the weight, lower `floor`, or delete the arm"
        fields.error(line, "bad-value", message, hint)
    else:
        return given or equal_weights(count)
    return equal_weights(count)


def check_bandits(
    bandits: Sequence[Bandit],
    experiments: Iterable[Experiment],
    campaigns: Iterable[Campaign],
    problems: Problems,
) -> None:
    """Note bandits that are named as an experiment, or that nothing shows, and more than an engine takes."""
    known = {experiment.id: experiment for experiment in experiments}
    placed: defaultdict[str, set[str]] = defaultdict(set)
    for campaign in campaigns:
        placed[campaign.bandit].update(campaign.placements)
    for bandit in bandits:
        place = (bandit.path, bandit.line)
        if bandit.id in known:
            other = known[bandit.id]
            message = f"bandit {bandit.id!r} has the name of an experiment ({other.path}:{other.line})"
            problems.error(*place, "duplicate-id", message, "rename one of them: reports speak of both alike")
        if bandit.id not in placed:
            message = f"no campaign shows the bandit {bandit.id!r}"
            problems.warn(*place, "unused", message, "show it in a campaign, or delete it")
            continue
        wanted = {name for arm in bandit.arms for name in arm.shows} - {""}
        for name in sorted(wanted - placed[bandit.id]):
            message = f"bandit {bandit.id!r} shows something in {name!r}, and no campaign of it is there"
            problems.warn(*place, "unused", message, "add the placement to a campaign")
    if len(bandits) > fmt.MAX_BANDITS:
        problems.error("rules", 0, "too-large", f"{len(bandits)} bandits", f"at most {fmt.MAX_BANDITS}")
