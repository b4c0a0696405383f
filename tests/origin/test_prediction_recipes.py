"""Every recipe of predictions, from a workspace's file to what the edge tells."""

import numpy as np
import pytest

from compiler.build import compile_workspace
from compiler.workspace import read_workspace
from edge.bundle.reader import Bundle, open_bundle
from edge.decide.engine import Engine
from edge.decide.predictor import check_golden
from edge.decide.types import Context
from models.predict.recipe import PREDICTIONS
from origin.training.predictions import load_predictions, train_predictions
from tests.workspaces.predicting import FILES, SITE, make_predicting

FEATURES = "data: data/visits.csv\nfeatures: [pages, kind, known]\n"
TEXTS = "data: data/visits.csv\ntext: search.query\nwords: 128\n"
MODELS = {
    "boosting": f"{FEATURES}label: bought\nrounds: 20\n",
    "forest": f"{FEATURES}label: bought\ntrees: 10\n",
    "hist-boosting": f"{FEATURES}label: bought\nrounds: 20\n",
    "intent": f"{TEXTS}label: intent\noutputs: [shoes, sound]\n",
    "lambdamart": f"{FEATURES}label: bought\ngroup: day\nrounds: 20\n",
    "logistic": f"{FEATURES}label: bought\n",
    "mlp": f"{FEATURES}label: bought\nepochs: 60\n",
    "segments": f"{FEATURES}count: 2\noutputs: {{a: SEGMENT_A, b: SEGMENT_B}}\n",
    "text": f"{TEXTS}label: rate\nweight: views\ngroup: day\n",
    "uplift": f"{FEATURES}label: bought\ntreatment: treated\nlearner: boosting\nrounds: 20\n",
}
ASKED = {"session.pages": 45.0, "session.kind": "new", "search.query": "sneakers please"}


def visits() -> str:
    """Who sees many pages buys, the more if treated; what is searched for has one of two intents."""
    draw = np.random.default_rng(2)
    lines = ["session.pages,session.kind,bought,day,treated,search.query,intent,rate,views"]
    for row in range(400):
        pages, treated = int(draw.integers(0, 50)), int(draw.integers(2))
        bought = int(pages + 15 * treated + draw.normal(0, 8) > 35)
        query, intent = (("sneakers boots", "shoes"), ("radio speakers", "sound"))[int(draw.integers(2))]
        rate = 0.05 if intent == "shoes" else 0.02
        kind = ("new", "returning")[int(draw.integers(2))]
        lines.append(f"{pages},{kind},{bought},{row // 8},{treated},{query} {row % 7},{intent},{rate},900")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """All recipes, each read by a rule of its own."""
    folder = tmp_path_factory.mktemp("recipes")
    rules = [f"  all-{name}: {{model.{name}: {{$exists: true}}}}" for name in MODELS]
    shown = [
        f"  - {{id: {name}, audience: all-{name}, placement: hero, show: {{content: offer}}}}"
        for name in MODELS
    ]
    changes = {
        "site.yaml": FILES["site.yaml"] + '  search.query: {type: string, source: "query:q"}\n',
        "data/visits.csv": visits(),
        "rules/rules.yaml": "\n".join(["audiences:", *rules, "campaigns:", *shown]) + "\n",
        "models/buy.yaml": None,
        "models/segment.yaml": None,
        **{f"models/{name}.yaml": f"recipe: {name}\n{text}" for name, text in MODELS.items()},
    }
    workspace = read_workspace(make_predicting(folder / "workspace", changes))
    (done,) = train_predictions(workspace, ["segments"])
    first, second = done.model.outputs
    named = MODELS["segments"].replace("SEGMENT_A", first).replace("SEGMENT_B", second)
    changes["models/segments.yaml"] = f"recipe: segments\n{named}"
    workspace = read_workspace(make_predicting(folder / "workspace", changes))
    list(train_predictions(workspace, [name for name in MODELS if name != "segments"]))
    compile_workspace(workspace, {}, folder / "bundle", load_predictions(workspace))
    return open_bundle(folder / "bundle", SITE)


def test_there_is_a_model_of_every_recipe() -> None:
    assert set(MODELS) == set(PREDICTIONS)


def test_the_compiled_graph_answers_as_the_references_do(bundle: Bundle) -> None:
    assert check_golden(bundle) > 20


def test_each_recipe_tells_something_sensible(bundle: Bundle) -> None:
    engine = Engine.load(bundle)
    told = engine.told(Context(0, 0, "full", ASKED, (), ("hero",))).attributes
    for name in ("boosting", "forest", "hist-boosting", "logistic", "mlp"):
        assert 0.5 < float(str(told[f"model.{name}"])) <= 1, name
    assert told["model.intent"] == "shoes"
    assert told["model.segments"] in ("a", "b")
    assert float(str(told["model.text"])) > 0.5
    assert np.isfinite(float(str(told["model.lambdamart"])))
    few = engine.told(Context(0, 0, "full", {**ASKED, "session.pages": 28.0}, (), ("hero",))).attributes
    assert float(str(few["model.uplift"])) > 0.1
