"""Reads the experiments of rules/*.yaml: who is divided how, and what each part sees."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from compiler.files.fields import Fields, check_id
from compiler.files.yaml_lines import Node
from compiler.problems import Problems, nearest
from compiler.rules.show import KEYS, Names, is_shown, read_show
from compiler.types import Campaign, Experiment, Show, Site, Variation
from edge.bundle import format as fmt
from edge.decide.campaigns import PAGE_LAYOUT, PAGE_REDIRECT, WHOLE_PAGE
from edge.decide.choice import VISITOR_ID
from edge.rules.bucketing import MAX_TOTAL, MIN_TOTAL, Range, bucket_ranges

NOTHING: Final = "nothing"
MAX_STICKY: Final = 1_000_000
MAX_SEED_CHARACTERS: Final = 128


class ExperimentReader:
    """Reads experiments of one site."""

    def __init__(self, site: Site, names: Names, problems: Problems) -> None:
        self._types = {attribute.name: attribute.type for attribute in site.attributes}
        self._placements = (*site.placements, *WHOLE_PAGE)
        self._site_has_placements = bool(site.placements)
        self._names = names
        self._problems = problems

    def read(self, node: Node, path: str, position: int) -> Experiment | None:
        """One entry of the list `experiments`; None where it can't be used at all."""
        fields = Fields(node, path, where(node, "experiment", position), self._problems)
        id_ = fields.text("id", required=True)
        hashed = self._hash(fields)
        version = fields.integer("hashVersion", 1, 2) or 2
        seed = fields.text("seed") or id_ or ""
        sticky = fields.integer("sticky", 1, MAX_STICKY) or 0
        namespace = self._namespace(fields)
        variations = self._variations(fields)
        fields.close()
        if len(seed) > MAX_SEED_CHARACTERS:
            hint = f"use up to {MAX_SEED_CHARACTERS} characters"
            fields.error(fields.line_of("seed"), "bad-value", "has a long seed", hint)
        place = (path, fields.line_of("id"))
        if id_ is None or not check_id(id_, "an experiment", place, self._problems):
            return None
        return Experiment(
            id_, hashed, version, seed, sticky, namespace, tuple(variations), path=path, line=node.line
        )

    def _hash(self, fields: Fields) -> str:
        name = fields.text("hash") or VISITOR_ID
        if name != VISITOR_ID and self._types.get(name) not in ("string", "number"):
            known = {VISITOR_ID, *(n for n, type_ in self._types.items() if type_ in ("string", "number"))}
            message = f"has hash {name!r}, which is neither {VISITOR_ID} nor a text or number of the site"
            fields.error(fields.line_of("hash"), "unknown-name", message, nearest(name, known))
        return name

    def _namespace(self, fields: Fields) -> tuple[str, float, float] | None:
        node = fields.mapping("namespace")
        if node is None:
            return None
        inner = Fields(node, fields.path, f"{fields.where}: namespace", self._problems)
        name, range_ = inner.text("name", required=True), inner.node("range", required=True)
        inner.close()
        part = None if range_ is None else read_range(range_, inner, "range")
        return None if name is None or part is None else (name, *part)

    def _variations(self, fields: Fields) -> list[Variation]:
        nodes = fields.items("variations", required=True)
        line = fields.line_of("variations")
        if fields.node("variations") is not None and not 1 <= len(nodes) <= fmt.MAX_VARIATIONS:
            hint = f"write 1 to {fmt.MAX_VARIATIONS}"
            fields.error(line, "bad-value", f"has {len(nodes)} variations", hint)
        drafts = [self._variation(node, fields, number) for number, node in enumerate(nodes, 1)]
        ranges = self._ranges(fields, [weight for _, weight, _ in drafts])
        found: dict[str, Variation] = {}
        for (key, _, shows), node, part in zip(drafts, nodes, ranges, strict=False):
            if key in found:
                fields.error(node.line, "duplicate-id", f"has two variations {key!r}", "rename one of them")
            elif key:
                found[key] = Variation(key, *part, shows)
        return list(found.values())

    def _variation(
        self, node: Node, fields: Fields, number: int
    ) -> tuple[str, float | None, dict[str, Show]]:
        inner = Fields(node, fields.path, f"{fields.where}: variation {number}", self._problems)
        key = inner.text("key", required=True) or ""
        weight = inner.number("weight", 0, 1)
        shows = self.shows(inner)
        inner.close()
        place = (fields.path, inner.line_of("key"))
        if key and not check_id(key, "a variation", place, self._problems):
            key = ""
        return key, weight, shows

    def shows(self, fields: Fields) -> dict[str, Show]:
        """What each placement shows, or all of them (the empty name); none keeps the site's default."""
        node = fields.node("show", required=True)
        if node is None or node.value == NOTHING:
            return {}
        place = (fields.path, f"{fields.where}: show")
        if not isinstance(node.value, dict):
            hint = f"write `{NOTHING}`, what a campaign shows like {{content: ID}}, or that by placement"
            fields.error(node.line, "wrong-type", f"shows {node.kind()}", hint)
            return {}
        if is_shown(node):
            show = read_show(node, place, self._names, self._problems)
            return {} if show is None else {show.whole_page: show}
        found: dict[str, Show] = {}
        for placement, entry in node.value.items():
            if placement not in self._placements:
                if not self._site_has_placements:  # a problem of its own, in site.yaml
                    continue
                hint = nearest(placement, {*self._placements, *KEYS})
                fields.error(
                    entry.line, "unknown-name", f"shows something in an unknown placement {placement!r}", hint
                )
            elif entry.value != NOTHING:
                show = read_show(entry, place, self._names, self._problems)
                if show is not None and not show.fits(placement):
                    self._misfit(fields, placement, entry.line)
                elif show is not None:
                    found[placement] = show
        return found

    def _misfit(self, fields: Fields, placement: str, line: int) -> None:
        hint = f"layouts stand under {PAGE_LAYOUT}, redirects under {PAGE_REDIRECT}, and nothing else does"
        fields.error(line, "bad-value", f"shows in {placement!r} what can't be shown there", hint)

    def _ranges(self, fields: Fields, weights: list[float | None]) -> Sequence[Range]:
        """The part of the visitors that each variation has: as written, or by coverage and weights."""
        coverage = fields.number("coverage", 0, 1)
        written = fields.items("ranges")
        if written:
            return self._written_ranges(fields, written, weights, coverage)
        given = [weight for weight in weights if weight is not None]
        line = fields.line_of("variations")
        if given and len(given) < len(weights):
            fields.error(line, "missing-key", "has weights for some variations only", "give each a weight")
        elif given and not MIN_TOTAL <= sum(given) <= MAX_TOTAL:
            hint = "use weights that make up 1; to reach fewer visitors, set coverage"
            fields.error(line, "bad-value", f"has weights that make up {sum(given):g}", hint)
        return bucket_ranges(len(weights), 1.0 if coverage is None else coverage, given or None)

    def _written_ranges(
        self, fields: Fields, nodes: list[Node], weights: list[float | None], coverage: float | None
    ) -> Sequence[Range]:
        line = fields.line_of("ranges")
        if coverage is not None or any(weight is not None for weight in weights):
            fields.error(line, "bad-value", "has ranges and weights or coverage", "write either of them")
        if len(nodes) != len(weights):
            message = f"has {len(nodes)} ranges for {len(weights)} variations"
            fields.error(line, "bad-value", message, "write one for each, in their order")
        found = [read_range(node, fields, "ranges") or (0.0, 0.0) for node in nodes]
        for one, other in zip(sorted(found), sorted(found)[1:], strict=False):
            if other[0] < one[1]:
                message = f"has ranges that overlap: {list(one)} and {list(other)}"
                fields.error(line, "bad-value", message, "the end of a range may be the start of the next")
        return found


def check_experiments(
    experiments: Sequence[Experiment], campaigns: Sequence[Campaign], problems: Problems
) -> None:
    """Note what is wrong between experiments and campaigns, and more of them than an engine takes."""
    placed: defaultdict[str, set[str]] = defaultdict(set)
    for campaign in campaigns:
        placed[campaign.experiment].update(campaign.placements)
    for experiment in experiments:
        _note_unused(experiment, placed.get(experiment.id), problems)
    _note_overlaps([experiment for experiment in experiments if experiment.id in placed], problems)
    groups = {campaign.exclusive for campaign in campaigns} - {""}
    for what, count, most in (
        ("experiments", len(experiments), fmt.MAX_EXPERIMENTS),
        ("exclusive groups", len(groups), fmt.MAX_GROUPS),
    ):
        if count > most:
            problems.error("rules", 0, "too-large", f"{count} {what}", f"at most {most}")


def _note_unused(experiment: Experiment, placements: set[str] | None, problems: Problems) -> None:
    """What no campaign shows."""
    place = (experiment.path, experiment.line)
    if placements is None:
        message = f"no campaign shows the experiment {experiment.id!r}"
        problems.warn(*place, "unused", message, "show it in a campaign, or delete it")
        return
    wanted = {name for variation in experiment.variations for name in variation.shows} - {""}
    for name in sorted(wanted - placements):
        message = f"experiment {experiment.id!r} shows something in {name!r}, and no campaign of it is there"
        problems.warn(*place, "unused", message, "add the placement to a campaign")


def _note_overlaps(experiments: Sequence[Experiment], problems: Problems) -> None:
    """Experiments of one namespace are meant not to meet."""
    spaces: defaultdict[str, list[Experiment]] = defaultdict(list)
    for experiment in experiments:
        if experiment.namespace:
            spaces[experiment.namespace[0]].append(experiment)
    for name, members in spaces.items():
        reach: tuple[float, str] = (0.0, "")
        for start, end, experiment in sorted(
            ((*e.namespace[1:], e) for e in members if e.namespace), key=lambda entry: (entry[0], entry[2].id)
        ):
            if start < reach[0] and start < end:
                message = (
                    f"experiment {experiment.id!r} shares visitors of namespace {name!r} with {reach[1]!r}"
                )
                hint = "give them parts that do not overlap, like [0, 0.5] and [0.5, 1]"
                problems.warn(experiment.path, experiment.line, "overlap", message, hint)
            reach = max(reach, (end, experiment.id))


def read_range(node: Node, fields: Fields, key: str) -> Range | None:
    """Two numbers from 0 to 1, the first not above the second; None where a problem was noted instead."""
    values = [entry.value for entry in node.value] if isinstance(node.value, list) else []
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(values) == len(numbers) == 2 and 0 <= numbers[0] <= numbers[1] <= 1:
        return numbers[0], numbers[1]
    hint = "write two numbers from 0 to 1, like [0, 0.5]"
    fields.error(node.line, "bad-value", f"has {key} that are no part of 0 to 1", hint)
    return None


def where(node: Node, what: str, position: int) -> str:
    """How problems speak of an entry: by its id, or else by its position."""
    found = node.value.get("id") if isinstance(node.value, dict) else None
    return (
        f"{what} {found.value!r}"
        if found is not None and isinstance(found.value, str)
        else f"{what} {position}"
    )
