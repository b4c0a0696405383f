"""The JSON Schemas accept what the compiler accepts, and refuse what they can."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler.conditions.operators import NESTED, OPERATORS
from compiler.files.fields import Fields
from compiler.files.yaml_lines import Node, read_yaml
from compiler.init import TEMPLATES, schema_text, template_names
from compiler.problems import Problem, Problems
from compiler.workspace import WorkspaceError, read_workspace
from models.predict import recipe as predict
from models.recipe import BROUGHT, RECIPES, check_settings, settings_of
from origin.training.validation import workspace_schemas
from tests.compiler.json_schema import accepts
from tests.compiler.recommenders.test_reading import FULL
from tests.compiler.test_broken import CASES
from tests.workspaces import shop
from tests.workspaces.make import ACTIONS, BANDITS, EXPERIMENTS, FILES, make_workspace

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = workspace_schemas()

BEYOND = {
    "audience twice", "campaign twice", "key twice",  # an editor has read them as one
    "unknown attribute", "inline condition", "unknown audience", "unknown placement", "unknown content",
    "unknown recommender", "unknown card", "unknown fallback", "content is gone",  # names of other files
    "interactions are gone", "endless path", "models without items", "bad model name",  # about files
    "default is gone",  # a name of another file
    "place without a front", "built in as another type",  # two values beside each other
    "list is gone", "list by a number", "list of rows", "empty list",
    "audience that is a list",  # of other files
    "window too long", "behaviours of too many bytes",  # sums
    "unknown event", "last of a count", "rate of a column", "rate of itself", "value of a click",
    "until nothing known", "a view until", "event that is counted", "cap twice",
    "path of a view", "where of a page", "sum of nothing", "count of a column",
    "sum of texts", "distinct of an unknown column", "where of an unknown column",  # of the catalog
    "hostile regex",  # a language of its own
    "no such zone",  # a file of the machine
    "hours for years", "no time", "hours that never come",
    "ends first", "falls back to itself",  # two values beside each other
    "sources twice", "objection gives more", "tier by an unmapped purpose", "interest in profiles",
    "event that is unknown", "event's purpose", "attribute's purpose", "behaviour's purpose",
    "model's purpose", "campaign's purpose", "attribute for another purpose",  # names of other parts
}  # fmt: skip
"""Mistakes of `CASES` that no JSON Schema can tell."""


def _schema_of(path: str) -> str:
    names = {"rules": "rules", "models": "model", "recommenders": "recommender"}
    return {**names, "site.yaml": "site", "features.yaml": "features"}.get(path.partition("/")[0], "")


def _plain(folder: Path, path: str) -> Any:
    node = read_yaml(folder, path, Problems())
    return None if node is None else node.plain()


def _problems(folder: Path, path: str) -> list[Problem]:
    try:
        found = read_workspace(folder, check_settings).warnings
    except WorkspaceError as error:
        found = error.problems
    return [problem for problem in found if problem.severity == "error" and problem.path == path]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schema_is_up_to_date(name: str) -> None:
    published = (ROOT / "docs" / "schema" / f"{name}.json").read_text(encoding="utf-8")
    assert published == schema_text(SCHEMAS[name]), "run: nearside schema -o docs/schema"


OURS = [*(TEMPLATES / name for name in template_names()), ROOT / "origin" / "demo" / "workspace"]


@pytest.mark.parametrize("folder", OURS, ids=lambda folder: folder.name)
def test_what_we_wrote_ourselves_is_accepted(folder: Path) -> None:
    paths = [str(file.relative_to(folder)) for file in folder.rglob("*.yaml")]
    assert len(paths) >= 4
    assert [path for path in paths if not accepts(SCHEMAS[_schema_of(path)], _plain(folder, path))] == []


@pytest.mark.parametrize("case", CASES)
def test_a_broken_file_is_refused_where_a_schema_can_tell(case: str, tmp_path: Path) -> None:
    changes, (path, _, _) = CASES[case]
    document = _plain(make_workspace(tmp_path, changes), path) if _schema_of(path) else None
    if document is not None:  # else an editor tells it, as YAML or as a missing file
        assert accepts(SCHEMAS[_schema_of(path)], document) == (case in BEYOND)


MORE = """\
events: [signup]
behaviours:
  crime: {where: {item.genre: crime}, window: 7d}
audiences:
  vip: {list: models/popular.yaml, by: visitor.id}
budgets:
  model: {kB: 9}
  placement: {operations: 9}
  candidates: {trees: 9, network: 9, sums: 9}
"""
CONSENT = """\
consent:
  sources:
    - gpc: contextual
    - tcf: {vendor: 755, full: [store, content_profile], session: 1, contextual: 11, otherwise: none}
    - gpp: {cookie: gpp, full: taste, legitimate_interest: [8], opted_out: session, not_opted_out: full}
    - usp: {opted_out: session, not_opted_out: full}
    - cookie: consent
  purposes: {taste: {tcf: [5, personalised_content]}, service: {tier: session}}
  events: {view: taste, page: service, impression: 8, click: [8,9], dwell: 8, scroll: 8, cart: 8, purchase: 8}
"""
"""What the small workspace has no need of, with keys of its own."""

VALUED = """\
campaigns:
  - {id: dear, placement: hero, value: {base: 1, plus: {visitor.visits: 2}}, show: {content: app}}
"""

FEATURES = """\
features:
  device: {attribute: device.type, one_hot: [mobile, desktop]}
  loyal: {attribute: visitor.visits, buckets: [2, 10], missing: 0}
  visits: {attribute: visitor.visits, clip: [0, 100], log: true}
  country: {attribute: geo.country, code: [DE, AT]}
  told: {attribute: geo.country, present: true}
  both: {cross: [device, loyal]}
"""

PREDICTION = """\
recipe: logistic
data: data/buy.csv
label: bought
features: [device, visits]
outputs: [yes-please, no-thanks]
"""

SMALL = FILES["models/taste.yaml"] + "smallest: {lose: 0.5%}\nbudget: {kB: 9, operations: 9}\n"
OLD_CONSENT = "consent: {cookie: consent, default: contextual}"
GROUPED = {"rules/groups.yaml": "groups: {dach: [AT]}\naudiences: {near: {geo.country: {$inGroup: dach}}}\n"}


def test_the_keys_are_those_that_the_readers_ask_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, set[str]] = {}
    node = Fields.node

    def note(self: Fields, key: str, *, required: bool = False) -> Node | None:
        asked.setdefault(_schema_of(self.path), set()).add(key)
        return node(self, key, required=required)

    monkeypatch.setattr(Fields, "node", note)
    hero = "{name: hero, choose: best, default: app}"
    site = str(EXPERIMENTS["site.yaml"]).replace("[hero,", f"[{hero},")
    site = site.replace(f"{OLD_CONSENT}\n", CONSENT) + MORE
    site += ACTIONS["site.yaml"].removeprefix(FILES["site.yaml"]).partition("holdouts")[0]
    more = {"rules/page.yaml": ACTIONS["rules/page.yaml"], "rules/worth.yaml": VALUED}
    more |= {"features.yaml": FEATURES, "models/buy.yaml": PREDICTION, "data/buy.csv": ""}
    more |= {"features.yaml": FEATURES, "models/taste.yaml": SMALL}
    changes = {**EXPERIMENTS, **BANDITS, **WEEKENDS, **CAPPED, **GROUPED, **more, "site.yaml": site}
    assert read_workspace(make_workspace(tmp_path, changes)).campaigns
    shop_files = {**shop.FILES, "recommenders/mine.yaml": FULL}
    assert read_workspace(make_workspace(tmp_path / "shop", shop_files)).recommenders
    asked["recommender"].remove("brand")  # a column of the catalog
    # A campaign reads `show` by its keys before it asks for them.
    described = {name: set(_keys(schema)) for name, schema in SCHEMAS.items()}
    described["model"] -= {setting for name in (*RECIPES, BROUGHT.name) for setting in settings_of(name)}
    described["model"] -= {
        setting for name in (*predict.PREDICTIONS, predict.BROUGHT) for setting in predict.settings_of(name)
    }
    assert described == asked


def _keys(schema: Any) -> Iterator[str]:
    """The names of properties, but for attributes and operators."""
    if isinstance(schema, list):
        for part in schema:
            yield from _keys(part)
    elif isinstance(schema, dict):
        if schema.get("additionalProperties") is False:
            yield from schema.get("properties", {})
        for name, part in schema.items():
            if name != "definitions":
                yield from _keys(part)


@pytest.mark.parametrize("kind", ["string", "number", "boolean"])
def test_every_operator_is_offered_for_some_type(kind: str) -> None:
    offered = SCHEMAS["rules"]["definitions"][kind]["anyOf"][1]["properties"]
    assert {"$eq", "$in", "$exists"} <= set(offered) <= {*OPERATORS, *NESTED}
    assert ("$gt" in offered) == (kind != "boolean")
    assert ("$url" in offered) == (kind == "string")


CAPPED = {
    "rules/capped.yaml": """
campaigns:
  - id: capped
    placement: hero
    cap: [{impressions: 3, days: 7}, {impressions: 1, per: visit}]
    recency: {hours: 24}
    until: click
    show: {content: app}
"""
}


WEEKENDS = {
    "rules/weekends.yaml": """
campaigns:
  - id: weekends
    placement: hero
    schedule:
      start: 2026-06-01
      end: 2026-09-01
      timezone: Europe/Berlin
      weekly: [{days: [sat, sun], from: "10:00", to: "18:00"}]
    show: {content: app}
"""
}


VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 3, 2.5, 10**7, "", "hero", "mobile", "Not An Id", "ease", "contextual",
    "2026-06-01T00:00:00Z", "2026-06-01", "header:Cookie", "header:x-plan", "/film/{item}",
    [], ["hero"], ["hero", "hero"], [3], {}, {"$gt": 1}, {"$in": ["a", None]}, {"$eq": "a"},
    {"type": "mobile"}, {"content": "app"}, {"device.type": "mobile"}, {"$and": [{}]},
    {"start": "2026-06-01T00:00:00+02:00"},
)  # fmt: skip
KEYS = ("site", "audience", "limit", "priority", "device", "device.type", "visitor.visits", "$and", "$gt",
        "$in", "half_life_days", "regularization", "fallback", "show", "card", "cookie", "X y")  # fmt: skip


def _mutate(document: Any, chance: Random) -> Any:
    """The document with one thing changed somewhere."""
    if isinstance(document, (dict, list)) and document and chance.random() < 0.8:
        place = chance.choice([*(document if isinstance(document, dict) else range(len(document)))])
        copy: Any = dict(document) if isinstance(document, dict) else list(document)
        act = chance.randrange(6)
        if act == 0:
            del copy[place]
        elif act == 1 and isinstance(copy, dict):
            copy[chance.choice(KEYS)] = copy.pop(place) if chance.random() < 0.5 else chance.choice(VALUES)
        else:
            copy[place] = _mutate(copy[place], chance)
        return copy
    return chance.choice(VALUES)


YAML = sorted(path for path in FILES if path.endswith(".yaml"))


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.randoms(use_true_random=False), path=st.sampled_from(YAML))
def test_schema_and_compiler_agree_on_files_bent_at_random(
    chance: Random, path: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = make_workspace(tmp_path_factory.mktemp("bent"))
    document = _mutate(_plain(folder, path), chance)
    (folder / path).write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML, too
    errors = _problems(folder, path)
    accepted = accepts(SCHEMAS[_schema_of(path)], document)
    if not errors:
        assert accepted, document
    if any(error.code in ("unknown-key", "missing-key", "wrong-type") for error in errors):
        assert not accepted, [document, *map(str, errors)]
