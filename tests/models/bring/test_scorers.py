"""A scorer over the catalog becomes a recommender that scores as it does, whatever else is asked at once."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.decide.inference import ort
from edge.errors import GivenError
from models import recipe
from models.bring.convert_scorer import bring_scorer
from models.data.histories import padded
from models.data.interactions import Interactions
from models.trained import Trained

DRAW = np.random.default_rng(3)


def scorer(n_items: int, factors: int = 6, **changes: Any) -> onnx.ModelProto:
    """The tanh of the sum of a history's vectors, times all items' vectors; `changes` are of its parts."""
    table = np.zeros((n_items + 1, factors), np.float32)
    table[:-1] = np.random.default_rng(0).normal(size=(n_items, factors))
    nodes = [
        helper.make_node("Gather", ["table", "history"], ["viewed"], axis=0),
        helper.make_node("ReduceSum", ["viewed", "places"], ["user"], keepdims=0),
        helper.make_node("Tanh", ["user"], ["bent"]),
        helper.make_node("MatMul", ["bent", "out"], ["scores"]),
    ]
    held = {"table": table, "places": np.array([1]), "out": np.ascontiguousarray(table[:-1].T)}
    value = helper.make_tensor_value_info
    given = {
        "inputs": [value("history", TensorProto.INT64, ["batch", "length"])],
        "outputs": [value("scores", TensorProto.FLOAT, ["batch", n_items])],
        "nodes": nodes,
        **changes,
    }
    tensors = [numpy_helper.from_array(array, name) for name, array in held.items()]
    graph = helper.make_graph(given["nodes"], "g", given["inputs"], given["outputs"], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def run(model: Trained, rows: list[list[int]]) -> NDArray[np.float32]:
    """What the recommender's graph gives."""
    history, weight = padded(rows, len(model.items))
    session = ort.InferenceSession(model.scores_graph, providers=["CPUExecutionProvider"])
    feeds = {"history": history, "weight": weight, **model.arrays}
    scores: NDArray[np.float32] = session.run(["scores"], feeds)[0]
    return scores


def asked(proto: onnx.ModelProto, history: list[int]) -> NDArray[np.float32]:
    """What the scorer itself gives."""
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    scores: NDArray[np.float32] = session.run(["scores"], {"history": np.array([history], np.int64)})[0][0]
    return scores


ROWS = [[0], [5, 1, 2], [], [31, 30, 29, 28, 0, 7, 9]]


def test_it_scores_as_its_source_in_whole_steps(tastes: Interactions) -> None:
    proto = scorer(len(tastes.item_ids))
    model = bring_scorer(proto, tastes.item_ids, tastes)
    scores, step = run(model, ROWS), model.card["step"]
    for row, found in zip(ROWS, scores, strict=True):
        assert np.abs(found - asked(proto, row)).max() < 1e-5
    assert np.array_equal(np.round(scores / step) * step, scores)
    assert np.array_equal(np.concatenate([run(model, [row]) for row in ROWS]), scores)
    assert np.array_equal(model.score(*padded(ROWS, len(model.items))), scores)
    assert model.card["parity"]["lists"] == 1.0
    assert model.card["narrow"] == []


def test_items_are_found_by_their_ids(tastes: Interactions) -> None:
    """In another order, without some of the catalog's, and with one that it lacks."""
    lacking = {tastes.item_ids[4], tastes.item_ids[30]}
    ids = [item for item in reversed(tastes.item_ids) if item not in lacking]
    ids.insert(7, "gone")
    proto = scorer(len(ids))
    model = bring_scorer(proto, ids, tastes)
    places = {item: place for place, item in enumerate(tastes.item_ids)}
    history = ["g3-1", tastes.item_ids[4], "g0-0"]
    found = run(model, [[places[item] for item in history], [3]])[0]
    wanted = asked(proto, [ids.index("g3-1"), ids.index("g0-0")])
    assert {tastes.item_ids[place] for place in np.flatnonzero(found == -np.inf)} == lacking
    for place, item in enumerate(tastes.item_ids):
        assert item in lacking or abs(found[place] - wanted[ids.index(item)]) < 1e-5
    assert model.card["aligned"] == {"known": 30, "unknown": 1, "missing": 2}


def test_histories_of_one_length(tastes: Interactions) -> None:
    """Of a graph that takes no other, and of one that counts its padding, too."""
    n_items = len(tastes.item_ids)
    fixed = [helper.make_tensor_value_info("history", TensorProto.INT64, ["batch", 4])]
    model = bring_scorer(scorer(n_items, inputs=fixed), tastes.item_ids, tastes)
    assert np.array_equal(run(model, [[1, 2, 3, 4, 5, 6]]), run(model, [[1, 2, 3, 4]]))
    mean = scorer(n_items)
    mean.graph.node[1].op_type = "ReduceMean"
    del mean.graph.node[1].input[1]
    mean.graph.node[1].attribute.append(helper.make_attribute("axes", [1]))
    mean.opset_import[0].version = 17
    with pytest.raises(GivenError, match=r"where a history is padded further.*`length: max_history`"):
        bring_scorer(mean, tastes.item_ids, tastes)
    held = bring_scorer(mean, tastes.item_ids, tastes, 5, is_fixed=True)
    assert np.allclose(run(held, [[1, 2]])[0], asked(mean, [1, 2, 32, 32, 32]), atol=1e-5)


def test_what_is_no_number_is_not_listed(tastes: Interactions) -> None:
    """Of an empty history: a mean of nothing."""
    proto = scorer(len(tastes.item_ids))
    nodes = list(proto.graph.node)
    more = [
        helper.make_node("Less", ["history", "n"], ["there"]),
        helper.make_node("Cast", ["there"], ["counted"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["counted", "places"], ["count"], keepdims=1),
        helper.make_node("Div", ["user", "count"], ["mean"]),
    ]
    nodes[2].input[0] = "mean"
    del proto.graph.node[:]
    proto.graph.node.extend([*nodes[:2], *more, *nodes[2:]])
    proto.graph.initializer.append(numpy_helper.from_array(np.array(len(tastes.item_ids)), "n"))
    model = bring_scorer(proto, tastes.item_ids, tastes)
    assert (run(model, [[]]) == -np.inf).all()
    assert np.isfinite(run(model, [[], [3]])[1]).all()


def test_saved_and_loaded_it_is_the_same(tastes: Interactions, tmp_path: Path) -> None:
    onnx.save_model(scorer(len(tastes.item_ids)), tastes.folder / "scorer.onnx")
    (tastes.folder / "items.txt").write_text("\n".join(tastes.item_ids) + "\n")
    told = {"model": "scorer.onnx", "items": "items.txt"}
    model = recipe.train("mine", "brought", tastes, told)
    recipe.save(model, tmp_path)
    loaded = recipe.load(tmp_path)
    history = padded(ROWS, len(model.items))
    assert np.array_equal(loaded.score(*history), model.score(*history))
    assert model.sample
    again = recipe.train("mine", "brought", tastes, told)
    assert (again.scores_graph, again.card) == (model.scores_graph, model.card)
    with pytest.raises(GivenError, match="keeps its numbers as they are"):
        recipe.train("mine", "brought", tastes, {**told, "storage": "int8"})


VALUE = helper.make_tensor_value_info


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inputs": [VALUE("items", TensorProto.INT64, ["b", "l"])]}, "takes items; its inputs are"),
        ({"inputs": [VALUE("history", TensorProto.FLOAT, ["b", "l"])]}, "not int32 or int64"),
        ({"inputs": [VALUE("history", TensorProto.INT64, ["l"])]}, "of 1 dimensions"),
        ({"inputs": [VALUE("history", TensorProto.INT64, [1, "l"])]}, "takes 1 histories at once"),
        ({"outputs": [VALUE("scores", TensorProto.FLOAT, ["b", 31])]}, "31 scores, and `items` names 32"),
        ({"outputs": [VALUE("scores", TensorProto.FLOAT, [32])]}, "`scores` of 1 dimensions"),
        ({"outputs": [VALUE("bent", TensorProto.FLOAT, ["b", "k"])]}, "shape|gives 6 scores"),
    ],
)  # fmt: skip
def test_what_takes_or_gives_something_else_is_refused(
    tastes: Interactions, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(GivenError, match=said) as caught:
        bring_scorer(scorer(32, **changes), tastes.item_ids, tastes)
    assert caught.value.code == "bring"


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (("a", "b"), "the catalog has none of them: a, b"),
        (("g0-0", "g0-1", "g0-0"), "names 'g0-0' twice, at 1 and 3"),
    ],
)
def test_ids_that_do_not_fit_are_refused(tastes: Interactions, ids: tuple[str, ...], said: str) -> None:
    with pytest.raises(GivenError, match=said):
        bring_scorer(scorer(len(ids)), ids, tastes)


def test_scores_that_are_no_numbers_are_refused(tastes: Interactions) -> None:
    proto = scorer(len(tastes.item_ids))
    proto.graph.node[2].op_type = "Log"
    with pytest.raises(GivenError, match="gives nan to item"):
        bring_scorer(proto, tastes.item_ids, tastes)


def test_a_table_without_a_row_for_the_padding_is_told(tastes: Interactions) -> None:
    proto = scorer(len(tastes.item_ids))
    table = numpy_helper.to_array(proto.graph.initializer[0])[:-1]
    proto.graph.initializer[0].CopyFrom(numpy_helper.from_array(table, "table"))
    with pytest.raises(GivenError, match=r"can't be run|indices"):
        bring_scorer(proto, tastes.item_ids, tastes)


@pytest.mark.filterwarnings("ignore")
def test_modules_of_pytorch(tastes: Interactions, torch: Any) -> None:
    n_items = len(tastes.item_ids)
    torch.manual_seed(1)

    class Attentive(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.items = torch.nn.Embedding(n_items + 1, 8)
            self.attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
            self.after = torch.nn.Sequential(torch.nn.LayerNorm(8), torch.nn.GELU())

        def forward(self, history: Any, weight: Any) -> Any:
            items = self.items(history)
            seen, _ = self.attention(items, items, items, key_padding_mask=weight == 0, need_weights=False)
            user = (self.after(seen) * weight.unsqueeze(2)).sum(1)
            return user @ self.items.weight[:n_items].T

    module = Attentive()
    with pytest.raises(GivenError, match="`length: max_history`"):  # its export knows one length
        bring_scorer(module, tastes.item_ids, tastes)
    model = bring_scorer(module, tastes.item_ids, tastes, 8, is_fixed=True)
    history = torch.tensor([[3, 9, 1, *[n_items] * 5]])
    with torch.no_grad():
        wanted = module(history, (history < n_items).float()).numpy()[0]
    room = 1e-5 * np.abs(wanted).max()
    assert np.abs(run(model, [[3, 9, 1], [4]])[0] - wanted).max() < room
    assert model.card["narrow"] == ["Erf"]


@pytest.mark.filterwarnings("ignore")
def test_torchscript(tastes: Interactions, torch: Any, tmp_path: Path) -> None:
    n_items = len(tastes.item_ids)

    class Summed(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.items = torch.nn.Embedding(n_items + 1, 8, padding_idx=n_items)
            self.after = torch.nn.Linear(8, n_items)

        def forward(self, history: Any) -> Any:
            return self.after(torch.relu(self.items(history).sum(1)))

    path, history = tmp_path / "scorer.pt", torch.tensor([[3, 9, 1]])
    torch.jit.trace(Summed(), (history,)).save(str(path))
    script = torch.jit.load(str(path))
    model = bring_scorer(script, tastes.item_ids, tastes)
    with torch.no_grad():
        wanted = script(history).numpy()[0]
    assert np.abs(run(model, [[3, 9, 1], [4, 5, 6, 7]])[0] - wanted).max() < 1e-5


def test_a_module_that_takes_something_else_is_refused(tastes: Interactions, torch: Any) -> None:
    with pytest.raises(GivenError, match="takes input; its `forward` takes `history`"):
        bring_scorer(torch.nn.Linear(3, 3), tastes.item_ids, tastes)
