"""Reads rules/*.yaml: audiences and campaigns, with all that they refer to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from compiler.bandits import BanditReader, check_bandits
from compiler.best import check_values, read_worth
from compiler.caps import read_caps
from compiler.conditions import Condition, ConditionError, parse
from compiler.consent import read_names
from compiler.experiments import ExperimentReader, check_experiments, where
from compiler.fields import Fields, check_id
from compiler.groups import Groups
from compiler.holdouts import check_holdouts, read_holdouts
from compiler.layouts import LayoutReader
from compiler.lint_conditions import note_doubts
from compiler.lists import audiences_of
from compiler.problems import Problems, nearest
from compiler.schedule import read_schedule
from compiler.show import DEFAULT_LIMIT, MAX_LIMIT, Names, read_show
from compiler.site import PATH as SITE_PATH
from compiler.types import (
    WORTHLESS,
    Arm,
    Audience,
    Bandit,
    Campaign,
    Experiment,
    Holdout,
    Layout,
    Show,
    Site,
    Variation,
)
from compiler.yaml_lines import Node, read_yaml
from edge.bundle import format as fmt
from edge.consent.policy import ASKED
from edge.decide.campaigns import PAGE_LAYOUT, PAGE_REDIRECT, WHOLE_PAGE
from edge.decide.page import WORDS
from edge.rules.values import Value

__all__ = ["DEFAULT_LIMIT", "MAX_LIMIT", "MAX_PRIORITY", "Names", "Rules", "read_rules"]

FOLDER: Final = "rules"
MAX_PRIORITY: Final = 1_000_000
MAX_CAMPAIGNS: Final = 100_000
_NOT_SEEN: Final = "leave the cap out: no page reports that its layout, or where it leads, was seen"
_WHOLE_HINT: Final = f"leave `placement` out: layouts are in {PAGE_LAYOUT}, redirects in {PAGE_REDIRECT}"


@dataclass(frozen=True)
class Rules:
    """All that rules/*.yaml say, each sorted by name or id."""

    audiences: tuple[Audience, ...]
    campaigns: tuple[Campaign, ...]
    experiments: tuple[Experiment, ...]
    holdouts: tuple[Holdout, ...]
    groups: Mapping[str, Sequence[Value]]
    bandits: tuple[Bandit, ...]
    layouts: tuple[Layout, ...]


def read_rules(folder: Path, site: Site, names: Names, problems: Problems) -> Rules:
    """All audiences, experiments, bandits, campaigns and holdouts."""
    reader = _Reader(site, names, problems)
    files = []
    for file in sorted((folder / FOLDER).glob("*")):
        path = f"{FOLDER}/{file.name}"
        if file.suffix in (".yaml", ".yml"):
            node = read_yaml(folder, path, problems)
            if node is not None:
                files.append(Fields(node, path, "the file", problems))
            else:
                reader.partial = True
        elif not file.name.startswith("."):
            problems.warn(path, 0, "unused", "is no .yaml", "rename or move it")
    for fields in files:
        reader.groups.take(fields, problems)
        reader.layouts.take(fields)
    for fields in files:
        reader.take_audiences(fields)
        reader.take_experiments(fields)
        reader.take_bandits(fields)
    for fields in files:
        reader.take_campaigns(fields)
        reader.holdouts += read_holdouts(fields, problems)
        fields.close()
    reader.note_unused()
    reader.groups.note_unused(problems)
    reader.check_page_actions()
    check_experiments(_sorted(reader.experiments), _sorted(reader.campaigns), problems)
    check_values(site.places, _sorted(reader.campaigns), problems)
    check_bandits(_sorted(reader.bandits), reader.experiments.values(), reader.campaigns.values(), problems)
    if len(reader.campaigns) > MAX_CAMPAIGNS:
        problems.error(
            FOLDER, 0, "too-large", f"{len(reader.campaigns)} campaigns", f"at most {MAX_CAMPAIGNS}"
        )
    check_holdouts(reader.holdouts, reader.campaigns.values(), problems, partial=reader.partial)
    return Rules(
        _sorted(reader.audiences),
        _sorted(reader.campaigns),
        _sorted(reader.experiments),
        tuple(sorted(reader.holdouts, key=lambda holdout: holdout.id)),
        reader.groups.values,
        _sorted(reader.bandits),
        _sorted(reader.layouts.known),
    )


T = TypeVar("T")


def _sorted(named: Mapping[str, T]) -> tuple[T, ...]:
    return tuple(named[name] for name in sorted(named))


_OF_PAGE: Final = frozenset({"layout", "redirect"})
"""What is shown of the page as a whole."""


class _Reader:
    """Audiences and campaigns so far, over all files.

    Attributes
    ----------
    partial : bool
        A part of the rules can't be read, which has been told: it may hold any name that seems to be missing.
    """

    def __init__(self, site: Site, names: Names, problems: Problems) -> None:
        self.audiences: dict[str, Audience] = audiences_of(site.lists)
        self.campaigns: dict[str, Campaign] = {}
        self.experiments: dict[str, Experiment] = {}
        self.holdouts = list(site.holdouts)
        self.groups = Groups()
        self.partial = False
        self.bandits: dict[str, Bandit] = {}
        self.layouts = LayoutReader(site.blocks, problems)
        names = replace(names, layouts=self.layouts, redirect_hosts=site.redirect_hosts)
        self._experiment = ExperimentReader(site, names, problems)
        self._bandit = BanditReader(self._experiment, problems)
        self._broken_experiments: set[str] = set()
        self._broken_bandits: set[str] = set()
        self._broken: set[str] = set()
        self._named: set[str] = set()
        self._types = {attribute.name: attribute.type for attribute in site.attributes}
        self._site = site
        self._names = names
        self._problems = problems

    def take_audiences(self, fields: Fields) -> None:
        node = fields.mapping("audiences")
        if node is None:
            self.partial |= fields.node("audiences") is not None
            return
        assert isinstance(node.value, dict)
        for name, entry in node.value.items():
            place = (fields.path, entry.line)
            known = self.audiences.get(name)
            if known is not None:
                message = f"audience {name!r} is also on {known.path}:{known.line}"
                self._problems.error(*place, "duplicate-id", message, "keep one of them")
                continue
            condition = self._condition(entry, fields.path, f"audience {name!r}")
            if not check_id(name, "an audience", place, self._problems) or condition is None:
                self._broken.add(name)
                continue
            self.audiences[name] = Audience(name, condition, entry.plain(), *place)

    def take_experiments(self, fields: Fields) -> None:
        for position, node in enumerate(fields.items("experiments"), 1):
            experiment = self._experiment.read(node, fields.path, position)
            if experiment is None:
                found = node.value.get("id") if isinstance(node.value, dict) else None
                self._broken_experiments.add(str(found.value) if found is not None else "")
                continue
            known = self.experiments.get(experiment.id)
            if known is not None:
                message = f"experiment {experiment.id!r} is also on {known.path}:{known.line}"
                self._problems.error(fields.path, node.line, "duplicate-id", message, "keep one of them")
                continue
            self.experiments[experiment.id] = experiment

    def take_bandits(self, fields: Fields) -> None:
        for position, node in enumerate(fields.items("bandits"), 1):
            bandit = self._bandit.read(node, fields.path, position)
            if bandit is None:
                found = node.value.get("id") if isinstance(node.value, dict) else None
                self._broken_bandits.add(str(found.value) if found is not None else "")
                continue
            known = self.bandits.get(bandit.id)
            if known is not None:
                message = f"bandit {bandit.id!r} is also on {known.path}:{known.line}"
                self._problems.error(fields.path, node.line, "duplicate-id", message, "keep one of them")
                continue
            self.bandits[bandit.id] = bandit

    def take_campaigns(self, fields: Fields) -> None:
        for position, node in enumerate(fields.items("campaigns"), 1):
            campaign = self._campaign(node, fields.path, position)
            if campaign is None:
                continue
            known = self.campaigns.get(campaign.id)
            if known is not None:
                message = f"campaign {campaign.id!r} is also on {known.path}:{known.line}"
                self._problems.error(fields.path, node.line, "duplicate-id", message, "keep one of them")
                continue
            self.campaigns[campaign.id] = campaign

    def note_unused(self) -> None:
        """Warn of audiences that no campaign names: a condition that someone wrote in vain."""
        if not self._named <= {"", *self.audiences, *self._broken}:
            return  # one is misspelt, and told; it may mean any of them
        for name, audience in self.audiences.items():
            # A list may be used by its attribute.
            if name not in self._named and audience.path != SITE_PATH:
                message = f"no campaign is for the audience {name!r}"
                hint = "use it in a campaign, or delete it"
                self._problems.warn(audience.path, audience.line, "unused", message, hint)

    def _campaign(self, node: Node, path: str, position: int) -> Campaign | None:
        where_ = where(node, "campaign", position)
        fields = Fields(node, path, where_, self._problems)
        id_ = fields.text("id", required=True)
        audience, whom, condition = self._audience(fields)
        schedule = read_schedule(fields.mapping("schedule"), (path, where_), self._problems)
        alone, written = condition, whom
        if schedule.written:
            written = {"$and": [whom, schedule.written]}
            condition = condition.both(schedule.condition)
        purposes = read_names(fields, "purposes", self._site.consent.known)
        if purposes:
            granted = {ASKED + name: True for name in purposes}
            written = {"$and": [written, granted]}
            condition = condition.both(parse(granted, self._types))
        capped = read_caps(fields, id_ or "", self._problems)
        if capped.caps:
            written = {"$and": [written, capped.written]}
            condition = condition.both(capped.condition)
        priority = fields.integer("priority", -MAX_PRIORITY, MAX_PRIORITY) or 0
        show = fields.mapping("show", required=True)
        shown, experiment, bandit = self._show(show, path, where_)
        placements = self._placements(fields, show, shown, experiment or bandit)
        if capped.caps and placements and set(placements) <= WHOLE_PAGE.keys():
            fields.error(fields.line, "bad-value", "has a cap that nothing counts for", _NOT_SEEN)
        programme, exclusive = self._name(fields, "programme"), self._name(fields, "exclusive")
        worth = read_worth(fields, self._types)
        fields.close()
        if id_ is None or not check_id(id_, "a campaign", (path, fields.line_of("id")), self._problems):
            return None
        if condition.impossible and not alone.impossible:
            message = f"{where_} can never match: {', '.join(condition.contradictions)}"
            self._problems.warn(path, node.line, "impossible", message, "see its audience, schedule and cap")
        show_ = (shown.content, shown.recommender, shown.card, shown.limit)
        return Campaign(
            id_,
            condition,
            written,
            placements,
            priority,
            *show_,
            path=path,
            line=node.line,
            experiment=experiment,
            bandit=bandit,
            programme=programme,
            exclusive=exclusive,
            schedule=schedule,
            audience=audience,
            whom=whom,
            groups=self.groups.values,
            layout=shown.layout,
            redirect=shown.redirect,
            caps=capped.caps,
            worth=worth or WORTHLESS,
            valued=worth is not None,
            purposes=purposes,
        )

    def check_page_actions(self) -> None:
        """Warn of layouts that no campaign shows; note more of them or of redirects than an engine takes."""
        shows = {campaign.show for campaign in self.campaigns.values()}
        tested = {name for c in self.campaigns.values() for name in (c.experiment, c.bandit)}
        shows |= {show for part in self._parts(tested) for show in part.shows.values()}
        self.layouts.note_unused({show.layout for show in shows})
        for what, count, most in (
            ("layouts", len(self.layouts.known), fmt.MAX_LAYOUTS),
            ("redirects", len({show.redirect for show in shows}), fmt.MAX_REDIRECTS),
        ):
            if count > most:
                self._problems.error(FOLDER, 0, "too-large", f"{count} {what}", f"at most {most}")

    def _name(self, fields: Fields, key: str) -> str:
        """A name that needs no declaration: it means the campaigns that have it."""
        name = fields.text(key) or ""
        if name:
            check_id(name, f"a {key}", (fields.path, fields.line_of(key)), self._problems)
        return name

    def _audience(self, fields: Fields) -> tuple[str, Mapping[str, Any], Condition]:
        """Its name, where it has one, and its condition as written and as read."""
        everyone: tuple[str, Mapping[str, Any], Condition] = ("", {}, Condition())
        node = fields.node("audience")
        if node is None:
            return everyone
        if isinstance(node.value, dict):
            condition = self._condition(node, fields.path, fields.where)
            return everyone if condition is None else ("", node.plain(), condition)
        name = fields.text("audience")
        self._named.add(name or "")
        audience = self.audiences.get(name or "")
        if audience is not None:
            return audience.name, audience.written, audience.condition
        if name is not None and name not in self._broken and not self.partial:
            hint = nearest(name, {*self.audiences, *self._broken})
            fields.error(node.line, "unknown-name", f"has an unknown audience {name!r}", hint)
        return everyone

    def _condition(self, node: Node, path: str, where: str) -> Condition | None:
        self.groups.ask(node)
        try:
            condition = parse(node.plain(), self._types, self.groups.values)
            note_doubts(condition, node, (path, where), self._site.values, self._problems)
            return condition
        except ConditionError as error:
            for problem in error.problems:
                line = _line_at(node, problem.path)
                code, message = f"condition/{problem.code}", f"{where}: {problem.message}"
                self._problems.error(path, line, code, message, problem.hint)
            return None

    def _placements(self, fields: Fields, written: Node | None, shown: Show, tested: str) -> tuple[str, ...]:
        """Where; what concerns the page as a whole is in a placement of its own, written or not."""
        implied = self._implied(written, tested)
        if implied and fields.node("placement") is None:
            return implied
        found: list[str] = []
        show = fields.node("show")
        # A layout or redirect that can't be read has been told, and would not need a placement.
        broken = isinstance(show.value, dict) and bool(_OF_PAGE & show.value.keys()) if show else False
        for name, line in fields.texts("placement", required=not broken):
            if not tested and not shown.fits(name):
                fields.error(line, "bad-value", f"shows in {name!r} what can't be shown there", _WHOLE_HINT)
            elif name not in (*self._site.placements, *WHOLE_PAGE):
                if not self._site.placements:  # a problem of its own, in site.yaml
                    continue
                hint = nearest(name, self._site.placements)
                fields.error(line, "unknown-name", f"has an unknown placement {name!r}", hint)
            elif name in found:
                fields.error(line, "duplicate-id", f"names the placement {name!r} twice", "keep one of them")
            else:
                found.append(name)
        node = fields.node("placement")
        if node is not None and node.value == []:
            fields.error(node.line, "empty", "has no placement", nearest("", self._site.placements))
        return tuple(found)

    def _implied(self, written: Node | None, tested: str) -> tuple[str, ...]:
        """The placement of a layout or redirect, also where an experiment or bandit shows nothing else."""
        if not tested:
            keys = written.value if written is not None and isinstance(written.value, dict) else {}
            return tuple(placement for placement, word in WORDS.items() if word in keys)
        if tested in self._broken_experiments | self._broken_bandits:
            return tuple(WHOLE_PAGE)  # what it shows is not known
        placed = {placement for part in self._parts({tested}) for placement in part.shows}
        return tuple(sorted(placed)) if placed <= WHOLE_PAGE.keys() else ()

    def _parts(self, tested: set[str]) -> list[Variation | Arm]:
        """The variations and arms of these experiments and bandits."""
        parts: list[Variation | Arm] = []
        for experiment in self.experiments.values():
            parts += experiment.variations if experiment.id in tested else ()
        for bandit in self.bandits.values():
            parts += bandit.arms if bandit.id in tested else ()
        return parts

    def _show(self, node: Node | None, path: str, where_: str) -> tuple[Show, str, str]:
        """What it shows, or the experiment or the bandit that says so."""
        if node is None:
            return Show(), "", ""
        assert isinstance(node.value, dict)
        place = (path, f"{where_}: show")
        if "experiment" in node.value:
            known = {*self.experiments, *self._broken_experiments}
            return Show(), self._tested(node, place, "experiment", known), ""
        if "bandit" in node.value:
            return Show(), "", self._tested(node, place, "bandit", {*self.bandits, *self._broken_bandits})
        return read_show(node, place, self._names, self._problems) or Show(), "", ""

    def _tested(self, node: Node, place: tuple[str, str], key: str, known: set[str]) -> str:
        """The experiment or bandit that is named; '' stands for any that can't be read."""
        fields = Fields(node, *place, self._problems)
        name = fields.text(key)
        fields.close()
        if name is not None and name not in known and not self.partial:
            message = f"has an unknown {key} {name!r}"
            fields.error(fields.line_of(key), "unknown-name", message, nearest(name, known))
        return name or ""


def _line_at(node: Node, path: tuple[str | int, ...]) -> int:
    """The line of a condition's part; as near as the path leads."""
    for step in path:
        value: Any = node.value
        try:
            node = value[step]
        except (KeyError, IndexError, TypeError):
            break
    return node.line
