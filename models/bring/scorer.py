"""Reads PyTorch modules and ONNX files that score all items of a catalog for a history."""

import inspect
import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.decide.inference import ort, session_options
from edge.decide.operators import MAX_NODES
from models.bring.source import cannot
from models.bring.tidy import alone, answer_of
from models.graphs.onnx_build import OPSET

HISTORY, WEIGHT, SCORES = "history", "weight", "scores"
FLOAT, INT32, INT64 = 1, 6, 7
"""Numbers of onnx.proto's TensorProto.DataType."""

TRIED: Final = 7
"""Items of the histories that a module is traced with: a length that nothing else has by chance."""

Histories = NDArray[np.int64]
Predict = Callable[[Histories, NDArray[np.float32]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Scorer:
    """A model that scores its items for histories of them, whatever library it is of.

    Attributes
    ----------
    kind : str
        The class or format, as its makers call it.
    predict : callable
        ``(history, weight) -> (n, items)``, by the library itself; positions padded with the number of items.
    convert : callable
        The model as an ONNX proto with the inputs ``history`` and, if it `is_weighed`, ``weight``.
    length : int
        Of the histories that it takes; 0 where it takes any.
    history_type : int
        Of ONNX: int32 or int64.
    """

    kind: str
    predict: Predict
    convert: Callable[[], Any]
    is_weighed: bool
    length: int = 0
    history_type: int = INT64
    is_foreign: bool = False


def read_module(module: Any, n_items: int, length: int = 0) -> Scorer:
    """A module of PyTorch, or of TorchScript, that takes `history` and maybe `weight` to `scores`.

    Parameters
    ----------
    length
        Of the histories that it takes; 0 where it takes any.

    Raises
    ------
    GivenError
        ``bring``: it takes something else.
    """
    import torch  # noqa: PLC0415 - slow to import, and an extra

    module.eval()
    names = _arguments(module)
    if names not in ([HISTORY], [HISTORY, WEIGHT]):
        instead = "its `forward` takes `history` (positions, int64) and, if it likes, `weight`"
        raise cannot("the module", f"takes {', '.join(names) or 'nothing'}", instead)
    is_weighed = len(names) == 2

    def predict(history: Histories, weight: NDArray[np.float32]) -> NDArray[np.float64]:
        with torch.no_grad():
            given = [torch.from_numpy(history), torch.from_numpy(weight)][: 1 + is_weighed]
            try:
                found = module(*given)
            # Modules raise what comes to hand.
            except Exception as error:
                raise _failed(error, n_items) from error
        return _checked(found.numpy() if hasattr(found, "numpy") else found, len(history), n_items)

    def convert() -> Any:
        return _export(module, n_items, length, is_weighed=is_weighed)

    return Scorer("PyTorch", predict, convert, is_weighed, length)


def _arguments(module: Any) -> list[str]:
    if type(module).__name__ == "RecursiveScriptModule":
        return [argument.name for argument in module.forward.schema.arguments[1:]]
    return list(inspect.signature(module.forward).parameters)


def _export(module: Any, n_items: int, length: int, *, is_weighed: bool) -> Any:
    import onnx  # noqa: PLC0415
    import torch  # noqa: PLC0415

    history = torch.full((2, length or TRIED), n_items, dtype=torch.int64)
    history[:, 0] = torch.arange(2) % n_items
    given = (history, (history < n_items).float())[: 1 + is_weighed]
    names, written = [HISTORY, WEIGHT][: 1 + is_weighed], io.BytesIO()
    axes = {0: "batch"} if length else {0: "batch", 1: "length"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                module,
                given,
                written,
                dynamo=False,  # the other exporter needs a library more
                input_names=names,
                output_names=[SCORES],
                dynamic_axes={SCORES: {0: "batch"}} | dict.fromkeys(names, axes),
                opset_version=OPSET,
            )
        except Exception as error:
            said = str(error).strip().split("\n")[0][:200]
            instead = "export it to ONNX yourself"
            raise cannot(type(module).__name__, f"can't be exported: {said}", instead) from error
    return onnx.load_model_from_string(written.getvalue())


def read_onnx_scorer(proto: Any, n_items: int) -> Scorer:
    """An ONNX graph that takes `history` and maybe `weight` to `scores`.

    It runs as it was given, and only after what was made of it has been found harmless.

    Raises
    ------
    GivenError
        ``bring``: it takes or gives something else, or holds what no edge runs.
    """
    if proto.functions or proto.training_info or proto.graph.sparse_initializer:
        raise cannot("the graph", "holds functions, training steps or sparse constants")
    if len(proto.graph.node) > MAX_NODES:
        raise cannot("the graph", f"holds {len(proto.graph.node)} nodes, more than {MAX_NODES}")
    constants = {tensor.name for tensor in proto.graph.initializer}
    inputs = {value.name: value for value in proto.graph.input if value.name not in constants}
    if set(inputs) not in ({HISTORY}, {HISTORY, WEIGHT}):
        said = f"takes {', '.join(sorted(inputs)) or 'nothing'}"
        raise cannot("the graph", said, "its inputs are `history` (positions) and, if it likes, `weight`")
    history_type, length = _history(inputs[HISTORY])
    if WEIGHT in inputs and inputs[WEIGHT].type.tensor_type.elem_type != FLOAT:
        raise cannot("the graph", "takes a `weight` that is not float32")
    answer = scores_of(proto)
    _check_scores(proto, answer, n_items)
    sessions: list[Any] = []

    def predict(history: Histories, weight: NDArray[np.float32]) -> NDArray[np.float64]:
        if not sessions:
            data = alone(proto, answer).SerializeToString()
            sessions.append(ort.InferenceSession(data, session_options(), providers=["CPUExecutionProvider"]))
        given = {HISTORY: history if history_type == INT64 else history.astype(np.int32), WEIGHT: weight}
        read = {value.name for value in sessions[0].get_inputs()}
        try:
            found = sessions[0].run([answer], {name: value for name, value in given.items() if name in read})
        # onnxruntime's errors share no base but this one.
        except Exception as error:
            raise _failed(error, n_items) from error
        return _checked(found[0], len(history), n_items)

    return Scorer("ONNX", predict, lambda: proto, WEIGHT in inputs, length, history_type, is_foreign=True)


def scores_of(proto: Any) -> str:
    """The output that holds scores: the one that is named so, or the only one of floats."""
    return SCORES if any(value.name == SCORES for value in proto.graph.output) else answer_of(proto)


def _history(value: Any) -> tuple[int, int]:
    """Type and length of the histories that a graph takes."""
    kind = value.type.tensor_type
    if kind.elem_type not in (INT32, INT64):
        raise cannot(
            "the graph", "takes a `history` that is not int32 or int64", "it holds positions of items"
        )
    dims = kind.shape.dim
    if len(dims) != 2:
        raise cannot("the graph", f"takes a `history` of {len(dims)} dimensions", "it is (batch, length)")
    if dims[0].dim_value:
        said = f"takes {dims[0].dim_value} histories at once and no other number"
        raise cannot("the graph", said, "export it with a dynamic batch")
    return kind.elem_type, int(dims[1].dim_value)


def _check_scores(proto: Any, answer: str, n_items: int) -> None:
    """What the graph says of its scores, as far as it says anything."""
    kind = next((v.type.tensor_type for v in proto.graph.output if v.name == answer), None)
    dims: Sequence[Any] = kind.shape.dim if kind is not None else ()
    if dims and len(dims) != 2:
        raise cannot("the graph", f"gives `scores` of {len(dims)} dimensions", "they are (batch, items)")
    if dims and dims[1].dim_value not in (0, n_items):
        raise _wrong_width(dims[1].dim_value, n_items)


def _checked(found: Any, rows: int, n_items: int) -> NDArray[np.float64]:
    scores = np.asarray(found, np.float64)
    if scores.ndim != 2 or len(scores) != rows:
        raise cannot(
            "the model", f"gives {rows} histories scores of shape {scores.shape}", "they are (batch, items)"
        )
    if scores.shape[1] != n_items:
        raise _wrong_width(scores.shape[1], n_items)
    return scores


def _wrong_width(width: int, n_items: int) -> Exception:
    said = f"gives {width:,} scores, and `items` names {n_items:,} items"
    return cannot("the model", said, "one score for each item, in the same order")


def _failed(error: Exception, n_items: int) -> Exception:
    said = str(error).strip().split("\n")[0][:200]
    instead = f"positions are 0 to {n_items - 1:,}, and {n_items:,} stands for no item"
    return cannot("the model", f"can't be run on some histories: {said}", instead)
