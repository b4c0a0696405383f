"""Reads recommenders/*.yaml: models, and what happens around their scores."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from compiler.conditions.check import ConditionError, parse
from compiler.conditions.oracle import flat
from compiler.files.fields import Fields, check_id
from compiler.files.yaml_lines import Node, read_yaml
from compiler.models.types import ModelConfig
from compiler.problems import Problems, nearest
from compiler.recommenders.types import (
    EVERY_ITEM,
    Boost,
    Challenger,
    Explore,
    Filter,
    ItemCondition,
    NewItems,
    RecommenderConfig,
)
from compiler.rules.behaviours import ITEM, WINDOW, column_types
from compiler.rules.reads import reads_of
from compiler.types import Catalog, Site
from edge.bundle.recommender_format import MAX_CAPS, MAX_LINKS, MAX_PINS, MAX_RECOMMENDERS

FOLDER: Final = "recommenders"
MAX_LIST: Final = 1_000
MAX_FACTOR: Final = 100.0
MAX_PLUS: Final = 1_000_000.0
MAX_FILTERS: Final = 32
EXPLORED: Final = 50
SEEN: Final = {"leave-out": False, "keep": True}
_SECONDS: Final = {"m": 60, "h": 3600, "d": 86_400}
_COLUMN_HINT: Final = "columns are written as item.COLUMN"


@dataclass(frozen=True)
class Known:
    """What recommenders may speak of."""

    models: Mapping[str, ModelConfig]
    columns: Mapping[str, str]
    attributes: Mapping[str, str]
    items: Collection[str]


def read_recommenders(
    folder: Path, site: Site, models: Sequence[ModelConfig], catalog: Catalog, problems: Problems
) -> tuple[RecommenderConfig, ...]:
    """All recommenders, sorted by name."""
    files = [file for file in sorted((folder / FOLDER).glob("*")) if file.suffix in (".yaml", ".yml")]
    if not files:
        return ()
    known = Known(
        {model.name: model for model in models},
        column_types(catalog),
        {attribute.name: attribute.type for attribute in site.attributes},
        frozenset(item.id for item in catalog.items),
    )
    found: dict[str, RecommenderConfig] = {}
    for file in files:
        path = f"{FOLDER}/{file.name}"
        if file.stem in found or file.stem in known.models:
            there = found[file.stem].path if file.stem in found else known.models[file.stem].path
            message = f"recommender {file.stem!r} has the name of {there}"
            problems.error(path, 0, "duplicate-id", message, "rename one of them")
        elif check_id(file.stem, "a recommender", (path, 0), problems):
            node = read_yaml(folder, path, problems)
            if node is not None:
                fields = Fields(node, path, f"recommender {file.stem!r}", problems)
                found[file.stem] = _Reader(fields, known, problems).read(file.stem)
    if len(found) > MAX_RECOMMENDERS:
        problems.error(FOLDER, 0, "too-large", f"{len(found)} recommenders", f"at most {MAX_RECOMMENDERS}")
    return tuple(found[name] for name in sorted(found))


class _Reader:
    """One file under reading."""

    def __init__(self, fields: Fields, known: Known, problems: Problems) -> None:
        self._fields, self._known, self._problems = fields, known, problems

    def read(self, name: str) -> RecommenderConfig:
        fields = self._fields
        least, items, history = self._confident()
        weight, alike, near = self._diverse()
        seen = self._choice("seen", SEEN)
        fill = fields.node("fill")
        if fill is not None and not isinstance(fill.value, bool):
            fields.error(fill.line, "wrong-type", f"has {fill.kind()} as 'fill'", "it takes true or false")
        config = RecommenderConfig(
            name, self._models(), fields.path, fields.line, least, items, history,
            fill=fill is None or fill.value is True,
            keeps_seen=SEEN.get(seen),
            filters=tuple(map(self._filter, self._entries("only", MAX_FILTERS))),
            boosts=tuple(map(self._boost, self._entries("boost", MAX_FILTERS))),
            pins=self._pins(), caps=self._caps(), diversity=weight, alike=alike, near=near,
            explore=self._explore(), new_items=self._new_items(), without=self._without(),
            consider=fields.integer("consider", 1, MAX_LIST) or 0,
            challenger=self._challenger(),
        )  # fmt: skip
        fields.close()
        return config

    def _models(self) -> tuple[str, ...]:
        """The chain: as written, or the model and what it falls back to by itself."""
        known = self._known.models
        first = self._model(self._fields, "model")
        chain = [first] if first else []
        written = self._fields.texts("fallback")
        for name, line in written:
            if name not in known:
                message = f"has an unknown fallback {name!r}"
                self._fields.error(line, "unknown-name", message, nearest(name, known))
            elif name in chain:
                message = f"falls back to {name!r} twice"
                self._fields.error(line, "bad-value", message, "name each model once")
            else:
                chain.append(name)
        while not written and chain and (follows := known[chain[-1]].fallback) in known:
            if follows in chain:
                break
            chain.append(follows)
        if len(chain) > MAX_LINKS:
            line = self._fields.line_of("fallback")
            self._fields.error(line, "too-large", f"has {len(chain)} models", f"at most {MAX_LINKS}")
        return tuple(chain)

    def _model(self, fields: Fields, key: str) -> str:
        name = fields.text(key, required=True)
        if name is None or name in self._known.models:
            return name or ""
        hint = nearest(name, self._known.models)
        fields.error(fields.line_of(key), "unknown-name", f"has an unknown model {name!r}", hint)
        return ""

    def _confident(self) -> tuple[float | None, int, int | None]:
        node = self._fields.mapping("confident")
        if node is None:
            return None, 1, None
        fields = self._fields.inside(node, "confident")
        least = fields.number("score", -MAX_PLUS, MAX_PLUS)
        items, history = fields.integer("items", 1, MAX_LIST), fields.integer("history", 0, MAX_LIST)
        fields.close()
        return least, items or 1, history

    def _diverse(self) -> tuple[float, tuple[str, ...], str]:
        node = self._fields.mapping("diverse")
        if node is None:
            return 0.0, (), ""
        fields = self._fields.inside(node, "diverse")
        weight = fields.number("weight", 0, 1, required=True) or 0.0
        near = self._model(fields, "model") if fields.node("model") is not None else ""
        alike = self._columns(fields, "by", required=not near)
        fields.close()
        return weight, alike, near

    def _columns(self, fields: Fields, key: str, *, required: bool = True) -> tuple[str, ...]:
        """Names of columns under a key, each known."""
        found = []
        for name, line in fields.texts(key, required=required):
            if self._column(fields, name, line):
                found.append(name)
        return tuple(dict.fromkeys(found))

    def _column(self, fields: Fields, name: str, line: int) -> bool:
        if ITEM + name in self._known.columns:
            return True
        plain = [column.removeprefix(ITEM) for column in self._known.columns]
        fields.error(line, "unknown-name", f"has an unknown column {name!r}", nearest(name, plain))
        return False

    def _entries(self, key: str, most: int) -> list[Fields]:
        nodes = self._fields.items(key)
        if len(nodes) > most:
            line = self._fields.line_of(key)
            self._fields.error(line, "too-large", f"has {len(nodes)} entries of {key!r}", f"at most {most}")
        return [self._fields.inside(node, f"{key} {number}") for number, node in enumerate(nodes, 1)]

    def _filter(self, fields: Fields) -> Filter:
        if fields.node("column") is not None:
            return self._by_column(fields)
        where = self._where(fields, required=True)
        when, reads = self._when(fields)
        fields.close()
        return Filter(where, when, reads, line=fields.line)

    def _by_column(self, fields: Fields) -> Filter:
        column = fields.text("column") or ""
        if column and not self._column(fields, column, fields.line_of("column")):
            column = ""
        kind = "at-most" if fields.node("at_most") is not None else "has"
        key, type_ = ("at_most", "number") if kind == "at-most" else ("has", "string")
        attribute = self._attribute(fields, key, type_)
        if kind == "at-most" and column and self._known.columns[ITEM + column] != "number":
            message = f"compares {column!r}, which is not a number for every item"
            fields.error(fields.line_of("column"), "wrong-type", message, "name a column of numbers")
        unknown = fields.text("unknown") or "leave-out"
        if unknown not in SEEN:
            fields.error(
                fields.line_of("unknown"), "bad-value", f"has unknown {unknown!r}", nearest(unknown, SEEN)
            )
        fields.close()
        return Filter(
            kind=kind, column=column, attribute=attribute, reads=(attribute,) if attribute else (),
            keeps_unknown=unknown == "keep", line=fields.line,
        )  # fmt: skip

    def _attribute(self, fields: Fields, key: str, type_: str) -> str:
        name = fields.text(key, required=True) or ""
        types = self._known.attributes
        if name and types.get(name) != type_:
            fitting = [known for known, its in types.items() if its == type_]
            message = f"names {name!r}, which is no attribute of type {type_}"
            fields.error(fields.line_of(key), "unknown-name", message, nearest(name, fitting))
            return ""
        return name

    def _boost(self, fields: Fields) -> Boost:
        times = fields.number("times", 1 / MAX_FACTOR, MAX_FACTOR)
        if fields.node("newest") is not None:
            column = fields.text("newest") or ""
            if column and not self._column(fields, column, fields.line_of("newest")):
                column = ""
            half_life_s = self._half_life(fields)
            if times is None:
                fields.error(fields.line, "missing-key", "has no 'times'", "how much the newest item gains")
            fields.close()
            return Boost(times=times or 1.0, newest=column, half_life_s=half_life_s, line=fields.line)
        plus = fields.number("plus", -MAX_PLUS, MAX_PLUS)
        if (times is None) == (plus is None):
            fields.error(fields.line, "missing-key", "needs `times` or `plus`", "one of both")
        where = self._where(fields, required=True)
        fields.close()
        return Boost(where, times or 1.0, plus or 0.0, line=fields.line)

    def _half_life(self, fields: Fields) -> int:
        text = fields.text("half_life", required=True) or "1d"
        match = WINDOW.fullmatch(text)
        if match is None:
            line, hint = fields.line_of("half_life"), "write minutes, hours or days like 30d"
            fields.error(line, "bad-value", f"has half_life {text!r}", hint)
            return 1
        return int(match[1]) * _SECONDS[match[2]]

    def _pins(self) -> tuple[tuple[str, int], ...]:
        found: dict[int, str] = {}
        for fields in self._entries("pin", MAX_PINS):
            item, at = fields.text("item", required=True) or "", fields.integer("at", 1, MAX_LIST)
            fields.close()
            if fields.node("at") is None:
                fields.error(fields.line, "missing-key", "has no 'at'", "the first place is `at: 1`")
            if item and item not in self._known.items:
                self._problems.warn(
                    fields.path, fields.line_of("item"), "unused", f"pins {item!r}, which the catalog lacks"
                )
            if at is not None and at - 1 in found:
                fields.error(fields.line_of("at"), "duplicate-id", f"pins place {at} again", "keep one")
            elif at is not None and item in found.values():
                fields.error(fields.line_of("item"), "duplicate-id", f"pins {item!r} again", "keep one")
            elif at is not None and item:
                found[at - 1] = item
        return tuple((found[at], at) for at in sorted(found))

    def _caps(self) -> tuple[tuple[str, int], ...]:
        node = self._fields.mapping("at_most")
        if node is None:
            return ()
        fields = self._fields.inside(node, "at_most")
        assert isinstance(node.value, dict)
        found = []
        for column, entry in node.value.items():
            most = fields.integer(column, 1, MAX_LIST)
            if self._column(fields, column, entry.line) and most is not None:
                found.append((column, most))
        if len(found) > MAX_CAPS:
            fields.error(node.line, "too-large", f"has {len(found)} columns", f"at most {MAX_CAPS}")
        return tuple(sorted(found))

    def _explore(self) -> Explore | None:
        node = self._fields.mapping("explore")
        if node is None:
            return None
        fields = self._fields.inside(node, "explore")
        slot = fields.integer("slot", 1, MAX_LIST)
        if fields.node("slot", required=True) is None:
            slot = 1
        share = fields.number("share", 0.001, 1, required=True) or 1.0
        of = fields.integer("of", 1, MAX_LIST) or EXPLORED
        where = self._where(fields) if fields.node("where") is not None else None
        fields.close()
        return Explore((slot or 1) - 1, share, of, where)

    def _new_items(self) -> NewItems | None:
        node = self._fields.mapping("new_items")
        if node is None:
            return None
        fields = self._fields.inside(node, "new_items")
        like, where = self._columns(fields, "like"), self._where(fields)
        fields.close()
        return NewItems(like, where)

    def _challenger(self) -> Challenger | None:
        node = self._fields.mapping("challenger")
        if node is None:
            return None
        fields = self._fields.inside(node, "challenger")
        model, share = self._model(fields, "model"), fields.number("share", 0.0001, 1, required=True)
        if model and model == self._fields.text("model"):
            message, line = f"challenges {model!r} with itself", fields.line_of("model")
            fields.error(line, "bad-value", message, "name another model")
        fields.close()
        return Challenger(model, share or 1.0) if model else None

    def _without(self) -> tuple[str, ...]:
        found = []
        for name, line in self._fields.texts("leave_out"):
            if self._known.attributes.get(name) in ("string", "strings"):
                found.append(name)
            else:
                texts = [n for n, type_ in self._known.attributes.items() if type_ in ("string", "strings")]
                message = f"leaves out what {name!r} holds, which is no attribute of texts"
                self._fields.error(line, "unknown-name", message, nearest(name, texts))
        return tuple(dict.fromkeys(found))

    def _choice(self, key: str, choices: Collection[str]) -> str:
        value = self._fields.text(key) or ""
        if value and value not in choices:
            self._fields.error(
                self._fields.line_of(key), "bad-value", f"has {key} {value!r}", nearest(value, choices)
            )
        return value

    def _where(self, fields: Fields, *, required: bool = False) -> ItemCondition:
        node = fields.mapping("where", required=required)
        if node is None or not self._check(fields, node, self._known.columns, _COLUMN_HINT):
            return EVERY_ITEM
        return ItemCondition(flat(node.plain()))

    def _when(self, fields: Fields) -> tuple[Mapping[str, Any] | None, tuple[str, ...]]:
        node = fields.mapping("when")
        if node is None or not self._check(fields, node, self._known.attributes, ""):
            return None, ()
        written = node.plain()
        return flat(written), tuple(sorted(set(reads_of(parse(written, self._known.attributes)))))

    def _check(self, fields: Fields, node: Node, types: Mapping[str, str], hint: str) -> bool:
        try:
            parse(node.plain(), types)
        except ConditionError as error:
            for problem in error.problems:
                code = f"condition/{problem.code}"
                fields.error(node.line_at(problem.path), code, problem.message, problem.hint or hint)
            return False
        return True
