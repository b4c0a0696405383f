"""What the rules, the models and the catalog of a bundle say, read from its artifacts without its runtime."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from edge.bundle import format as fmt
from edge.bundle.arrays import unpack
from edge.bundle.format import Artifact, ModelsPlan, RulesGolden, RulesSchema
from edge.bundle.reader import Bundle
from edge.bundle.strings import Strings
from edge.bundle.written import Written, load_written
from edge.decide.campaigns import BANDIT, CONTENT, EXPERIMENT, LAYOUT, RECOMMENDER, Campaigns
from edge.decide.caps import Cap, Caps, load_reports
from edge.decide.choice import Chooser, load_choices
from edge.decide.page import WholePage, load_page
from edge.decide.predictor import Predictor, load_predictor, read_predictions, types_of
from edge.decide.tastes import NONE as NO_TASTES
from edge.decide.tastes import Tastes, load_tastes
from edge.decide.types import Context, Value
from edge.rules.index import Index
from origin.explain.value_words import formula

HEAVY: Final = frozenset({"graph", "arrays"})
"""Kinds of artifacts that are not opened here: a bundle may lack them."""


@dataclass(frozen=True)
class View:
    """A bundle, as one who compares it sees it."""

    bundle: Bundle

    @cached_property
    def schema(self) -> RulesSchema:
        """Names, sources and site policy."""
        return fmt.decode(self.bundle.read(self.bundle.one("rules", "schema")), RulesSchema)

    @cached_property
    def index(self) -> Index:
        """The conditions of all campaigns."""
        return Index(unpack(self.bundle.read(self.bundle.one("rules", "index"))))

    @cached_property
    def contents(self) -> dict[str, bytes]:
        """Bodies by content id."""
        arrays = unpack(self.bundle.read(self.bundle.one("rules", "contents")))
        ids, bodies = Strings(arrays, "ids"), Strings(arrays, "bodies")
        return {ids.text(n): bytes(bodies[n]) for n in range(len(ids))}

    @cached_property
    def _content_ids(self) -> tuple[str, ...]:
        return tuple(self.contents)

    @cached_property
    def campaigns(self) -> Campaigns:
        """Who owns each rule bit, and what it shows."""
        arrays = unpack(self.bundle.read(self.bundle.one("rules", "campaigns")))
        return Campaigns(arrays, self.schema, len(self.contents), self.choices, self.page.counts)

    @cached_property
    def page(self) -> WholePage:
        """Layouts and redirects."""
        return load_page(self.bundle)

    @cached_property
    def choices(self) -> fmt.Choices:
        """Experiments, bandits, holdouts and groups."""
        return load_choices(self.bundle) or fmt.Choices()

    @cached_property
    def caps(self) -> Mapping[str, tuple[Cap, ...]]:
        """How often campaigns are shown to one visitor; others have no entry."""
        reports = load_reports(self.bundle)
        return Caps(reports.caps if reports else ()).of

    @property
    def defaults(self) -> dict[str, str]:
        """The default content of placements, in words."""
        return {name: self.what(CONTENT, content) for name, content in self.choices.defaults.items()}

    @cached_property
    def values(self) -> dict[str, dict[str, str]]:
        """By placement that shows the best, how the value of each campaign is counted, in words."""
        held = self.campaigns
        found: dict[str, dict[str, str]] = {}
        for placement, best in self.chooser.bests.items():
            low, mask = held.masks[placement]
            bits = range(low, mask.bit_length())
            found[placement] = {held.ids.text(held.owner[bit]): formula(best, bit - low) for bit in bits}
        return found

    @cached_property
    def chooser(self) -> Chooser:
        """Who wins where they have a say."""
        shown = (len(self.contents), len(self.schema.recommenders), 0, 0, *self.page.counts)
        return Chooser(self.choices, self.campaigns, shown)

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The attributes that a decision depends on."""
        return tuple(sorted({*self.index.attributes, *self.chooser.reads}))

    @cached_property
    def written(self) -> Written | None:
        """Audiences and campaigns in their own words; None where the bundle is older than that."""
        return load_written(self.bundle)

    @cached_property
    def actions(self) -> dict[str, dict[str, str]]:
        """What each campaign shows, in words, by placement; campaigns that win over others first."""
        held = self.campaigns
        found: dict[str, dict[str, str]] = {}
        for placement, (low, mask) in held.masks.items():
            shown = found.setdefault(placement, {})
            for bit in range(mask.bit_length() - 1, low - 1, -1):
                shown[held.ids.text(held.owner[bit])] = self.what(held.action[bit], held.target[bit])
        return found

    def what(self, action: int, target: int) -> str:
        """What an action shows, in words."""
        if action == CONTENT:
            return f"content {self._content_ids[target]}"
        if action == EXPERIMENT:
            return f"experiment {self.choices.experiments[target].id}"
        if action == BANDIT:
            return f"bandit {self.choices.bandits[target].id}"
        if action != RECOMMENDER:
            return f"{'layout' if action == LAYOUT else 'redirect to'} {self.page.name(action, target)}"
        name, card, limit = self.schema.recommenders[target]
        return f"{limit} items of {name} as {card}"

    @cached_property
    def goldens(self) -> list[RulesGolden]:
        """Contexts that the compiler put beside the rules, with who wins there."""
        return fmt.decode(self.bundle.read(self.bundle.one("rules", "golden")), list[RulesGolden])

    @cached_property
    def plan(self) -> ModelsPlan:
        """How the models' graph is called; of a bundle without recommenders, one that calls nothing."""
        if not self.bundle.artifacts("models", "plan"):
            return ModelsPlan("", 0, 0, {}, ())
        return fmt.decode(self.bundle.read(self.bundle.one("models", "plan")), ModelsPlan)

    @cached_property
    def tastes(self) -> Tastes:
        """What histories amount to; nothing where there is no catalog, as beside the rules of a workspace."""
        if "catalog" not in self.bundle.manifests:
            return NO_TASTES
        items = Strings(unpack(self.bundle.read(self.bundle.one("catalog", "items"))), "ids")
        return load_tastes(self.bundle, items)

    @cached_property
    def predictor(self) -> Predictor | None:
        """What models tell of contexts, of all models; None where the bundle has none of these."""
        plan = read_predictions(self.bundle)
        names = [name for one in plan.predictions for name in types_of(one)]
        return load_predictor(self.bundle, names)

    def told(self, context: Context) -> Context:
        """The context as rules see it: with what models tell of it among its attributes."""
        return context if self.predictor is None else self.predictor.told([context])[0]

    @cached_property
    def items(self) -> tuple[str, ...]:
        """The catalog's item ids, in order."""
        return tuple(body.decode() for body in self._strings(self.bundle.one("catalog", "items"), "ids"))

    @cached_property
    def cards(self) -> dict[str, dict[str, bytes]]:
        """Rendered items by card."""
        found = self.bundle.artifacts("catalog", "cards")
        return {
            name.removeprefix("cards/"): dict(zip(self.items, self._strings(artifact, "bodies"), strict=True))
            for name, artifact in found.items()
        }

    def winners(self, attributes: Mapping[str, Value], unit: str = "") -> dict[str, str]:
        """The campaign that wins each placement in a context."""
        context = Context(0, 0, "full", dict(attributes), (), tuple(self.campaigns.masks), unit)
        settled = self.chooser.settle(self.index.match(attributes, self.index.everyone), context)
        return {placement: self.owner(bit) for placement, bit in settled.winners}

    def alive(self, killed: tuple[str, ...] = ()) -> int:
        """The rule bits of all campaigns but those."""
        return self.index.everyone & ~self.campaigns.bits(killed) if killed else self.index.everyone

    def owner(self, bit: int) -> str:
        """The campaign of a rule bit."""
        return self.campaigns.ids.text(self.campaigns.owner[bit])

    def _strings(self, artifact: Artifact, name: str) -> list[bytes]:
        strings = Strings(unpack(self.bundle.read(artifact)), name)
        return [bytes(strings[n]) for n in range(len(strings))]
