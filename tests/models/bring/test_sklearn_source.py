"""Fitted pipelines of scikit-learn answer as before once they are graphs, on real sessions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from edge.errors import GivenError
from models.bring.prediction import bring
from models.predict.contract import TOLERANCE
from models.predict.recipe import load, save
from tests.models.bring.conftest import FEATURES, NUMBERS, Sessions

pytestmark = pytest.mark.filterwarnings("ignore")

Make = Callable[[], Any]


def _prepared(scaler: Any, *last: Any) -> Any:
    """Numbers filled in and scaled, words one-hot, and an estimator behind them."""
    numbers, texts = list(range(len(NUMBERS))), [len(NUMBERS), len(NUMBERS) + 1]
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), scaler), numbers), (OneHotEncoder(handle_unknown="ignore"), texts)
        ),
        *last,
    )


PIPELINES: dict[str, Make] = {
    "logistic": lambda: _prepared(StandardScaler(), LogisticRegression(max_iter=200)),
    "forest": lambda: _prepared(StandardScaler(), RandomForestClassifier(20, max_depth=9, random_state=0)),
    "extra": lambda: _prepared(MinMaxScaler(), ExtraTreesClassifier(15, max_depth=8, random_state=0)),
    "boosting": lambda: _prepared(RobustScaler(), GradientBoostingClassifier(n_estimators=20)),
    "bagging": lambda: _prepared(StandardScaler(), BaggingClassifier(n_estimators=4, random_state=0)),
    "network": lambda: _prepared(StandardScaler(), MLPClassifier((8,), max_iter=5, random_state=0)),
    "calibrated": lambda: _prepared(StandardScaler(), CalibratedClassifierCV(LinearSVC(), cv=2)),
    "margin": lambda: _prepared(StandardScaler(), LinearSVC()),
    "voting": lambda: _prepared(
        StandardScaler(),
        VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"),
    ),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_over_words_answer_as_before(name: str, sessions: Sessions) -> None:
    fitted = PIPELINES[name]().fit(sessions.texts[:2000], sessions.bought[:2000])
    brought = bring("buys", fitted, FEATURES, rows=sessions.rows)
    parity = brought.card["parity"]
    assert (brought.features, brought.outputs) == (FEATURES, ("buys",))
    assert parity["max_error"] <= TOLERANCE
    assert parity["rows"] == len(sessions.rows)
    assert parity["missing"] > 1000 < parity["unseen"]
    assert brought.card["categories"] == {name: list(known) for name, known in sessions.words.items()}


NUMERIC: dict[str, Make] = {
    "hist": lambda: HistGradientBoostingClassifier(max_iter=15),
    "hist-regressor": lambda: HistGradientBoostingRegressor(max_iter=15),
    "forest-regressor": lambda: RandomForestRegressor(10, max_depth=6, random_state=0),
    "tree": lambda: DecisionTreeClassifier(max_depth=9, random_state=0),
    "linear": lambda: make_pipeline(StandardScaler(), LinearRegression()),
    "bins": lambda: make_pipeline(KBinsDiscretizer(4), Ridge()),
}


@pytest.mark.parametrize(("name", "given"), [(name, name != "tree") for name in NUMERIC])
def test_estimators_over_numbers_answer_as_before(name: str, given: bool, sessions: Sessions) -> None:
    fitted = NUMERIC[name]().fit(sessions.rows[:2000], sessions.bought[:2000])
    parity = bring("buys", fitted, FEATURES, rows=sessions.rows if given else None).card["parity"]
    assert parity["max_error"] <= TOLERANCE
    assert parity["needs_all"] is not name.startswith("hist")


def test_a_row_that_lacks_what_the_model_needs_has_no_answer(sessions: Sessions) -> None:
    fitted = LogisticRegression(max_iter=500).fit(sessions.rows[:500], sessions.bought[:500])
    brought = bring("buys", fitted, FEATURES, rows=sessions.rows)
    rows = sessions.rows[:2].astype(np.float32)
    rows[1, 3] = np.nan
    assert np.isnan(brought.reference(rows)).tolist() == [[False], [True]]


def test_classes_of_text_are_outputs(sessions: Sessions) -> None:
    numbers, kinds = sessions.rows[:, : len(NUMBERS)], sessions.texts[:, -1].astype(str)
    brought = bring("kind", DecisionTreeClassifier(max_depth=4).fit(numbers, kinds), NUMBERS, rows=numbers)
    assert brought.outputs == sessions.words["VisitorType"]
    assert brought.reference(numbers[:5].astype(np.float32)).shape == (5, 3)


def test_columns_may_stand_in_another_order(sessions: Sessions) -> None:
    fitted = Ridge().fit(sessions.rows, sessions.bought)
    straight = bring("buys", fitted, FEATURES, rows=sessions.rows)
    fitted.feature_names_in_ = np.array(FEATURES, object)
    turned = bring("buys", fitted, FEATURES[::-1], rows=sessions.rows[:, ::-1])
    rows = sessions.rows[:9].astype(np.float32)
    assert np.array_equal(straight.reference(rows), turned.reference(rows[:, ::-1]))
    with pytest.raises(GivenError, match="lacks Month and adds Weather"):
        bring("buys", fitted, (*NUMBERS, "VisitorType", "Weather"))


def test_words_stand_in_the_order_of_the_features(sessions: Sessions) -> None:
    fitted = PIPELINES["logistic"]().fit(sessions.texts[:1000], sessions.bought[:1000])
    months = ("Smarch", *reversed(sessions.words["Month"]))
    brought = bring("buys", fitted, FEATURES, words={"Month": months})
    own = bring("buys", fitted, FEATURES)
    rows = sessions.rows[:50].astype(np.float32)
    turned = rows.copy()
    turned[:, -2] = len(months) - 1 - rows[:, -2]
    assert np.array_equal(brought.reference(turned), own.reference(rows))
    with pytest.raises(GivenError, match="'Month' has no category 'Aug'"):
        bring("buys", fitted, FEATURES, words={"Month": ("May",)})


def test_it_is_read_back_and_bytes_repeat(tmp_path: Path, sessions: Sessions) -> None:
    fitted = PIPELINES["boosting"]().fit(sessions.texts[:1000], sessions.bought[:1000])
    brought = bring("buys", fitted, FEATURES, rows=sessions.rows)
    assert bring("buys", fitted, FEATURES, rows=sessions.rows).graph == brought.graph
    save(brought, tmp_path)
    back, rows = load(tmp_path), sessions.rows[:20].astype(np.float32)
    assert (back.features, back.outputs, back.graph) == (brought.features, brought.outputs, brought.graph)
    assert np.abs(back.reference(rows) - brought.reference(rows)).max() <= TOLERANCE


class Doubler(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Somebody's own step."""

    def fit(self, rows: Any, labels: Any = None) -> "Doubler":
        self.n_features_in_ = rows.shape[1]
        return self

    def transform(self, rows: Any) -> Any:
        return rows * 2


REFUSED: dict[str, tuple[Make, str]] = {
    "neighbours": (
        KNeighborsClassifier,
        "KNeighborsClassifier can't be brought; it carries its training rows",
    ),
    "process": (GaussianProcessRegressor, "GaussianProcessRegressor can't be brought"),
    "kernel": (SVC, "SVC can't be brought; .*LinearSVC"),
    "isotonic": (
        lambda: CalibratedClassifierCV(GaussianNB(), method="isotonic", cv=2),
        "method='isotonic' can't be brought; .*sigmoid",
    ),
    "categorical": (
        lambda: HistGradientBoostingClassifier(max_iter=2, categorical_features=[7]),
        "HistGradientBoostingClassifier with categorical_features converts wrong",
    ),
    "own": (lambda: make_pipeline(Doubler(), Ridge()), "Doubler is a class of .*features.yaml"),
    "function": (
        lambda: make_pipeline(FunctionTransformer(np.log1p), Ridge()),
        "FunctionTransformer can't be brought; .*features.yaml",
    ),
    "nothing": (lambda: make_pipeline(StandardScaler()), "StandardScaler|Pipeline predicts nothing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_converted_is_said_by_name(name: str, sessions: Sessions) -> None:
    make, said = REFUSED[name]
    fitted = make().fit(sessions.rows[:300], sessions.bought[:300])
    with pytest.raises(GivenError, match=said) as caught:
        bring("buys", fitted, FEATURES)
    assert caught.value.code == "bring"


def test_what_was_never_fitted_is_refused() -> None:
    with pytest.raises(GivenError, match="Ridge has not been fitted"):
        bring("buys", Ridge(), ("a",))


def test_rare_categories_are_refused(sessions: Sessions) -> None:
    encoder = OneHotEncoder(min_frequency=500, handle_unknown="infrequent_if_exist")
    fitted = make_pipeline(encoder, Ridge()).fit(sessions.rows[:, -2:], sessions.bought)
    with pytest.raises(GivenError, match="puts rare categories together; leave out min_frequency"):
        bring("buys", fitted, FEATURES[-2:])


def test_ordinal_words_and_dropped_categories(sessions: Sessions) -> None:
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encoders = make_column_transformer(
        (ordinal, [8]), (OneHotEncoder(drop="first", handle_unknown="ignore"), [9])
    )
    fitted = make_pipeline(encoders, LogisticRegression()).fit(sessions.texts, sessions.bought)
    parity = bring("buys", fitted, FEATURES, rows=sessions.rows).card["parity"]
    assert parity["max_error"] <= TOLERANCE
