"""Reads the campaigns of rules/*.yaml, with all that they refer to."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from compiler.conditions.check import Condition, parse
from compiler.consent import read_names
from compiler.files.fields import Fields, check_id
from compiler.files.yaml_lines import Node
from compiler.problems import Problems, nearest
from compiler.rules.audiences import AudienceReader
from compiler.rules.best import read_worth
from compiler.rules.caps import Capped, read_caps
from compiler.rules.experiments import where
from compiler.rules.groups import Groups
from compiler.rules.schedule import Schedule, read_schedule
from compiler.rules.show import Names, read_show
from compiler.rules.tested import TestedReader
from compiler.types import WORTHLESS, Campaign, Show, Site
from edge.consent.policy import ASKED
from edge.decide.campaigns import PAGE_LAYOUT, PAGE_REDIRECT, WHOLE_PAGE
from edge.decide.page import WORDS

MAX_PRIORITY: Final = 1_000_000
_NOT_SEEN: Final = "leave the cap out: no page reports that its layout, or where it leads, was seen"
_WHOLE_HINT: Final = f"leave `placement` out: layouts are in {PAGE_LAYOUT}, redirects in {PAGE_REDIRECT}"
_OF_PAGE: Final = frozenset({"layout", "redirect"})
"""What is shown of the page as a whole."""


class _Whom(NamedTuple):
    """Whom a campaign is for, and when: its audience, and all conditions joined."""

    audience: str
    whom: Mapping[str, Any]
    written: Mapping[str, Any]
    condition: Condition
    schedule: Schedule
    purposes: tuple[str, ...]
    capped: Capped


class CampaignReader:
    """The campaigns of all files so far.

    Attributes
    ----------
    known : dict[str, Campaign]
        By id.
    """

    def __init__(self, site: Site, names: Names, audiences: AudienceReader, tested: TestedReader) -> None:
        self.known: dict[str, Campaign] = {}
        self._site, self._names = site, names
        self._audiences, self._tested = audiences, tested
        self._groups: Groups = audiences.groups
        self._problems: Problems = audiences.problems

    def take(self, fields: Fields) -> None:
        """Read what a file has under ``campaigns``."""
        for position, node in enumerate(fields.items("campaigns"), 1):
            campaign = self._campaign(node, fields.path, position)
            if campaign is None:
                continue
            known = self.known.get(campaign.id)
            if known is not None:
                what, first = f"campaign {campaign.id!r}", f"{known.path}:{known.line}"
                self._problems.twice(fields.path, node.line, what, first)
                continue
            self.known[campaign.id] = campaign

    def shown(self) -> set[Show]:
        """All that campaigns show, by themselves or by what they leave it to."""
        tested = {name for c in self.known.values() for name in (c.experiment, c.bandit)}
        shows = {campaign.show for campaign in self.known.values()}
        return shows | {show for part in self._tested.parts(tested) for show in part.shows.values()}

    def _campaign(self, node: Node, path: str, position: int) -> Campaign | None:
        where_ = where(node, "campaign", position)
        fields = Fields(node, path, where_, self._problems)
        id_ = fields.text("id", required=True)
        whom = self._whom(fields, id_ or "")
        priority = fields.integer("priority", -MAX_PRIORITY, MAX_PRIORITY) or 0
        show = fields.mapping("show", required=True)
        shown, experiment, bandit = self._show(show, path, where_)
        placements = self._placements(fields, show, shown, experiment or bandit)
        if whom.capped.caps and placements and set(placements) <= WHOLE_PAGE.keys():
            fields.error(fields.line, "bad-value", "has a cap that nothing counts for", _NOT_SEEN)
        programme, exclusive = self._name(fields, "programme"), self._name(fields, "exclusive")
        worth = read_worth(fields, self._audiences.types)
        fields.close()
        if id_ is None or not check_id(id_, "a campaign", (path, fields.line_of("id")), self._problems):
            return None
        show_ = (shown.content, shown.recommender, shown.card, shown.limit)
        return Campaign(
            id_,
            whom.condition,
            whom.written,
            placements,
            priority,
            *show_,
            path=path,
            line=node.line,
            experiment=experiment,
            bandit=bandit,
            programme=programme,
            exclusive=exclusive,
            schedule=whom.schedule,
            audience=whom.audience,
            whom=whom.whom,
            groups=self._groups.values,
            layout=shown.layout,
            redirect=shown.redirect,
            caps=whom.capped.caps,
            worth=worth or WORTHLESS,
            valued=worth is not None,
            purposes=whom.purposes,
        )

    def _whom(self, fields: Fields, id_: str) -> _Whom:
        """Whom it is for: audience, schedule, purposes and caps together."""
        audience, whom, alone = self._audiences.of(fields)
        schedule = read_schedule(fields.mapping("schedule"), (fields.path, fields.where), self._problems)
        purposes = read_names(fields, "purposes", self._site.consent.known)
        granted = {ASKED + name: True for name in purposes}
        capped = read_caps(fields, id_, self._problems)
        written, condition = whom, alone
        for part, joined in (
            (schedule.written, schedule.condition),
            (granted, parse(granted, self._audiences.types) if granted else Condition()),
            (capped.written, capped.condition),
        ):
            if part:
                written, condition = {"$and": [written, part]}, condition.both(joined)
        if condition.impossible and not alone.impossible:
            names = ", ".join(condition.contradictions)
            message = f"{fields.where} can never match: what it demands of {names} excludes itself"
            hint = "see its audience, schedule and cap, which hold together"
            self._problems.warn(fields.path, fields.line, "impossible", message, hint)
        return _Whom(audience, whom, written, condition, schedule, purposes, capped)

    def _name(self, fields: Fields, key: str) -> str:
        """A name that needs no declaration: it means the campaigns that have it."""
        name = fields.text(key) or ""
        if name:
            check_id(name, f"a {key}", (fields.path, fields.line_of(key)), self._problems)
        return name

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
        if self._tested.is_broken(tested):
            return tuple(WHOLE_PAGE)  # what it shows is not known
        placed = {placement for part in self._tested.parts({tested}) for placement in part.shows}
        return tuple(sorted(placed)) if placed <= WHOLE_PAGE.keys() else ()

    def _show(self, node: Node | None, path: str, where_: str) -> tuple[Show, str, str]:
        """What it shows, or the experiment or the bandit that says so."""
        if node is None:
            return Show(), "", ""
        assert isinstance(node.value, dict)
        place = (path, f"{where_}: show")
        if "experiment" in node.value:
            return Show(), self._tested.named(node, place, "experiment"), ""
        if "bandit" in node.value:
            return Show(), "", self._tested.named(node, place, "bandit")
        return read_show(node, place, self._names, self._problems) or Show(), "", ""
