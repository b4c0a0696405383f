"""What GrowthBook's feature and experiment definitions mean, decided by our own conditions and buckets."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from edge.rules.bucketing import (
    bucket,
    bucket_ranges,
    choose_variation,
    in_namespace,
    in_range,
    usable_weights,
)
from edge.rules.coercion import to_string, truthy
from edge.rules.evaluate import Groups, evaluate, value_at
from edge.rules.regex import RegexError, regex

Json = Mapping[str, Any]

NO_LEAF: Final = -1
"""What a contextual bandit reports when no leaf's condition held."""

_COPIED: Final = (
    *("weights", "hashAttribute", "fallbackAttribute", "disableStickyBucketing", "namespace", "meta"),
    *("ranges", "name", "phase", "seed", "hashVersion", "filters", "condition"),
)
_COPIED_IF_THERE: Final = ("coverage", "bucketVersion", "minBucketVersion")


class GrowthBookError(ValueError):
    """A definition needs something that has no counterpart here; the message says what."""


@dataclass(frozen=True)
class Visitor:
    """What decides: attributes, and what a tester forces.

    Attributes
    ----------
    forced : Mapping[str, int]
        Variations by experiment.
    overridden : Mapping[str, Any]
        Values by feature.
    memberships : Mapping[str, bool]
        Named groups that old experiments ask for.
    enabled, testing : bool
        Whether experiments run at all; whether only forced ones do.
    """

    attributes: Json
    url: str = ""
    forced: Mapping[str, int] = field(default_factory=dict)
    overridden: Json = field(default_factory=dict)
    memberships: Mapping[str, bool] = field(default_factory=dict)
    enabled: bool = True
    testing: bool = False


@dataclass(frozen=True)
class Definitions:
    """What a GrowthBook payload defines."""

    features: Mapping[str, Json] = field(default_factory=dict)
    groups: Groups = field(default_factory=dict)
    bandits: Mapping[str, Json] = field(default_factory=dict)
    overrides: Mapping[str, Json] = field(default_factory=dict)


def from_context(context: Json) -> tuple[Definitions, Visitor]:
    """Definitions and visitor of an SDK's context."""
    definitions = Definitions(
        context.get("features") or {},
        context.get("savedGroups") or {},
        context.get("contextualBandits") or {},
        context.get("overrides") or {},
    )
    visitor = Visitor(
        context.get("attributes") or {},
        context.get("url") or "",
        context.get("forcedVariations") or {},
        context.get("forcedFeatureValues") or {},
        context.get("groups") or {},
        context.get("enabled") is not False,
        bool(context.get("qaMode")),
    )
    return definitions, visitor


def evaluate_feature(key: str, definitions: Definitions, visitor: Visitor) -> dict[str, Any]:
    """The feature's value and why, as the SDKs return it: ``value on off source ruleId`` and more."""
    return _Evaluation(definitions, visitor).feature(key, frozenset())


def run_experiment(experiment: Json, definitions: Definitions, visitor: Visitor) -> dict[str, Any]:
    """The variation and why, as the SDKs return it: ``value variationId inExperiment hashUsed`` and more."""
    return _Evaluation(definitions, visitor).experiment(experiment, None, frozenset())


class _Evaluation:
    def __init__(self, definitions: Definitions, visitor: Visitor) -> None:
        self.definitions = definitions
        self.visitor = visitor

    def feature(self, key: str, asked: frozenset[str]) -> dict[str, Any]:
        """`asked` are the features whose prerequisites lead here."""
        if key in asked:
            return _outcome(None, "cyclicPrerequisite")
        if key in self.visitor.overridden:
            return _outcome(self.visitor.overridden[key], "override")
        definition = self.definitions.features.get(key)
        if not definition:
            return _outcome(None, "unknownFeature")
        for rule in definition.get("rules") or ():
            found = self._rule(key, rule, asked | {key})
            if found is not None:
                return found
        return _outcome(definition.get("defaultValue"), "defaultValue")

    def _rule(self, key: str, rule: Json, asked: frozenset[str]) -> dict[str, Any] | None:
        """The outcome of one rule; None: the next one decides."""
        blocked = self._prerequisites(rule, asked)
        if blocked is not None:
            return None if blocked == "skip" else _outcome(None, blocked)
        if rule.get("filters") and self._filtered_out(rule["filters"]):
            return None
        if "force" in rule:
            holds = self._meets(rule) and self._in_rollout(key, rule)
            return _outcome(rule["force"], "force", rule) if holds else None
        variations = rule.get("contextualVariations", rule.get("variations"))
        if variations is None:
            return None
        experiment = _experiment_of(key, rule, variations)
        self._weigh(experiment, rule.get("contextualBanditRef"))
        result = self.experiment(experiment, key, asked)
        if not (result["hashUsed"] and result["inExperiment"]):
            experiment.pop("contextualBandit", None)
        if not result["inExperiment"] or result.get("passthrough"):
            return None
        return _outcome(result["value"], "experiment", rule) | {
            "experiment": experiment,
            "experimentResult": result,
        }

    def _prerequisites(self, rule: Json, asked: frozenset[str]) -> str | None:
        """Why the rule does not count: a source that ends the feature, or ``skip``."""
        for parent in rule.get("parentConditions") or ():
            found = self.feature(parent["id"], asked)
            if found["source"] == "cyclicPrerequisite":
                return "cyclicPrerequisite"
            condition = parent.get("condition") or {}
            if not evaluate(condition, {"value": found["value"]}, self.definitions.groups):
                return "prerequisite" if parent.get("gate") else "skip"
        return None

    def _meets(self, definition: Json) -> bool:
        condition = definition.get("condition")
        return not condition or evaluate(condition, self.visitor.attributes, self.definitions.groups)

    def _hash_value(self, attribute: str | None) -> tuple[str, Any]:
        """The attribute that is hashed and its value; the empty string where there is none."""
        name = attribute or "id"
        value = value_at(self.visitor.attributes, name)
        return name, "" if value is None else value

    def _place(self, definition: Json, seed: str) -> float | None:
        value = self._hash_value(definition.get("hashAttribute"))[1]
        version = definition.get("hashVersion") or 1
        return bucket(seed, to_string(value), version) if truthy(value) else None

    def _filtered_out(self, filters: Sequence[Json]) -> bool:
        for one in filters:
            value = self._hash_value(one.get("attribute"))[1]
            version = one.get("hashVersion") or 2
            place = bucket(one.get("seed", ""), to_string(value), version) if truthy(value) else None
            if place is None or choose_variation(place, one["ranges"]) < 0:
                return True
        return False

    def _in_rollout(self, key: str, rule: Json) -> bool:
        range_, coverage = rule.get("range"), rule.get("coverage")
        if range_ is None and coverage is None:
            return True
        place = self._place(rule, rule.get("seed") or key)
        if place is None:
            return False
        # The SDKs let the end of a coverage in, and not that of a range.
        return in_range(place, range_) if range_ else bool(coverage) and place <= (coverage or 0)

    def _weigh(self, experiment: dict[str, Any], reference: str | None) -> None:
        """Take a contextual bandit's weights for this visitor, those of the first leaf that holds."""
        bandit = self.definitions.bandits.get(reference) if reference else None
        if bandit is None:
            return
        leaf: Json = next((one for one in bandit.get("contexts") or () if self._meets(one)), {})
        weights = leaf.get("weights")
        if weights is not None and "leafId" in leaf:
            experiment["weights"] = weights
        variations = len(experiment["variations"])
        experiment["contextualBandit"] = {
            "leafId": leaf.get("leafId", NO_LEAF) if weights is not None else NO_LEAF,
            "variationWeights": usable_weights(variations, experiment.get("weights")),
        }
        if "banditVersion" in bandit:
            experiment["contextualBandit"]["banditVersion"] = bandit["banditVersion"]

    def experiment(self, experiment: Json, feature: str | None, asked: frozenset[str]) -> dict[str, Any]:
        """The result of one experiment, in the SDKs' order of checks."""
        variations = experiment["variations"]
        if len(variations) < 2 or not self.visitor.enabled:
            return self._result(experiment, feature)
        experiment = {**experiment, **self.definitions.overrides.get(experiment["key"], {})}
        forced = self._forced(experiment["key"], len(variations))
        if forced is not None:
            return self._result(experiment, feature, forced)
        if not self._eligible(experiment, asked):
            return self._result(experiment, feature)
        place = self._place(experiment, experiment.get("seed") or experiment["key"])
        variation = -1 if place is None else _variation(experiment, place)
        if variation >= 0 and "force" in experiment:
            variation, place = experiment["force"], None
        elif self.visitor.testing or experiment.get("status") == "stopped":
            variation = -1
        if variation is None or variation < 0:
            return self._result(experiment, feature)
        return self._result(experiment, feature, variation, place)

    def _forced(self, key: str, variations: int) -> int | None:
        """What the address or a tester demands."""
        query = self.visitor.url.partition("?")[2].partition("#")[0]
        for part in query.split("&"):
            name, _, value = part.partition("=")
            number = re.match(r"\s*\+?(\d{1,9})", value, re.ASCII)
            if name == key and number and int(number[1]) < variations:
                return int(number[1])
            if name == key:
                break
        return self.visitor.forced.get(key)

    def _eligible(self, experiment: Json, asked: frozenset[str]) -> bool:
        if experiment.get("urlPatterns"):
            raise GrowthBookError(
                f"experiment {experiment['key']!r} has urlPatterns; use a condition with $url"
            )
        value = self._hash_value(experiment.get("hashAttribute"))[1]
        if experiment.get("status") == "draft" or experiment.get("active") is False or not truthy(value):
            return False
        namespace, filters = experiment.get("namespace"), experiment.get("filters")
        if filters:
            if self._filtered_out(filters):
                return False
        elif namespace and not in_namespace(to_string(value), namespace[0], namespace[1:]):
            return False
        checks: tuple[Callable[[], bool], ...] = (
            lambda: self._meets(experiment),
            lambda: self._prerequisites(experiment, asked) is None,
            lambda: self._in_groups(experiment),
            lambda: self._at_url(experiment),
        )
        return all(check() for check in checks)

    def _in_groups(self, experiment: Json) -> bool:
        groups = experiment.get("groups")
        return not groups or any(self.visitor.memberships.get(name) for name in groups)

    def _at_url(self, experiment: Json) -> bool:
        pattern, url = experiment.get("url"), self.visitor.url
        if not pattern:
            return True
        path = re.sub(r"^[^/]*/", "/", re.sub(r"^https?://", "", url))
        try:
            expression = regex(pattern)
        except RegexError as error:
            raise GrowthBookError(f"experiment {experiment['key']!r}: {error}") from error
        return bool(url) and (expression.search(url) or expression.search(path))

    def _result(
        self, experiment: Json, feature: str | None, variation: int = -1, place: float | None = None
    ) -> dict[str, Any]:
        """`place` is None where no hash was used; without a variation it is the first, not enrolled."""
        variations = experiment["variations"]
        enrolled = 0 <= variation < len(variations)
        position = variation if enrolled else 0
        metas = experiment.get("meta") or ()
        meta: Json = metas[position] if position < len(metas) else {}
        attribute, value = self._hash_value(experiment.get("hashAttribute"))
        result = {
            "key": meta.get("key") or str(position),
            "featureId": feature,
            "inExperiment": enrolled,
            "hashUsed": place is not None,
            "variationId": position,
            "value": variations[position] if variations else None,
            "hashAttribute": attribute,
            "hashValue": value,
            "stickyBucketUsed": False,
        }
        result |= {name: meta[name] for name in ("name", "passthrough") if meta.get(name)}
        if place is not None:
            result |= {"bucket": place, **experiment.get("contextualBandit", {})}
        return result


def _variation(experiment: Json, place: float) -> int:
    count, coverage = len(experiment["variations"]), experiment.get("coverage")
    ranges = experiment.get("ranges") or bucket_ranges(
        count, 1 if coverage is None else coverage, experiment.get("weights")
    )
    return choose_variation(place, ranges)


def _experiment_of(key: str, rule: Json, variations: Sequence[Any]) -> dict[str, Any]:
    experiment = {"variations": variations, "key": rule.get("key") or key}
    experiment |= {name: rule[name] for name in _COPIED_IF_THERE if name in rule}
    return experiment | {name: rule[name] for name in _COPIED if rule.get(name)}


def _outcome(value: Any, source: str, rule: Json | None = None) -> dict[str, Any]:
    on = truthy(value)
    rule_id = (rule or {}).get("id") or ""
    return {"value": value, "on": on, "off": not on, "source": source, "ruleId": rule_id}
