"""One revision, ready to run: contexts in, decisions out; never changed once loaded."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import structs

from edge.bundle import format as fmt
from edge.bundle.arrays import unpack
from edge.bundle.format import Artifact, RulesSchema
from edge.bundle.predictions import SOURCE
from edge.bundle.reader import Bundle
from edge.bundle.strings import MAX_REMEMBERED, Strings
from edge.decide.about import load_about
from edge.decide.around import Around, load_around, load_recommenders, reads_of
from edge.decide.bandit import OWN, Arm, Weights
from edge.decide.behaviours import NONE, Behaviours
from edge.decide.behaviours import load as load_behaviours
from edge.decide.campaigns import CONTENT, EXPERIMENT, RECOMMENDER, Campaigns
from edge.decide.caps import BOUGHT, BUSINESS_KINDS, NO_CAPS, Caps, load_reports
from edge.decide.challengers import Challengers, load_challengers
from edge.decide.choice import Chooser, Settled, load_choices
from edge.decide.fuse import Fuse, load_lists
from edge.decide.holes import fill, load_contents, load_holes
from edge.decide.listing import Listing, Lists, Wanted
from edge.decide.page import NOTHING, led_elsewhere, load_page
from edge.decide.predictor import Predictor, load_predictor
from edge.decide.recommender import Recommender
from edge.decide.stock import ALL, Stock
from edge.decide.tastes import NONE as NO_TASTES
from edge.decide.tastes import Tastes, load_tastes
from edge.decide.types import DEFAULT, Context, Decision, Slot, Value
from edge.errors import BundleError
from edge.rules.index import Index

_NOTHING: Final = Decision(())
_NO_ATTRIBUTES: Final[Mapping[str, Value]] = {}


class Engine:
    """A bundle's rules, recommender, contents and cards, loaded.

    Attributes
    ----------
    id : str
        The bundle's id.
    bundle : Bundle
        What it was loaded from, for what no decision reads.
    schema : RulesSchema
        What the bundle knows of the site.
    reads : tuple[str, ...]
        The attributes that a decision may depend on; of predictions, those that they are made from.
    page : WholePage
        What its campaigns do to pages as a whole.
    divides : bool
        Whether a decision may depend on the context's unit, and on what is assigned or forced.
    kinds : frozenset of str
        What the site's script may report.
    caps : Caps
        What is counted of campaigns.
    marks_all : bool
        Whether pages that show nothing but defaults may report, too.
    challengers : Challengers or None
        Models that are tried beside the page.
    hears : bool
        Whether decisions may depend on what pages reported before.
    """

    def __init__(self, bundle: Bundle, previous: "Engine | None" = None) -> None:
        self._held: dict[str, object] = {}
        self._previous = previous._held if previous else {}
        self.id = bundle.id
        self.bundle = bundle
        self.site = bundle.site
        self.schema = fmt.decode(bundle.read(bundle.one("rules", "schema")), RulesSchema)
        self._take_rules(bundle)
        self._take_catalog(bundle)
        self._take_visitors(bundle)
        self._take_predictions(bundle, previous)
        recommender = Recommender.load(bundle, previous._listing.recommender if previous else None)
        self.around: Around | None = load_around(bundle, recommender.plan, self.items)
        self._explores = self.around is not None and bool(self.around.explores)
        self._check_recommenders(recommender)
        self._listing: Listing = Listing(recommender, self.items, self.about, self.schema, self.around)
        held = previous.challengers if previous else None
        tried = load_challengers(bundle, held, self.items, self.about, self.schema)
        self.challengers: Challengers | None = tried
        self._take_reads((*self._listing.reads, *(tried.reads if tried else ())))
        self._everyone = self._alive = self._index.everyone
        self._killed: tuple[str, ...] = ()
        self._previous = {}

    @classmethod
    def load(cls, bundle: Bundle, previous: "Engine | None" = None) -> "Engine":
        """An engine of the bundle, keeping what did not change since `previous`.

        Raises
        ------
        BundleError
            An artifact's inside is malformed, or does not fit the others.
        """
        return cls(bundle, previous)

    def _take_rules(self, bundle: Bundle) -> None:
        """Conditions, campaigns, what they show, and all attributes that these depend on."""
        self._index = self._load_index(bundle)
        self._content_ids, self._contents = load_contents(bundle)
        choices = load_choices(bundle)
        self.page = load_page(bundle)
        self._campaigns = Campaigns(
            unpack(bundle.read(bundle.one("rules", "campaigns"))),
            self.schema,
            len(self._content_ids),
            choices or fmt.Choices(),
            self.page.counts,
        )
        if self._campaigns.size != self._index.size:
            raise BundleError("arrays", "index and campaigns differ in size")
        shown = (len(self._content_ids), len(self.schema.recommenders), 0, 0, *self.page.counts)
        self.chooser = Chooser(choices, self._campaigns, shown) if choices else None
        self._special = self.chooser.special if self.chooser else None
        self.divides = self.chooser is not None and self.chooser.divides
        self._defaults = self._slots_of(choices.defaults) if choices else {}
        holes = load_holes(bundle, self._contents)
        self._holes = holes.of if holes else {}
        more = [part.reads for part in (self.chooser, holes) if part]
        more.append(reads_of(load_recommenders(bundle)))
        self.reads: tuple[str, ...] = tuple(sorted({*self._index.attributes}.union(*more)))

    def _take_visitors(self, bundle: Bundle) -> None:
        """What is known of visitors: the lists that they are in, and what they did."""
        self.lists = load_lists(bundle)
        self.behaviours = load_behaviours(bundle, len(self.items))
        self.tastes = load_tastes(bundle, self.items)
        reports = load_reports(bundle)
        self.kinds = frozenset((*BUSINESS_KINDS, *(reports.kinds if reports else ())))
        self.caps = Caps(reports.caps) if reports else NO_CAPS
        bought = BOUGHT in self.reads
        self.marks_all = bought or (reports is not None and reports.everywhere)
        self.hears = bought or self.behaviours.hears or bool(self.caps)

    def _take_predictions(self, bundle: Bundle, previous: "Engine | None") -> None:
        """What models tell before rules are matched, where any rule reads it."""
        types = {a.name: a.type for a in self.schema.attributes if a.source == SOURCE}
        before = previous._predictor if previous else None
        self._predictor: Predictor | None = load_predictor(bundle, self.reads, before)
        told = self._predictor.tells if self._predictor is not None else {}
        for name in types.keys() & set(self.reads):
            if told.get(name) != types[name]:
                raise BundleError("interface", f"rules read {name!r}, a {types[name]}, and no model tells it")
        if self._predictor is not None:
            self._take_reads(self._predictor.reads)

    def _take_reads(self, names: Iterable[str]) -> None:
        """The attributes that models are made from, which decisions depend on as on those that rules read."""
        if unknown := sorted({*names}.difference(a.name for a in self.schema.attributes)):
            raise BundleError("interface", f"models are made from attributes that rules lack: {unknown}")
        told = {a.name for a in self.schema.attributes if a.source == SOURCE}
        self.reads = tuple(sorted({*self.reads, *names} - told))

    def _take_catalog(self, bundle: Bundle) -> None:
        """The items, what is known of them, and how they look."""
        self.items = self._strings(bundle, bundle.one("catalog", "items"), "ids")
        self.about = load_about(bundle, self.items)
        self._cards = {
            name.removeprefix("cards/"): self._strings(bundle, artifact, "bodies")
            for name, artifact in bundle.artifacts("catalog", "cards").items()
        }
        self._rendered: dict[str, dict[str, bytes]] = {name: {} for name in self._cards}

    def _load_index(self, bundle: Bundle) -> Index:
        artifact = bundle.one("rules", "index")
        index = self._previous.get(artifact.sha256)
        if not isinstance(index, Index):
            index = Index(unpack(bundle.read(artifact)))
        self._held[artifact.sha256] = index
        return index

    def _strings(self, bundle: Bundle, artifact: Artifact, name: str) -> Strings:
        strings = self._previous.get(artifact.sha256)
        if not isinstance(strings, Strings):
            strings = Strings(unpack(bundle.read(artifact)), name)
        self._held[artifact.sha256] = strings
        return strings

    def _check_recommenders(self, recommender: Recommender) -> None:
        for name, card, _ in self.schema.recommenders:
            if name not in recommender.names and not (self.around and name in self.around.names):
                raise BundleError("interface", f"no recommender {name!r}")
            if card not in self._cards or len(self._cards[card]) != len(self.items):
                raise BundleError("interface", f"no card {card!r} for each item")

    @property
    def campaigns(self) -> tuple[str, ...]:
        """The ids of all campaigns; read one by one, so not for a request."""
        ids = self._campaigns.ids
        return tuple(ids.text(position) for position in range(len(ids)))

    def decide(
        self, context: Context, killed: tuple[str, ...] = (), weights: Weights = OWN, stock: Stock = ALL
    ) -> Decision:
        """What to show in this context; the same answer at any time, in any batch."""
        return self.decide_batch([context], killed, weights, stock)[0]

    def decide_batch(
        self,
        contexts: Sequence[Context],
        killed: tuple[str, ...] = (),
        weights: Weights = OWN,
        stock: Stock = ALL,
    ) -> list[Decision]:
        """Decide all contexts with at most two inference calls: what rules read, then what they show.

        `weights` are of bandits; `stock` is over this engine's items.
        """
        alive = self._alive_without(killed)
        if self._predictor is not None:
            contexts = self._predictor.told(contexts)
        match, action, special = self._index.match, self._campaigns.action, self._special
        chosen = []
        wanted: Wanted = {}
        for context in contexts:
            matched = match(context.attributes, alive)
            winners = self._winners(matched, context.placements)
            settled = None
            if special is not None and any(special[bit] for _, bit in winners):
                winners, settled = self._settle(matched, context, weights)
            asks = any(action[bit] == RECOMMENDER for _, bit in winners) or (settled and settled.lists)
            situation = self._listing.ask(context, wanted) if asks else None
            chosen.append((winners, context, settled, situation))
        self._listing.fill(wanted, stock)
        decisions = [
            self._decision(winners, self._listing.of(context, wanted, situation), settled, context)
            if winners or settled is not None
            else _NOTHING
            for winners, context, settled, situation in chosen
        ]
        if self._defaults:
            decisions = list(map(self._with_defaults, decisions, contexts))
        return list(map(led_elsewhere, decisions)) if self.page.redirects else decisions

    def winners(self, context: Context, killed: tuple[str, ...] = ()) -> dict[str, str]:
        """The campaign that wins each placement of the context; absent where none does."""
        alive = self._alive_without(killed)
        context = self.told(context)
        found, _ = self._settle(self._index.match(context.attributes, alive), context)
        return {placement: self._campaign(bit) for placement, bit in found}

    def told(self, context: Context) -> Context:
        """The context as rules see it: with what models tell of it among its attributes."""
        return context if self._predictor is None else self._predictor.told([context])[0]

    def _settle(
        self, matched: int, context: Context, weights: Weights = OWN
    ) -> tuple[list[tuple[str, int]], Settled | None]:
        """Who wins where experiments, bandits, holdouts or groups have a say."""
        if self.chooser is None:
            return self._winners(matched, context.placements), None
        settled = self.chooser.settle(matched, context, weights)
        return settled.winners, settled

    def _decision(
        self, winners: list[tuple[str, int]], lists: Lists, settled: Settled | None, context: Context
    ) -> Decision:
        slots = self._slots(winners, lists, settled.arms if settled else {})
        if self._explores and self.around is not None:
            slots = tuple(self.around.explored(slot, lists, context) for slot in slots)
        return Decision(slots, settled.excluded, settled.assigned) if settled else Decision(slots)

    def _slots_of(self, defaults: Mapping[str, int]) -> dict[str, Slot]:
        """The slot of each placement that has a default content."""
        ids = self._content_ids
        return {name: Slot(name, DEFAULT, content=ids[at].decode()) for name, at in defaults.items()}

    def _with_defaults(self, decision: Decision, context: Context) -> Decision:
        """The decision with the default contents of those placements that have no slot."""
        held = {slot.placement: slot for slot in decision.slots}
        bare = [name for name in context.placements if name in self._defaults and name not in held]
        if not bare:
            return decision
        held |= {name: self._defaults[name] for name in bare}
        ordered = [held.pop(name) for name in context.placements if name in held]
        return structs.replace(decision, slots=(*ordered, *held.values()))

    @property
    def listing(self) -> Listing:
        """How lists come about, for those who explain them."""
        return self._listing

    def forget(self) -> None:
        """Drop all that is remembered of earlier contexts; no decision changes, for measuring it cold."""
        self._listing.forget()
        if self._predictor is not None:
            self._predictor.forget()

    def _winners(self, matched: int, placements: Iterable[str]) -> list[tuple[str, int]]:
        winners = []
        masks = self._campaigns.masks
        for placement in placements:
            low, mask = masks.get(placement, (0, 0))
            bit = (matched & mask).bit_length() - 1
            if bit >= low:
                winners.append((placement, bit))
        return winners

    def _slots(
        self, winners: list[tuple[str, int]], lists: Lists, arms: Mapping[str, Arm]
    ) -> tuple[Slot, ...]:
        slots = []
        for placement, bit in winners:
            action, target = self._campaigns.action[bit], self._campaigns.target[bit]
            if placement in arms:
                slots.append(self._slot_of(arms[placement], placement, bit, lists))
            elif action == CONTENT:
                content = self._content_ids[target].decode()
                slots.append(Slot(placement, self._campaign(bit), content=content))
            elif action == RECOMMENDER:
                name, card, limit = self.schema.recommenders[target]
                items = lists[name][:limit]
                if items:
                    slots.append(Slot(placement, self._campaign(bit), "", items, name, card))
            else:
                slots.append(Slot(placement, self._campaign(bit), self.page.name(action, target)))
        return tuple(slots)

    def _slot_of(self, arm: Arm, placement: str, bit: int, lists: Lists) -> Slot:
        """The slot of a variation or an arm: one that shows nothing stands in the record, too."""
        action, target = arm.shows.get(placement, (EXPERIMENT, 0))
        default = self._defaults.get(placement)
        content, name, card = "", "", ""
        items: tuple[str, ...] = ()
        if action == CONTENT:
            content = self._content_ids[target].decode()
        elif action == RECOMMENDER:
            name, card, limit = self.schema.recommenders[target]
            items = lists[name][:limit]
        elif action != EXPERIMENT:
            content = self.page.name(action, target)
        if default is not None and not content and not items:
            content, name, card = default.content, "", ""
        drawn = (arm.propensity, arm.experiment, arm.variation)
        return Slot(placement, self._campaign(bit), content, items, name, card, *drawn)

    def _campaign(self, bit: int) -> str:
        return self._campaigns.ids.text(self._campaigns.owner[bit])

    def _alive_without(self, killed: tuple[str, ...]) -> int:
        if killed != self._killed:
            self._alive = self._everyone & ~self._campaigns.bits(killed)
            self._killed = killed
        return self._alive

    def render(self, slot: Slot, attributes: Mapping[str, Value] = _NO_ATTRIBUTES) -> bytes:
        """The slot's fragment: bytes that were escaped at compile time, their holes filled with attributes.

        Of a slot that fills nothing there is none, and none is to be asked for of a page as a whole.
        """
        return b"".join(self.pieces(slot, attributes))

    def pieces(self, slot: Slot, attributes: Mapping[str, Value] = _NO_ATTRIBUTES) -> list[bytes]:
        """The slot's fragment in pieces: a content, or each card of a list."""
        if slot.content:
            position = self._content_ids.find(slot.content.encode())
            body = self._contents[position]
            return [fill(body, self._holes[position], attributes) if position in self._holes else body]
        rendered = self._rendered[slot.card] if slot.items else {}
        try:
            return list(map(rendered.__getitem__, slot.items))
        except KeyError:
            return [self._render_card(slot.card, item) for item in slot.items]

    def tells(self, slot: Slot) -> bool:
        """Whether the slot's pieces hold values of the visitor, and are not the same for everybody."""
        return bool(slot.content) and self._content_ids.find(slot.content.encode()) in self._holes

    def _render_card(self, card: str, item: str) -> bytes:
        rendered = self._rendered[card]
        if len(rendered) >= MAX_REMEMBERED:
            rendered.clear()
        fragment = rendered[item] = self._cards[card][self.items.find(item.encode())]
        return fragment


class EmptyEngine:
    """No bundle yet: personalizes nothing, asks for nothing."""

    id = ""
    schema = RulesSchema((), (), (), consent_default="none")
    reads: tuple[str, ...] = ()
    divides = False
    behaviours: Behaviours = NONE
    tastes: Tastes = NO_TASTES
    kinds: frozenset[str] = frozenset()
    caps: Caps = NO_CAPS
    marks_all = hears = False
    lists: Mapping[str, Fuse] = {}
    challengers: Challengers | None = None
    page = NOTHING
