"""Predictions from the workspace to the decision: trained, compiled, explained, counted in audiences."""

import json
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from compiler.build import compile_workspace
from compiler.types import Workspace
from compiler.workspace import WorkspaceError, read_workspace
from edge.bundle.reader import Bundle, open_bundle
from edge.decide.engine import Engine
from edge.decide.types import Context, Decision
from edge.errors import ConfigError, GivenError
from models.tables.labelled import Labelled, MadeFrom, read_labelled
from origin.audience.sample import Stated
from origin.audience.size import measure
from origin.commands.root import app
from origin.explain.contexts import read_context
from origin.explain.explanation import explain
from origin.explain.rules_view import View
from origin.training.predictions import load_predictions, train_predictions
from origin.training.preview import preview
from tests.workspaces.predicting import FILES, make_predicting, make_predicting_bundle, sessions

ONE = {
    "models/segment.yaml": None,
    "rules/rules.yaml": """\
audiences:
  likely: {model.buy: {$gte: 0.5}}
campaigns:
  - {id: likely, audience: likely, placement: hero, show: {content: offer}}
  - {id: plain, placement: hero, priority: -1, show: {content: plain}}
""",
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_predicting_bundle(tmp_path_factory.mktemp("predicting"))


def _run(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_from_files_to_a_decision(tmp_path: Path) -> None:
    folder, out = make_predicting(tmp_path / "w", ONE), str(tmp_path / "b")
    assert "buy" in _run("train", str(folder))
    _run("compile", str(folder), "-o", out)
    context = tmp_path / "context.json"
    context.write_text(json.dumps({"attributes": {"session.pages": 48, "session.kind": "new"}}))
    assert json.loads(_run("decide", out, "--context", str(context)))["slots"][0]["campaign"] == "likely"
    context.write_text(json.dumps({"attributes": {"session.pages": 1}}))
    assert json.loads(_run("decide", out, "--context", str(context)))["slots"][0]["campaign"] == "plain"


def test_an_explanation_tells_what_moved_each_model(bundle: Bundle) -> None:
    view = View(bundle)
    context = Context(0, 0, "full", {"session.pages": 45.0, "session.kind": "new"}, (), ("hero", "side"))
    lines = list(explain(view, context, _decided(view, context)))
    buy, segment = (line for line in lines if line.startswith("model "))
    assert buy.startswith("model buy: 0.") and "without session.pages 0." in buy
    assert segment.startswith("model segment: buyer (bargain ")
    likely = next(line for line in lines if "likely, priority" in line)
    assert likely.strip() == "likely, priority 0: wins"
    sure = next(line for line in lines if "sure, priority" in line)
    assert "model.segment.browser is 0." in sure


def test_an_explanation_names_what_is_missing(bundle: Bundle) -> None:
    view = View(bundle)
    context = Context(0, 0, "full", {}, (), ("hero",))
    lines = list(explain(view, context, _decided(view, context)))
    assert any(line.endswith("session.kind, session.pages are missing") for line in lines)


def _decided(view: View, context: Context) -> Decision:
    return Engine.load(view.bundle).decide(context)


def test_audiences_by_models_are_counted(tmp_path: Path) -> None:
    folder = make_predicting(tmp_path / "w", ONE)
    workspace = read_workspace(folder)
    list(train_predictions(workspace))
    contexts = tmp_path / "contexts.jsonl"
    pages = [0, 5, 10, 40, 45, 49]
    contexts.write_text("\n".join(json.dumps({"attributes": {"session.pages": n}}) for n in pages))
    view = preview(workspace)
    found = measure(view, Stated(contexts, view).requests())
    assert [(size.name, size.requests, size.of) for size in found.audiences] == [("likely", 3, 6)]


def test_without_training_nothing_is_told_and_the_rest_still_is(tmp_path: Path) -> None:
    view = preview(read_workspace(make_predicting(tmp_path / "w", ONE)))
    assert view.predictor is None
    contexts = tmp_path / "contexts.json"
    contexts.write_text('{"attributes": {"session.pages": 49}}')
    found = measure(view, Stated(contexts, view).requests())
    assert [size.requests for size in found.audiences] == [0]


def test_nobody_writes_down_what_a_model_tells(bundle: Bundle, tmp_path: Path) -> None:
    context = tmp_path / "context.json"
    context.write_text('{"attributes": {"model.buy": 0.9}}')
    with pytest.raises(ConfigError, match=r"model.buy is what a model tells"):
        read_context(context, View(bundle))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (sessions().replace("session.pages", "pages", 1), "session.pages"),
        (sessions().replace("\n", "\nmany,new,true\n", 1), "many"),
        ("session.pages,session.kind,bought\n", "no rows"),
        ("session.pages,session.kind,bought\n1,new,\n", "row 1: bought is empty"),
        ("session.pages,session.kind,bought\n1,new,1\n2,new,1\n", "nothing to tell apart"),
        ("session.pages,session.kind,bought\n1,new,1,5\n", "columns"),
    ],
)
def test_data_that_can_not_be_learnt_from_is_told_with_its_model(
    data: str, said: str, tmp_path: Path
) -> None:
    workspace = read_workspace(make_predicting(tmp_path, {**ONE, "data/sessions.csv": data}))
    with pytest.raises(WorkspaceError, match=r"models/buy.yaml:1") as caught:
        list(train_predictions(workspace))
    assert said in str(caught.value)


TYPES = {"session.pages": "number", "session.kind": "string"}


def _made(folder: Path, *names: str, text: str = "") -> MadeFrom:
    return MadeFrom(names, read_workspace(make_predicting(folder)).features.by_name, TYPES, text)


def test_labels_may_be_classes_numbers_or_flags(tmp_path: Path) -> None:
    made, file = _made(tmp_path, "pages", "known"), tmp_path / "more.csv"
    file.write_text(
        "session.pages,session.kind,n,share,who,seen\n1,b,2,0.5,x,yes\n,a,3,1,y,no\n4,b,2.5,1,x,no\n"
    )

    def read(**columns: str) -> Labelled:
        return read_labelled(file, made, columns)

    assert read(label="session.kind").table.classes == ("a", "b")
    assert read(label="session.kind").table.labels.tolist() == [1, 0, 1]
    assert read(label="n").table.labels.tolist() == [2, 3, 2.5]
    assert read(label="seen").table.labels.tolist() == [1, 0, 0]
    more = read(label="n", weight="share", group="who", treatment="seen").table
    assert more.weights is not None and more.groups is not None and more.treatment is not None
    assert (more.weights.tolist(), more.groups.tolist()) == ([0.5, 1, 1], [0, 1, 0])
    assert more.treatment.tolist() == [True, False, False]
    assert more.rows[:, 1].tolist() == [1, 0, 1]
    with pytest.raises(GivenError, match="row 1: who 'x' is no number"):
        read(label="n", weight="who")


@pytest.mark.parametrize(
    "times", [(10, 30, 20), (10_000_000_000_000, 30_000_000_000_000, 20_000_000_000_000)]
)
def test_times_may_be_seconds_or_milliseconds(times: tuple[int, ...], tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    rows = "".join(f"{n},{time},new\n" for n, time in enumerate(times))
    file.write_text(f"session.pages,at,kind\n{rows}")
    held = read_labelled(file, _made(tmp_path, "pages"), {"time": "at"}, ["kind"]).held
    assert held.times is not None
    assert held.times.tolist() == [time // (1 if times[0] == 10 else 1000) for time in times]
    assert held.by == {"kind": ["new"] * 3}


def test_times_may_be_written(tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    file.write_text("session.pages,at\n1,2026-05-01T00:00:10\n2,2026-05-01 00:00:11\n")
    held = read_labelled(file, _made(tmp_path, "pages"), {"time": "at"}).held
    assert held.times is not None
    assert (held.times - held.times[0]).tolist() == [0, 1]
    file.write_text("session.pages,at\n1,tomorrow\n")
    with pytest.raises(GivenError, match="neither seconds nor times"):
        read_labelled(file, _made(tmp_path, "pages"), {"time": "at"})


def test_csv_and_parquet_are_the_same(tmp_path: Path) -> None:
    made = _made(tmp_path, "pages", "kind")
    path = tmp_path / "data" / "sessions.csv"
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(path), path.with_suffix(".parquet"))
    one, other = (
        read_labelled(file, made, {"label": "bought"}).table for file in (path, path.with_suffix(".parquet"))
    )
    assert one.digest() == other.digest()
    with pytest.raises(GivenError, match="no column 'bough'"):
        read_labelled(path.with_suffix(".parquet"), made, {"label": "bough"})


QUERIES = {
    **dict.fromkeys(("models/segment.yaml", "models/buy.yaml", "features.yaml")),
    "site.yaml": FILES["site.yaml"] + '  search: {type: string, source: "query:q"}\n',
    "models/intent.yaml": """\
recipe: intent
data: data/queries.csv
label: intent
text: search
words: 64
outputs: {fly: Book Flight, stay: book_hotel}
""",
    "rules/rules.yaml": """\
campaigns:
  - {id: flights, audience: {model.intent: fly}, placement: hero, show: {content: offer}}
  - {id: sure, audience: {model.intent.stay: {$gt: 0.5}}, placement: hero, show: {content: plain}}
""",
    "data/queries.csv": "search,intent\n"
    + 20 * "cheap flight to rome,Book Flight\nhotel near the sea,book_hotel\n",
}


def test_a_text_is_read_and_its_outputs_have_names_of_their_own(tmp_path: Path) -> None:
    workspace = read_workspace(make_predicting(tmp_path / "w", QUERIES))
    trained = {done.model.name: done.model for done in train_predictions(workspace, measure=True)}
    assert {"accuracy", "majority"} <= set(trained["intent"].card["metrics"])
    compile_workspace(workspace, {}, tmp_path / "b", load_predictions(workspace))
    engine = Engine.load(open_bundle(tmp_path / "b", "shop"))
    assert engine.reads == ("search",)

    def shown(**attributes: str) -> list[str]:
        slots = engine.decide(Context(0, 0, "full", {**attributes}, (), ("hero",))).slots
        return [slot.policy for slot in slots]

    assert shown(search="a cheap flight") == ["flights"]
    assert shown(search="a hotel") == ["sure"]
    assert shown() == []
    together = engine.decide_batch(
        [Context(0, 0, "full", {"search": text}, (), ("hero",)) for text in ("a hotel", "a cheap flight")]
    )
    assert [decision.slots[0].policy for decision in together] == ["sure", "flights"]


def test_segments_are_named_by_what_is_unusual_or_as_one_likes(tmp_path: Path) -> None:
    model = "recipe: segments\ndata: data/sessions.csv\nfeatures: [pages, kind]\ncount: 2\noutputs: {}\n"
    rule = "{id: c, audience: {model.segment: few}, placement: hero, show: {content: offer}}"
    changes = {**ONE, "models/buy.yaml": None, "rules/rules.yaml": f"campaigns:\n  - {rule}\n"}

    def laid(name: str, outputs: str) -> Workspace:
        files = {**changes, "models/segment.yaml": model.replace("{}", outputs)}
        return read_workspace(make_predicting(tmp_path / name, files))

    workspace = laid("one", "[few, many]")
    (done,) = train_predictions(workspace)
    with pytest.raises(WorkspaceError, match="write `outputs: ") as caught:
        compile_workspace(workspace, {}, tmp_path / "b", {"segment": done.model})
    plain = str(caught.value).partition("outputs: [")[2].partition("]")[0].split(", ")
    renamed = laid("two", f"{{few: {plain[0]}, many: {plain[1]}}}")
    compile_workspace(renamed, {}, tmp_path / "b", {"segment": done.model})
    engine = Engine.load(open_bundle(tmp_path / "b", "shop"))
    told = {
        engine.told(Context(0, 0, "full", {"session.pages": pages, "session.kind": kind}, (), ())).attributes[
            "model.segment"
        ]
        for pages in (0.0, 10.0, 49.0)
        for kind in ("new", "returning")
    }
    assert told == {"few", "many"}


def test_a_damaged_model_is_told(tmp_path: Path) -> None:
    workspace = read_workspace(make_predicting(tmp_path, ONE))
    list(train_predictions(workspace))
    (tmp_path / ".trained" / "buy" / "graph.onnx").write_bytes(b"no graph")
    with pytest.raises(GivenError, match="train the model again"):
        load_predictions(workspace)


def test_the_files_of_the_small_workspace_are_fine(tmp_path: Path) -> None:
    assert read_workspace(make_predicting(tmp_path)).warnings == ()
    assert set(FILES) > {"features.yaml"}
