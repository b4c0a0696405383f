"""What the rules of a bundle say, as documents on the wire; re-exported by `edge.bundle.format`."""

from typing import Final

import msgspec

MAX_EXPERIMENTS: Final = 4_096
MAX_VARIATIONS: Final = 64
MAX_BANDITS: Final = 1_024
MAX_HOLDOUTS: Final = 64
MAX_FORMULAS: Final = 64
MAX_TERMS: Final = 8
MAX_GROUPS: Final = 1_024
MAX_LAYOUTS: Final = 4_096
MAX_REDIRECTS: Final = 4_096
MAX_URL_CHARS: Final = 2_048


class Attribute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One typed fact of the context and where the edge reads it.

    `type` is ``string``, ``number``, ``boolean``, or ``strings`` for a list. `source` is ``builtin``, or
    ``header:NAME``, ``query:NAME``, ``cookie:NAME``, ``body:PATH``, ``fact:NAME``.
    """

    name: str
    type: str
    source: str


class ConsentSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One place that says what a visitor agreed to; those of a policy are asked in their order.

    Attributes
    ----------
    kind : str
        ``cookie`` (a tier, in the site's own words), ``tcf``, ``gpp``, ``usp`` or ``gpc``.
    cookie : str
        Where it stands; empty for ``gpc``, which is a header.
    vendor : int
        Of TC strings: who must have consent; 0 is the site itself, as its publisher.
    interests : tuple[int, ...]
        TCF purposes for which a legitimate interest will do.
    tiers : tuple[tuple[str, tuple[int, ...]], ...]
        Of TC strings: tiers, the strongest first, and the TCF purposes that each needs.
    otherwise : str
        The tier of a TC string that grants none of these.
    opted_out, not_opted_out : str
        The tiers of strings of the United States; empty where these say nothing. Of ``gpc``, `opted_out`
        is the most that anything after it may say.
    """

    kind: str
    cookie: str = ""
    vendor: int = 0
    interests: tuple[int, ...] = ()
    tiers: tuple[tuple[str, tuple[int, ...]], ...] = ()
    otherwise: str = "contextual"
    opted_out: str = ""
    not_opted_out: str = ""


class Purpose(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What data is used for: granted by these TCF purposes, or, where nothing speaks of them, by a tier."""

    name: str
    tcf: tuple[int, ...] = ()
    tier: str = "full"


class ConsentPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whom the edge asks for consent, and what may be used for what.

    `attributes` and `events` have the purposes of those that declare some: without a grant for all of
    them, an attribute is missing, and an event did not happen.
    """

    sources: tuple[ConsentSource, ...] = ()
    purposes: tuple[Purpose, ...] = ()
    attributes: dict[str, tuple[str, ...]] = {}
    events: dict[str, tuple[str, ...]] = {}


class RulesSchema(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The small, whole-read part of the rules: names, sources and site policy.

    `placements` is in the order of the campaigns' bit ranges. `recommenders`
    lists those that actions refer to by position, as ``(recommender, card,
    limit)``. `item_path` is the site's URL path of an item's page with one
    ``{item}`` hole, or empty. `consent_cookie` names the site's cookie whose
    value is a consent tier; `consent_default` holds where it is absent. Where `consent` is there, its
    sources are asked instead of that cookie.
    """

    attributes: tuple[Attribute, ...]
    placements: tuple[str, ...]
    recommenders: tuple[tuple[str, str, int], ...]
    item_path: str = ""
    consent_cookie: str = ""
    consent_default: str = "contextual"
    consent: ConsentPolicy | None = None


class Variation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One arm of an experiment: who falls into it, and what each placement shows then.

    Attributes
    ----------
    start, end : float
        The part of [0, 1) whose visitors are in it; the end is outside.
    shows : dict[str, tuple[int, int]]
        By placement, action and target as in the campaigns' arrays; a placement
        that is absent keeps the site's default.
    """

    key: str
    start: float
    end: float
    shows: dict[str, tuple[int, int]]


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How visitors are divided: by a hash of `seed` and an attribute's value.

    Attributes
    ----------
    hash : str
        The attribute that is hashed; ``visitor.id`` is the context's unit.
    version : int
        Of the hash, 1 or 2; see `edge.rules.bucketing`.
    sticky : int
        While it stays the same, a visitor keeps a variation; 0: variations don't stick.
    namespace : tuple[str, float, float] or None
        The part of a namespace whose visitors take part.
    """

    id: str
    hash: str
    version: int
    seed: str
    sticky: int
    namespace: tuple[str, float, float] | None
    variations: tuple[Variation, ...]


class BanditArm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One arm of a bandit: its weight beside the others', and what each placement shows then."""

    key: str
    weight: float
    shows: dict[str, tuple[int, int]]


class Bandit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arms of which each decision draws one for each placement, by its seed; see `edge.decide.bandit`.

    `floor` is the smallest share that an arm may have, whatever its weight becomes.
    """

    id: str
    floor: float
    arms: tuple[BanditArm, ...]


class Best(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A placement that shows the campaign of the highest value; see `edge.decide.best`.

    A value is a base and a sum over attributes, each times a weight; bases and weights are in thousandths.

    Attributes
    ----------
    formulas : tuple[tuple[tuple[str, int], ...], ...]
        The different sums: attributes with their weights.
    bases, of, ranks : tuple[int, ...]
        Of each rule bit of the placement: the base, never lower than of the bit before; which formula;
        and who is stronger among those of equal value.
    """

    formulas: tuple[tuple[tuple[str, int], ...], ...]
    bases: tuple[int, ...]
    of: tuple[int, ...]
    ranks: tuple[int, ...]


class Holdout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Visitors for whom campaigns do not exist: the first `share` of all, by a hash of `seed`.

    `campaigns` are positions; None covers every campaign.
    """

    id: str
    seed: str
    share: float
    campaigns: tuple[int, ...] | None


class Choices(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What decides between campaigns whose conditions hold, and inside of them.

    Attributes
    ----------
    groups : tuple[tuple[int, ...], ...]
        Campaigns by position, of which a page shows one: of each group the strongest first.
    defaults : dict[str, int]
        By placement, the content that it has where nothing else is shown, by position.
    bests : dict[str, Best]
        The placements that show the best; all others show the first by priority.
    """

    experiments: tuple[Experiment, ...] = ()
    holdouts: tuple[Holdout, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()
    bandits: tuple[Bandit, ...] = ()
    defaults: dict[str, int] = {}
    bests: dict[str, Best] = {}


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where the marked blocks of a page stand; one that it does not name stays where it is.

    Attributes
    ----------
    order : tuple[str, ...]
        Blocks that share their places anew: the first of them in the page is the first of these.
    hide : tuple[str, ...]
        Blocks that are left out.
    swap : tuple[tuple[str, str], ...]
        Pairs that change places.
    """

    id: str
    order: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    swap: tuple[tuple[str, str], ...] = ()


class PageActions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What campaigns may do to a page as a whole; their targets are positions in these.

    `redirects` are paths of the site, or URLs with ``https``.
    """

    layouts: tuple[Layout, ...] = ()
    redirects: tuple[str, ...] = ()


class RulesGolden(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A context's attributes and the campaign id that wins each placement ('' for none).

    `unit` is what experiments divide by, and `seed` what bandits draw by; `variations` has the variation
    or arm of each placement ('' for none), and is empty where there are none in the bundle.
    """

    attributes: dict[str, str | float | bool]
    winners: tuple[str, ...]
    unit: str = ""
    variations: tuple[str, ...] = ()
    seed: int = 0
