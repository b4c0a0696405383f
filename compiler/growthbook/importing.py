"""Turns GrowthBook's features and experiments into rules and contents; says what it can't take over."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from compiler.conditions.check import ConditionError, parse
from compiler.files.fields import MAX_ID_CHARACTERS
from compiler.growthbook.attributes import Attributes
from compiler.rules.experiments import NOTHING
from edge.decide.choice import VISITOR_ID
from edge.rules.bucketing import bucket_ranges, equal_weights, usable_weights

Json = Mapping[str, Any]

HASH_VERSIONS: Final = (1, 2)
"""With any other, the SDKs enrol nobody."""

_FOREIGN: Final = {
    "parentConditions": "prerequisites",
    "contextualVariations": "a contextual bandit",
    "filters": "filters",
    "urlPatterns": "URL patterns",
    "url": "a URL",
    "groups": "groups",
    "fallbackAttribute": "a fallback attribute",
}
"""What has no counterpart here, and what people call it."""


class NotImportedError(ValueError):
    """A rule has no counterpart here; the message says why."""


@dataclass
class Imported:
    """What became of a GrowthBook payload.

    Attributes
    ----------
    site, rules : dict
        Documents of site.yaml and of a file of rules/.
    contents : dict of str to str
        Text by content id; `values` has what stood in the feature.
    placements : dict of str to str
        The placement of each feature and each lone experiment.
    left_out : list of str
        A line for each rule that was not taken over, and why.
    """

    site: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=lambda: {"experiments": [], "campaigns": []})
    contents: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    placements: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def convert(payload: Json, site: str, identifier: str = "id") -> Imported:
    """Rules that decide as the SDKs do with this payload, as far as there is a counterpart.

    Parameters
    ----------
    payload
        ``features``, ``savedGroups`` and ``experiments``, as GrowthBook's SDK endpoint sends them.
    identifier
        The hash attribute that stands for a visitor; others become attributes of the site.
    """
    features, experiments = payload.get("features") or {}, payload.get("experiments") or ()
    attributes = Attributes(_conditions(features, experiments), payload.get("savedGroups") or {})
    converter = _Converter(attributes, identifier)
    for key, feature in features.items():
        converter.feature(key, feature)
    for experiment in experiments:
        converter.lone(experiment)
    found = converter.found
    found.site = {"site": site, "placements": list(found.placements.values())}
    if declared := converter.attributes.declared():
        found.site["attributes"] = declared
    if not found.rules["experiments"]:
        del found.rules["experiments"]
    return found


def _conditions(features: Json, experiments: Sequence[Json]) -> Iterator[Json]:
    for feature in features.values():
        yield from (rule.get("condition") or {} for rule in feature.get("rules") or ())
    yield from (experiment.get("condition") or {} for experiment in experiments)


class _Converter:
    """What was converted so far."""

    def __init__(self, attributes: Attributes, identifier: str) -> None:
        self.attributes = attributes
        self.found = Imported()
        self._identifier = identifier
        self._taken: set[tuple[str, str]] = set()

    def feature(self, key: str, feature: Json) -> None:
        """A feature is a placement; its rules are campaigns, the first the strongest."""
        placement = self._place(key)
        rules = feature.get("rules") or ()
        for number, rule in enumerate(rules, 1):
            rank = {"id": self._name("campaign", f"{placement}-{number}"), "placement": placement}
            with_rank = {"priority": len(rules) + 1 - number}

            def convert_rule(rule: Json = rule, name: str = rank["id"]) -> dict[str, Any] | None:
                return self._rule(key, rule, placement, name)

            self._take(f"feature {key!r}, rule {number}", rule, {**rank, **with_rank}, convert_rule)
        default = feature.get("defaultValue")
        if default is not None:
            campaign = {"id": self._name("campaign", f"{placement}-default"), "placement": placement}

            def convert_default() -> dict[str, Any]:
                return {"content": self._content(placement, default)}

            self._take(f"feature {key!r}, its default", {}, campaign, convert_default)

    def lone(self, experiment: Json) -> None:
        """An experiment outside of features has a placement of its own."""
        key = str(experiment.get("key") or "experiment")
        placement = self._place(key)
        campaign = {"id": self._name("campaign", f"{placement}-1"), "placement": placement}
        self._take(
            f"experiment {key!r}",
            experiment,
            campaign,
            lambda: self._experiment(key, experiment, placement, campaign["id"]),
        )

    def _take(
        self, where: str, rule: Json, campaign: Json, convert_rule: Callable[[], dict[str, Any] | None]
    ) -> None:
        """Add the campaign with what the rule shows, or a line that says why not."""
        try:
            _refuse_foreign(rule)
            audience = self._audience(rule)
            show = convert_rule()
        except NotImportedError as error:
            self.found.left_out.append(f"{where}: {error}")
            return
        if show is not None:
            who = {"audience": audience} if audience else {}
            self.found.rules["campaigns"].append({**campaign, **who, "show": show})

    def _rule(self, key: str, rule: Json, placement: str, name: str) -> dict[str, Any] | None:
        """What the rule shows; None where it never applies."""
        if "force" in rule:
            return self._forced(key, rule, placement, name)
        if "variations" in rule or "contextualVariations" in rule:
            return self._experiment(str(rule.get("key") or key), rule, placement, name)
        return None

    def _forced(self, key: str, rule: Json, placement: str, name: str) -> dict[str, Any] | None:
        """One value for all, or for the share that a rollout has reached."""
        value, part, coverage = rule["force"], rule.get("range"), rule.get("coverage")
        if part is None and coverage is None:
            if value is None:
                raise NotImportedError("it forces null, and a campaign can't show nothing")
            return {"content": self._content(placement, value)}
        if (rule.get("hashVersion") or 1) not in HASH_VERSIONS:
            return None
        if part is None:
            if not coverage or coverage < 0:
                return None
            # The SDKs let the end of a coverage in, and not that of a range.
            part = [0, min(1.0, math.nextafter(coverage, 2))]
        entry = {
            **self._divided(rule, str(rule.get("seed") or key), name),
            "ranges": [_part(part)],
            "variations": [{"key": "on", "show": self._show(placement, value)}],
        }
        self.found.rules["experiments"].append(entry)
        return {"experiment": name}

    def _experiment(self, key: str, rule: Json, placement: str, name: str) -> dict[str, Any] | None:
        """What the experiment shows; None where the SDKs never enrol anyone."""
        if "force" in rule:
            raise NotImportedError("all who are enrolled are forced into one variation")
        variations = rule.get("variations") or ()
        idle = rule.get("active") is False or rule.get("status") in ("draft", "stopped")
        known = (rule.get("hashVersion") or 1) in HASH_VERSIONS
        if len(variations) < 2 or idle or not known:
            return None
        entry = self._divided(rule, str(rule.get("seed") or key), name)
        if rule.get("namespace"):
            space, start, end = rule["namespace"]
            entry["namespace"] = {"name": space, "range": _part([start, end])}
        entry |= self._arms(rule, placement)
        if not entry["variations"]:
            return None
        self.found.rules["experiments"].append(entry)
        return {"experiment": name}

    def _arms(self, rule: Json, placement: str) -> dict[str, Any]:
        """The variations, and what part of the visitors each has."""
        values, metas = rule["variations"], rule.get("meta") or ()
        keys, coverage = _keys(values, metas), rule.get("coverage")
        passing = {number for number, meta in enumerate(metas) if meta.get("passthrough")}
        shows = [
            {"key": key, "show": None if number in passing else self._show(placement, value)}
            for number, (key, value) in enumerate(zip(keys, values, strict=True))
        ]
        weights = usable_weights(len(values), rule.get("weights"))
        if not passing and not rule.get("ranges"):
            if weights != equal_weights(len(values)):
                shows = [show | {"weight": weight} for show, weight in zip(shows, weights, strict=True)]
            reached = {} if coverage is None else {"coverage": min(max(coverage, 0), 1)}
            return {**reached, "variations": shows}
        ranges = rule.get("ranges") or bucket_ranges(
            len(values), 1 if coverage is None else coverage, weights
        )
        # Who would pass through to the next rule is in none of them.
        kept = [(_part(part), show) for part, show in zip(ranges, shows, strict=False) if show["show"]]
        parts = sorted(part for part, _ in kept)
        if any(later[0] < earlier[1] for earlier, later in pairwise(parts)):
            raise NotImportedError("its ranges overlap")
        return {"ranges": [part for part, _ in kept], "variations": [show for _, show in kept]}

    def _divided(self, rule: Json, seed: str, name: str) -> dict[str, Any]:
        """Who is divided by what, as the SDKs do it."""
        hashed = rule.get("hashAttribute") or self._identifier
        attribute = VISITOR_ID if hashed == self._identifier else self.attributes.hashed(hashed)
        by = {} if attribute == VISITOR_ID else {"hash": attribute}
        return {"id": name, **by, "hashVersion": rule.get("hashVersion") or 1, "seed": seed}

    def _audience(self, rule: Json) -> dict[str, Any]:
        condition = rule.get("condition")
        if not condition:
            return {}
        found = self.attributes.condition(condition)
        try:
            parse(found, self.attributes.types)
        except ConditionError as error:
            raise NotImportedError(f"its condition can't be read: {error}") from error
        return found

    def _show(self, placement: str, value: Any) -> Any:
        return NOTHING if value is None else {"content": self._content(placement, value)}

    def _content(self, placement: str, value: Any) -> str:
        """The content of a value; one for each."""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if not text.strip():
            raise NotImportedError("a value is an empty text, and a content can't be")
        held = (
            name for name, known in self.found.values.items() if (type(known), known) == (type(value), value)
        )
        known = next((name for name in held if name.startswith(f"{placement}-value-")), None)
        if known is not None:
            return known
        count = sum(name.startswith(f"{placement}-value-") for name in self.found.contents)
        name = self._name("content", f"{placement}-value-{count + 1}")
        self.found.contents[name], self.found.values[name] = text, value
        return name

    def _place(self, key: str) -> str:
        placement = self._name("placement", slug(key) or "feature")
        self.found.placements[key] = placement
        return placement

    def _name(self, kind: str, wanted: str) -> str:
        """The name, or one like it that is not taken."""
        name, number = wanted[:MAX_ID_CHARACTERS].strip("-"), 2
        while (kind, name) in self._taken:
            end = f"-{number}"
            name, number = wanted[: MAX_ID_CHARACTERS - len(end)].strip("-") + end, number + 1
        self._taken.add((kind, name))
        return name


def slug(name: str) -> str:
    """The name as one that may name a thing here."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:MAX_ID_CHARACTERS].strip("-")


def _refuse_foreign(rule: Json) -> None:
    found = [words for key, words in _FOREIGN.items() if rule.get(key)]
    if found:
        raise NotImportedError(f"it has {' and '.join(found)}, which have no counterpart here")


def _part(given: Sequence[float]) -> list[float]:
    """A range as it can be written here: nobody stands outside of 0 to 1."""
    start, end = (min(max(float(bound), 0.0), 1.0) for bound in given)
    return [start, max(start, end)]


def _keys(variations: Sequence[Any], metas: Sequence[Json]) -> list[str]:
    """The variations' keys; where one can't be a name or comes twice, their numbers."""
    given = [slug(str(meta.get("key") or "")) for meta in metas]
    numbers = [str(number) for number in range(len(variations))]
    return given if len({*given} - {""}) == len(variations) == len(given) else numbers
