"""Brings a model: reads it, converts it, and holds the result against its source."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle import format as fmt
from edge.bundle.arrays import Array
from edge.decide.recommender import open_session
from models.bring.files import MLFLOW, fetch_mlflow, open_file, read_pointer
from models.bring.parity import Answer, Parity, compare, make_rows, takes_missing
from models.bring.probe import probe
from models.bring.recipe import NAME
from models.bring.source import Rows, Source, cannot
from models.bring.tidy import End, levels, tidy
from models.bring.words import Words
from models.data.sample import sample_rows
from models.predict.contract import STEP, Prediction

CERTIFIED: Final = 500
"""Rows that are kept for the certificate: what they are held against is slow."""


def bring_file(  # noqa: PLR0913 - what a file in models/ may say
    name: str,
    path: Path,
    features: tuple[str, ...] = (),
    *,
    words: Words | None = None,
    rows: Rows | None = None,
    trust: bool = False,
) -> Prediction:
    """A prediction of a model's file; see `models.bring.files.SUFFIXES` for what is read.

    A file that ends in ``.mlflow`` says where the model is: its URI, and on a second line the
    registry, a folder beside the file or a URI.
    """
    if path.suffix == MLFLOW:
        uri, registry = read_pointer(path)
        return bring_mlflow(name, uri, registry, features, words=words, rows=rows, trust=trust)
    found = open_file(path, trust=trust)
    return bring(name, found, features, words=words, rows=rows, digest=fmt.digest(path.read_bytes()))


def bring_mlflow(  # noqa: PLR0913 - as above
    name: str,
    uri: str,
    registry: str,
    features: tuple[str, ...] = (),
    *,
    words: Words | None = None,
    rows: Rows | None = None,
    trust: bool = False,
) -> Prediction:
    """A prediction of a model that is registered with MLflow."""
    with TemporaryDirectory() as folder:
        path = fetch_mlflow(uri, registry, Path(folder))
        return bring_file(name, path, features, words=words, rows=rows, trust=trust)


def bring(  # noqa: PLR0913 - as above
    name: str,
    model: Any,
    features: tuple[str, ...] = (),
    *,
    words: Words | None = None,
    rows: Rows | None = None,
    digest: str = "",
) -> Prediction:
    """A prediction of a fitted model, whatever library it is of.

    Parameters
    ----------
    model
        A scikit-learn estimator, a LightGBM or XGBoost model, a PyTorch module or an ONNX proto.
    features
        The columns of a row as the edge has them; those that the model was fitted with, in any
        order. May be left out where the model knows them.
    words
        Of features that are text, the words whose codes stand in a row, in order; else the model's own.
    rows
        Sample rows, in the order of `features`, with codes for words: what the conversion is
        tried on. Without them numbers are made up around what the model tells apart.

    Raises
    ------
    GivenError
        ``bring``: it can't be converted, answers otherwise than its source, or is nothing that
        the edge may run; what, why, and what would work instead.
    """
    source = read(model, features, words or {})
    asked = features or source.features
    places = [asked.index(column) for column in source.features]
    proto = source.convert()
    given = rows[:, places] if rows is not None else make_rows(source, *levels(proto))
    graph, arrays, end, parity = _proven(source, proto, places, given)
    card: dict[str, Any] = {
        "recipe": NAME,
        "settings": {},
        "data": digest,
        "rows": 0 if rows is None else len(rows),
        "metrics": {},
        "source": source.kind,
        "parity": parity.card(),
        "categories": {column: list(known) for column, known in sorted(source.words.items())},
    }
    sample = {} if rows is None else sample_rows(rows[:: max(1, len(rows) // CERTIFIED)].astype(np.float32))
    return Prediction(
        name,
        asked,
        _outputs(name, source),
        graph,
        arrays,
        card,
        lambda table: _reference(source, table[:, places], end),
        sample=sample,
    )


def _proven(
    source: Source, proto: Any, places: Sequence[int], given: Rows
) -> tuple[bytes, dict[str, Array], End, Parity]:
    """The graph, its arrays and its end, once it has answered as its source does."""
    end = End(_columns(source), needs_all=False)
    graph, arrays = tidy(proto, places, end)
    if source.is_foreign:
        # Tried in a process of its own, before anything of it runs in this one.
        probe(graph, arrays, len(places), len(end.columns))
    if not takes_missing(source, given):
        end = replace(end, needs_all=True)
        graph, arrays = tidy(proto, places, end)
    parity = compare(source, _runner(graph, arrays, places), given, needs_all=end.needs_all)
    if parity.needs_all and not end.needs_all:
        end = replace(end, needs_all=True)
        graph, arrays = tidy(proto, places, end)
    # Rows of which nothing is known share their call with others: no operator may fail on them.
    _runner(graph, arrays, places)(np.full((1, len(places)), np.nan, np.float32))
    return graph, arrays, end, parity


def read(model: Any, features: tuple[str, ...], words: Words) -> Source:
    """A model of any library as a `Source`."""
    kind = type(model).__module__.partition(".")[0]
    if kind == "lightgbm":
        from models.bring.boosters import read_lightgbm  # noqa: PLC0415

        return read_lightgbm(getattr(model, "booster_", model), features)
    if kind == "xgboost":
        from models.bring.boosters import read_xgboost  # noqa: PLC0415

        return read_xgboost(model.get_booster() if hasattr(model, "get_booster") else model, features)
    if kind == "torch" or hasattr(model, "state_dict"):
        from models.bring.networks import read_torch  # noqa: PLC0415

        return read_torch(model, features)
    if kind.startswith("onnx"):
        from models.bring.networks import read_onnx  # noqa: PLC0415

        return read_onnx(model, features)
    from models.bring.sklearn_source import read as read_sklearn  # noqa: PLC0415

    return read_sklearn(model, features, words)


def _columns(source: Source) -> tuple[int, ...]:
    """Of what the library answers, what is kept: of two classes, the second one's probability."""
    if len(source.outputs) == 2:
        return (-1,)
    return tuple(range(len(source.outputs) or source.width))


def _outputs(name: str, source: Source) -> tuple[str, ...]:
    columns = _columns(source)
    if len(columns) == 1:
        return (name,)
    return source.outputs or tuple(str(column) for column in columns)


def _runner(graph: bytes, arrays: dict[str, Array], places: Sequence[int]) -> Answer:
    session = open_session(graph)

    def answer(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        table = np.zeros((len(rows), len(places)), np.float32)
        table[:, places] = rows
        try:
            found: NDArray[np.float32] = session.run(["prediction"], {"features": table, **arrays})[0]
        # onnxruntime's errors share no base but this one.
        except Exception as error:
            raise cannot("the graph", f"can't be run on some rows: {error}") from error
        return found

    return answer


def _reference(source: Source, rows: NDArray[np.float32], end: End) -> NDArray[np.float32]:
    """What the library itself answers, in the steps of the graph; NaN where it has no answer."""
    missing = np.isnan(rows).any(axis=1) if end.needs_all else np.zeros(len(rows), np.bool_)
    answers = np.full((len(rows), len(end.columns)), np.nan)
    if not missing.all():
        values = source.predict(rows[~missing].astype(np.float64))
        answers[~missing] = values[:, -len(end.columns) :]
    return (np.round(answers / STEP) * STEP).astype(np.float32)
