"""From a file of views to the page: a network that takes in the context lists by it, and replays."""

import json
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import Result
from typer.testing import CliRunner

from edge.bundle.certificate import load_certificate
from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import Context
from edge.pages.plan import scan
from edge.worker.attributes.facts import Request
from edge.worker.turn.personalize import personalize
from edge.worker.turn.view import PageView
from origin.commands.root import app
from origin.lake.replay import replay
from tests.edge.worker.conftest import Worker
from tests.workspaces.make import FILES, SITE, make_workspace

ALPINE, OTHER = ("alien", "brazil", "dune", "fargo"), ("casablanca", "eva", "gilda", "heat")
SITE_YAML = FILES["site.yaml"].replace(
    "items:",
    '  plan: {type: string, source: "cookie:plan"}\n  pages: {type: number, source: "cookie:pages"}\nitems:',
)
FEATURES = """\
features:
  country: {attribute: geo.country, one_hot: [AT, DE]}
  plan: {attribute: plan, code: [free, paid]}
  pages: {attribute: pages, clip: [0, 20], missing: 0}
"""
NEAR = """\
recipe: two-tower
interactions: data/views.csv
users: data/users.csv
features: [country, plan, pages]
fallback: popular
factors: 8
epochs: 150
patience: 0
"""
RECOMMENDER = "model: near\nfallback: popular\nat_most: {genre: 2}\nchallenger: {model: mixed, share: 1}\n"
CAMPAIGNS = """\
campaigns:
  - {id: for-you, placement: recommended, show: {recommender: mine, card: film, limit: 3}}
  - {id: bare, placement: trending, show: {recommender: near, card: film, limit: 3}}
"""


def _views() -> dict[str, str]:
    """Who is from Austria views half of the films, who is from Germany the others."""
    views, users = ["user,item,timestamp,geo.country,pages"], ["user,plan"]
    for user in range(60):
        country, items = ("AT", ALPINE) if user % 2 else ("DE", OTHER)
        users.append(f"u{user},{'paid' if user % 3 else 'free'}")
        views += [
            f"u{user},{items[(user + turn) % 4]},{1_700_000_000 + 60 * (10 * user + turn)},{country},{turn}"
            for turn in range(3)
        ]
    return {"data/views.csv": "\n".join(views) + "\n", "data/users.csv": "\n".join(users) + "\n"}


def _run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, torch: ModuleType) -> Path:
    """The workspace, trained and compiled."""
    folder = tmp_path_factory.mktemp("context")
    changes = {
        "site.yaml": SITE_YAML,
        "features.yaml": FEATURES,
        "models/near.yaml": NEAR,
        "models/taste.yaml": None,
        "models/mixed.yaml": NEAR.replace("two-tower", "ensemble\nmembers: two-tower ease").replace(
            "factors: 8\nepochs: 150\npatience: 0\n", ""
        ),
        "recommenders/mine.yaml": RECOMMENDER,
        "rules/campaigns.yaml": CAMPAIGNS,
        **_views(),
    }
    workspace = make_workspace(folder / "workspace", changes)
    _run("train", workspace)
    _run("compile", workspace, "-o", folder / "bundle")
    return folder


@pytest.fixture(scope="module")
def engine(folder: Path) -> Engine:
    return Engine.load(open_bundle(folder / "bundle", SITE))


PAGE = b'<div data-placement="recommended">none</div><div data-placement="trending">none</div>'


def _request(country: bytes, cookie: bytes) -> Request:
    return Request("/", b"", {b"cookie": b"consent=full; " + cookie, b"x-geo-country": country})


def test_who_is_new_gets_a_list_by_the_context_and_it_replays(engine: Engine, tmp_path: Path) -> None:
    worker = Worker(tmp_path, engine)
    asked = [
        (b"AT", b"plan=free"),
        (b"DE", b"plan=paid"),
        (b"FR", b"pages=3"),
        (b"AT", b"plan=free"),
        (b"", b""),
    ]
    views = [PageView(_request(*each), scan(PAGE), PAGE) for each in asked]
    personalize(views[:3], worker.holder.active, worker.desk, 1_750_000_000_000)
    personalize(views[3:], worker.holder.active, worker.desk, 1_750_000_000_000)
    records = worker.decisions()
    lists = [record.slots[0].items for record in records]
    assert set(lists[0]) <= {*ALPINE}
    assert set(lists[1]) <= {*OTHER}
    assert lists[3] == lists[0]
    assert len({*lists}) > 2
    assert records[0].context.attributes["geo.country"] == "AT"
    assert records[2].context.attributes["pages"] == 3
    fresh = Engine.load(engine.bundle)
    found = replay({engine.id: fresh}, records)
    assert (found.decided, found.different) == (5, 0)


def test_a_challenger_goes_by_the_context_of_the_record(engine: Engine) -> None:
    challengers = engine.challengers
    assert challengers is not None
    found = set()
    for country in ("AT", "DE"):
        context = Context(0, 1, "full", {"geo.country": country}, (), ("recommended",))
        (slot,) = engine.decide(context).slots
        assert challengers.tried(slot, 1) is not None
        found.add(challengers.items(slot, context))
    assert len(found) == 2


def test_a_chain_goes_by_the_context_where_there_is_no_history(engine: Engine) -> None:
    around = engine.around
    assert around is not None
    models = []
    for attributes in ({"geo.country": "AT"}, {}, {"geo.country": "AT", "plan": "paid"}, {"other": 1}):
        context = Context(0, 1, "full", {**attributes}, (), ("recommended",))
        _, asking = engine.listing.asking("mine", context)
        models.append(around.links("mine", asking)[0].model)
    assert models == ["near", "popular", "near", "popular"]


def test_an_explanation_says_what_the_context_did(folder: Path) -> None:
    context = folder / "context.json"
    context.write_text(
        json.dumps({"attributes": {"geo.country": "AT"}, "history": ["alien"]}), encoding="utf-8"
    )
    told = _run("decide", folder / "bundle", "--context", context, "--explain").output
    assert "mine lists by model near, of 1 viewed item; of the context geo.country AT, pages missing" in told
    assert "geo.country +" in told


def test_the_certificate_is_of_rows_with_contexts(folder: Path) -> None:
    certificate = load_certificate(open_bundle(folder / "bundle", SITE))
    assert certificate is not None
    parities = {model.name: model.parity for model in certificate.models}
    assert parities["near"].rows == 180
    assert (parities["near"].error, parities["near"].agreement) == (0, 1)
    assert parities["mixed"].error == 0


def test_other_features_need_another_training(folder: Path) -> None:
    workspace = folder / "workspace"
    changed = FEATURES.replace("[AT, DE]", "[AT, CH]")
    (workspace / "features.yaml").write_text(changed, encoding="utf-8")
    try:
        result = CliRunner().invoke(app, ["compile", str(workspace), "-o", str(folder / "other")])
    finally:
        (workspace / "features.yaml").write_text(FEATURES, encoding="utf-8")
    assert result.exit_code
    assert "was trained with other features" in result.output
    file = workspace / "models/near.yaml"
    file.write_text(NEAR.replace("two-tower", "ease").replace("factors: 8\nepochs: 150\npatience: 0\n", ""))
    try:
        result = CliRunner().invoke(app, ["validate", str(workspace)])
    finally:
        file.write_text(NEAR)
    assert "models/near.yaml:4" in result.output
    assert "takes in no features of the context" in result.output
