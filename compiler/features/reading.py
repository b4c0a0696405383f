"""Reads features.yaml: numbers made from attributes, for models."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Final

from compiler.files.fields import Fields, check_id
from compiler.files.yaml_lines import Node, read_yaml
from compiler.models.types import Features
from compiler.problems import Problems, nearest
from compiler.types import Site
from edge.bundle.features import (
    BUCKETS,
    CODE,
    CROSS,
    MAX_CATEGORIES,
    MAX_CUTS,
    MAX_FEATURES,
    MAX_NUMBER,
    MAX_VALUES,
    NUMBER,
    ONE_HOT,
    PRESENT,
    Feature,
    values_of,
)
from edge.worker.attributes.place import NO_FRONT

PATH: Final = "features.yaml"
SHAPES: Final = (ONE_HOT, CODE, BUCKETS, PRESENT)
"""What says how an attribute becomes numbers; without one of them it is the number that it is."""

NUMERIC: Final = ("number", "boolean")
UNREAD: Final = ("model", "cap")
"""Sources of attributes that are known after features, or to visitors alone who have something of them."""


def read_features(folder: Path, site: Site, problems: Problems) -> Features:
    """The features of a workspace; none where it has no such file."""
    if not (folder / PATH).exists():
        return Features()
    node = read_yaml(folder, PATH, problems)
    if node is None:
        return Features()
    fields = Fields(node, PATH, "the file", problems)
    entries = fields.mapping("features", required=True)
    fields.close()
    if entries is None:
        return Features()
    assert isinstance(entries.value, dict)
    if len(entries.value) > MAX_FEATURES:
        message = f"there are {len(entries.value)} features"
        problems.error(PATH, entries.line, "too-large", message, f"at most {MAX_FEATURES}")
        return Features()
    found = _Reader(site, problems).read(entries.value)
    return Features(found, {name: entries.value[name].line for name in found})


def taken_features(fields: Fields, features: Features, *, required: bool = False) -> tuple[str, ...]:
    """The features that a model's file names, each once; notes those that are not there."""
    asked = fields.texts("features", required=required)
    known, names = features.by_name, [name for name, _ in asked]
    for name, line in asked:
        if name not in known:
            hint = nearest(name, known) if known else "define features in features.yaml"
            fields.error(line, "unknown-name", f"has an unknown feature {name!r}", hint)
        elif names.count(name) > 1:
            fields.error(line, "bad-value", f"has the feature {name!r} twice", "keep one of them")
    return tuple(names)


class _Reader:
    """Features under reading, against the attributes of a site."""

    def __init__(self, site: Site, problems: Problems) -> None:
        self._attributes = {
            a.name: a for a in site.attributes if a.source not in UNREAD and a.type != "strings"
        }
        self._problems = problems

    def read(self, entries: Mapping[str, Node]) -> dict[str, Feature]:
        """Those that are right, by name; crosses last, as they are made of the others."""
        found: dict[str, Feature] = {}
        crosses = []
        for name, node in entries.items():
            fields = Fields(node, PATH, f"feature {name!r}", self._problems)
            check_id(name, "a feature", (PATH, node.line), self._problems)
            if isinstance(node.value, dict) and CROSS in node.value:
                crosses.append((name, fields))
            elif (feature := self._single(name, fields)) is not None:
                found[name] = feature
        singles = {name for name in entries if name not in dict(crosses)}
        for name, fields in crosses:
            feature = _cross(name, fields, singles)
            if feature is not None and all(part in found for part in feature.of):
                found[name] = feature
        _check_size(found, entries, self._problems)
        return found

    def _single(self, name: str, fields: Fields) -> Feature | None:
        attribute = fields.text("attribute", required=True)
        shapes = [shape for shape in SHAPES if fields.node(shape) is not None]
        kind = shapes[0] if shapes else NUMBER
        if len(shapes) > 1:
            fields.error(
                fields.line_of(shapes[1]), "bad-value", f"has {' and '.join(shapes)}", "keep one of them"
            )
        categories = _categories(fields, kind)
        cuts = _cuts(fields) if kind == BUCKETS else ()
        clip = _clip(fields)
        log = _flag(fields, "log")
        missing = fields.number("missing", -MAX_NUMBER, MAX_NUMBER)
        _flag(fields, PRESENT)
        text = self._is_text(fields, attribute, kind)
        _refuse_strangers(fields, kind)
        fields.close()
        if attribute is None or text is None:
            return None
        return Feature(name, kind, attribute, text, categories, cuts, clip, log, missing)

    def _is_text(self, fields: Fields, attribute: str | None, kind: str) -> bool | None:
        """Whether the attribute is one of texts; None where it is none that this feature can be made of."""
        if attribute is None:
            return None
        line, known = fields.line_of("attribute"), self._attributes.get(attribute)
        if known is None:
            fields.error(line, "unknown-name", f"reads {attribute!r}", nearest(attribute, self._attributes))
            return None
        if known.source == f"front:{NO_FRONT}":
            hint = "write `front:` in site.yaml, or give it a source under `attributes:`"
            fields.error(line, "no-source", f"reads {attribute!r}, which nothing tells", hint)
        text = known.type not in NUMERIC
        if text and kind in (NUMBER, BUCKETS):
            hint = "for a text write one_hot, code or present"
            fields.error(line, "wrong-type", f"takes {attribute!r} for a number, and it is a text", hint)
        elif not text and kind in (ONE_HOT, CODE):
            hint = "for a number write buckets, or take it as it is"
            fields.error(
                fields.line_of(kind), "wrong-type", f"has {kind}, and {attribute!r} is no text", hint
            )
        return text


def _cross(name: str, fields: Fields, known: Iterable[str]) -> Feature | None:
    names = set(known)
    of = fields.texts(CROSS, required=True)
    fields.close()
    if len(of) != 2:
        fields.error(fields.line_of(CROSS), "bad-value", f"crosses {len(of)} features", "name two of them")
        return None
    for part, line in of:
        if part not in names:
            hint = nearest(part, names)
            fields.error(line, "unknown-name", f"crosses {part!r}, which is no feature of an attribute", hint)
    return Feature(name, CROSS, of=tuple(part for part, _ in of))


def _categories(fields: Fields, kind: str) -> tuple[str, ...]:
    if kind not in (ONE_HOT, CODE):
        return ()
    entries = [text for text, _ in fields.texts(kind)]
    line = fields.line_of(kind)
    if not entries or len(entries) > MAX_CATEGORIES:
        hint = f"name 1 to {MAX_CATEGORIES}"
        fields.error(line, "bad-value", f"has {len(entries)} categories", hint)
    for text in sorted({text for text in entries if entries.count(text) > 1}):
        fields.error(line, "bad-value", f"has the category {text!r} twice", "keep one of them")
    return tuple(entries)


def _cuts(fields: Fields) -> tuple[float, ...]:
    cuts = _numbers(fields, BUCKETS)
    if cuts is None:
        return ()
    rising = all(low < high for low, high in pairwise(cuts))
    if not rising or not 1 <= len(cuts) <= MAX_CUTS:
        hint = f"write 1 to {MAX_CUTS} numbers, each greater than the one before"
        fields.error(fields.line_of(BUCKETS), "bad-value", f"has the cuts {list(cuts)}", hint)
    return cuts


def _clip(fields: Fields) -> tuple[float, float] | None:
    if fields.node("clip") is None:
        return None
    bounds = _numbers(fields, "clip")
    if bounds is None:
        return None
    if len(bounds) != 2 or bounds[0] >= bounds[1]:
        message, hint = f"has clip {list(bounds)}", "write the least and the most: [0, 100]"
        fields.error(fields.line_of("clip"), "bad-value", message, hint)
        return None
    return bounds[0], bounds[1]


def _numbers(fields: Fields, key: str) -> tuple[float, ...] | None:
    found = []
    for node in fields.items(key):
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            fields.error(node.line, "wrong-type", f"has {node.kind()} in {key!r}", "it takes numbers")
            return None
        if not -MAX_NUMBER <= node.value <= MAX_NUMBER:
            fields.error(node.line, "bad-value", f"has {node.value} in {key!r}", f"at most {MAX_NUMBER:g}")
            return None
        found.append(float(node.value))
    return tuple(found)


def _flag(fields: Fields, key: str) -> bool:
    node = fields.node(key)
    if node is not None and node.value is not True:
        fields.error(
            node.line, "bad-value", f"has {key} {node.plain()!r}", f"write `{key}: true`, or leave it out"
        )
    return node is not None


_FITS: Final[Mapping[str, tuple[str, ...]]] = {
    "clip": (NUMBER,),
    "log": (NUMBER,),
    "missing": (NUMBER, BUCKETS),
}


def _refuse_strangers(fields: Fields, kind: str) -> None:
    """What is for numbers alone would do nothing for others."""
    for key, kinds in _FITS.items():
        if fields.node(key) is not None and kind not in kinds:
            fields.error(
                fields.line_of(key), "bad-value", f"has {key!r} with {kind!r}", "that is for numbers"
            )


def _check_size(found: Mapping[str, Feature], entries: Mapping[str, Node], problems: Problems) -> None:
    total = 0
    for name, feature in found.items():
        total += len(values_of(feature, found))
        if total > MAX_VALUES:
            message = f"with feature {name!r} there are more than {MAX_VALUES} numbers"
            hint = "cross features of fewer categories or buckets"
            problems.error(PATH, entries[name].line, "too-large", message, hint)
            return
