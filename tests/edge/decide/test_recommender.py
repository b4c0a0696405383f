"""The recommender of a bundle: the reference's lists, whatever shares the batch; nothing loaded twice."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.models.graph import MergedGraph, RecommenderSpec, merge, reference_items
from edge.bundle import format as fmt
from edge.bundle.arrays import pack
from edge.bundle.format import Artifact, Manifest, ModelsPlan
from edge.bundle.reader import Bundle, open_bundle
from edge.decide import recommender as module
from edge.decide.recommender import Recommender
from edge.errors import BundleError
from models import recipe
from models.data.interactions import from_rows, sort_items
from models.trained import Trained

N_ITEMS = 30
MAX_HISTORY = 6
SPECS = (RecommenderSpec("ease", 5, "popularity"), RecommenderSpec("popularity", 29))
Histories = list[list[int]]
BATCHES = st.lists(
    st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=MAX_HISTORY), min_size=1, max_size=12
)


@pytest.fixture(scope="module")
def models() -> dict[str, Trained]:
    draw = np.random.default_rng(5)
    items = sort_items(f"item{n}" for n in range(N_ITEMS))
    rows = [
        (f"user{user}", items[item], 1_700_000_000 + user, 1.0)
        for user in range(50)
        for item in draw.choice(N_ITEMS, 7, replace=False).tolist()
    ]
    return {name: recipe.train(name, name, from_rows(rows, items), {}) for name in ("ease", "popularity")}


@pytest.fixture(scope="module")
def merged(models: dict[str, Trained]) -> MergedGraph:
    return merge(models, SPECS, MAX_HISTORY)


def write_bundle(folder: Path, files: Mapping[tuple[str, str], bytes]) -> Bundle:
    """A bundle whose models manifest holds `files`, by (name, kind); the other roles hold nothing."""
    (folder / "artifacts").mkdir(parents=True)
    listed = []
    for (name, kind), data in files.items():
        (folder / "artifacts" / fmt.digest(data)).write_bytes(data)
        listed.append(Artifact(name, kind, fmt.digest(data), len(data)))
    for role in fmt.ROLES:
        artifacts = tuple(listed) if role == "models" else ()
        manifest = Manifest(fmt.FORMAT, role, "films", {}, {}, artifacts)
        (folder / f"{role}.manifest").write_bytes(fmt.encode(manifest))
    return open_bundle(folder, "films")


def _files(merged: MergedGraph) -> dict[tuple[str, str], bytes]:
    files = {("plan", "plan"): fmt.encode(merged.plan), ("graph", "graph"): merged.graph}
    return files | {(name, "arrays"): pack(arrays) for name, arrays in merged.arrays.items()}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, merged: MergedGraph) -> Bundle:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "one", _files(merged))


@pytest.fixture(scope="module")
def loaded(bundle: Bundle) -> Recommender:
    return Recommender.load(bundle)


@settings(deadline=None, max_examples=100)
@given(BATCHES)
def test_what_shares_a_batch_changes_nothing(loaded: Recommender, batch: Histories) -> None:
    together = loaded.recommend(batch)
    assert together.keys() == {"ease", "popularity"}
    for row, history in enumerate(batch):
        assert loaded.recommend([history]) == {name: [lists[row]] for name, lists in together.items()}


@settings(deadline=None, max_examples=50)
@given(BATCHES)
def test_lists_equal_the_reference(loaded: Recommender, models: dict[str, Trained], batch: Histories) -> None:
    for lists, history in zip(loaded.list_items(batch), batch, strict=True):
        assert lists == {spec.name: reference_items(models, spec, history) for spec in SPECS}


def test_names_are_those_of_the_plan_and_no_history_is_no_call(loaded: Recommender) -> None:
    assert loaded.names == ("ease", "popularity")
    assert loaded.recommend([]) == {"ease": [], "popularity": []}
    assert loaded.list_items([]) == []


def test_a_history_is_cut_to_the_plan(loaded: Recommender) -> None:
    recent = [3, 1, 4, 15, 9, 2]
    assert loaded.recommend([[*recent, 6, 5]]) == loaded.recommend([recent])
    assert loaded.recommend([[*recent, 6, 5], [7]])["ease"][1] == loaded.recommend([[7]])["ease"][0]


def test_exhausted_lists_are_cut_and_seen_items_never_come_out(loaded: Recommender) -> None:
    history = [0, 10, 20]
    (found,) = loaded.recommend([history])["popularity"]
    assert sorted([*found, *history]) == list(range(N_ITEMS))
    assert len(loaded.recommend([[]])["popularity"][0]) == 29


def test_answers_are_plain_ints(loaded: Recommender) -> None:
    assert {type(position) for position in loaded.recommend([[1]])["ease"][0]} == {int}


def test_kept_shapes_are_bounded(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = Recommender.load(bundle)
    monkeypatch.setattr(module, "MAX_CALLS", 2)
    wanted = loaded.recommend([[1, 2]])
    for length in range(MAX_HISTORY):
        loaded.recommend([list(range(length + 1))])
        assert len(loaded._calls) <= 2
    assert loaded.recommend([[1, 2]]) == wanted


def test_the_same_artifacts_are_the_same_recommender(
    bundle: Bundle, loaded: Recommender, merged: MergedGraph, tmp_path: Path
) -> None:
    assert Recommender.load(bundle, loaded) is loaded
    assert Recommender.load(write_bundle(tmp_path / "copy", _files(merged)), loaded) is loaded


def test_new_arrays_keep_the_session_and_the_other_arrays(
    bundle: Bundle, loaded: Recommender, merged: MergedGraph, tmp_path: Path
) -> None:
    score = merged.arrays["arrays/popularity"]["score"][::-1]
    arrays = {**merged.arrays, "arrays/popularity": {"score": score}}
    other = Recommender.load(write_bundle(tmp_path / "new", _files(replace(merged, arrays=arrays))), loaded)
    assert other is not loaded
    assert other.session is loaded.session
    assert other.arrays["model/ease/value"] is loaded.arrays["model/ease/value"]
    assert other.recommend([[]])["popularity"] != loaded.recommend([[]])["popularity"]
    assert Recommender.load(bundle, other).recommend([[1]]) == loaded.recommend([[1]])


def test_a_new_graph_is_a_new_session(
    models: dict[str, Trained], loaded: Recommender, tmp_path: Path
) -> None:
    shorter = merge(models, [RecommenderSpec("ease", 3, "popularity")], MAX_HISTORY)
    other = Recommender.load(write_bundle(tmp_path / "short", _files(shorter)), loaded)
    assert other.session is not loaded.session
    assert other.recommend([[4]])["ease"][0] == loaded.recommend([[4]])["ease"][0][:3]


def test_arrays_are_mapped_and_not_copied(loaded: Recommender) -> None:
    assert {name for name, array in loaded.arrays.items() if array.flags.owndata} == {"stock"}
    assert {name for name, array in loaded.arrays.items() if array.flags.writeable} == {"stock"}


def test_a_bundle_without_models_lists_nothing(loaded: Recommender, bundle: Bundle, tmp_path: Path) -> None:
    nothing = Recommender.load(write_bundle(tmp_path / "none", {("golden", "golden"): b"\x90"}), loaded)
    assert nothing.names == ()
    assert nothing.recommend([[1]]) == {}
    assert nothing.list_items([[1], []]) == [{}, {}]
    assert Recommender.load(bundle, nothing).names == loaded.names


def _plan(**changes: object) -> Callable[[MergedGraph], ModelsPlan]:
    return lambda merged: msgspec.structs.replace(merged.plan, **changes)


def _first(**changes: object) -> Callable[[MergedGraph], ModelsPlan]:
    def change(merged: MergedGraph) -> ModelsPlan:
        first, *rest = merged.plan.recommenders
        recommenders = (msgspec.structs.replace(first, **changes), *rest)
        return msgspec.structs.replace(merged.plan, recommenders=recommenders)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_plan(n_items=0), "0 items"),
        (_plan(max_history=100_000), "a history of 100000"),
        (_plan(recommenders=()), "must be named"),
        (_plan(bindings={}), "input 'model/ease/neighbour' is"),
        (_plan(bindings={"x": ("arrays/gone", "y")}), "'y' of 'arrays/gone', which is missing"),
        (_first(limit=0), "'ease' lists 0"),
        (_first(limit=4), "output 'items/ease' is"),
        (_first(items_output="list"), "output 'items/ease' is"),
        (_first(name="popularity"), "each once"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(
    merged: MergedGraph, tmp_path: Path, change: Callable[[MergedGraph], ModelsPlan], said: str
) -> None:
    files = _files(merged) | {("plan", "plan"): fmt.encode(change(merged))}
    with pytest.raises(BundleError, match=said) as caught:
        Recommender.load(write_bundle(tmp_path / "bad", files))
    assert caught.value.code == "plan"


def test_arrays_of_another_shape_or_type_are_refused(merged: MergedGraph, tmp_path: Path) -> None:
    for number, score in enumerate((np.zeros(29, np.float32), np.zeros(30, np.int32))):
        files = _files(merged) | {("arrays/popularity", "arrays"): pack({"score": score})}
        with pytest.raises(BundleError, match="input 'model/popularity/score' is"):
            Recommender.load(write_bundle(tmp_path / str(number), files))


def test_a_graph_that_is_none_or_reaches_out_is_refused(merged: MergedGraph, tmp_path: Path) -> None:
    reaching = onnx.load_model_from_string(merged.graph)
    reaching.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    graphs = {"noise": b"\x07noise", "empty": b"", "outside": reaching.SerializeToString()}
    for name, graph in graphs.items():
        with pytest.raises(BundleError) as caught:
            Recommender.load(write_bundle(tmp_path / name, _files(merged) | {("graph", "graph"): graph}))
        assert caught.value.code == "graph"


def test_the_edge_runs_without_the_compilers_libraries(bundle: Bundle) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from edge.bundle.reader import open_bundle; from edge.decide.recommender import Recommender\n"
        f"found = Recommender.load(open_bundle(Path({str(bundle.folder)!r}), 'films')).recommend([[1]])\n"
        "foreign = {'onnx', 'google.protobuf', 'scipy', 'models', 'compiler'}\n"
        "print(len(found['ease'][0]), foreign & set(sys.modules))"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "5 set()\n"


def test_many_visitors_of_a_large_catalog_are_several_calls(
    loaded: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    histories = [[], [1], [2, 3], [0, 4], [5]]
    whole = loaded.find(histories)
    monkeypatch.setattr("edge.decide.recommender.MAX_SCORES", 2 * loaded.plan.n_items)
    assert loaded.find(histories) == whole
    monkeypatch.setattr("edge.decide.recommender.MAX_SCORES", 1)
    assert loaded.find(histories) == whole
