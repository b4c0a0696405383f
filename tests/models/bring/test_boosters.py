"""LightGBM's and XGBoost's models answer as before: with categories, without values, near thresholds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge.errors import GivenError
from models.bring.parity import SYNTHETIC
from models.bring.prediction import bring, bring_file
from models.predict.contract import TOLERANCE
from tests.models.bring.conftest import FEATURES, Sessions

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("ignore")]

QUIET = {"verbose": -1, "num_threads": 1, "num_leaves": 15}


def _lightgbm(sessions: Sessions, objective: str = "binary", **more: Any) -> lightgbm.Booster:
    codes = [FEATURES.index(name) for name in sessions.words]
    rows = sessions.rows.copy()
    rows[::7, 6] = np.nan
    data = lightgbm.Dataset(rows, sessions.bought, categorical_feature=codes)
    return lightgbm.train({**QUIET, "objective": objective, **more}, data, 20)


def _xgboost(sessions: Sessions, model: Any = xgboost.XGBClassifier, **more: Any) -> Any:
    return model(n_estimators=20, max_depth=4, n_jobs=1, **more).fit(sessions.rows, sessions.bought)


MODELS: dict[str, tuple[Callable[[Sessions], Any], int]] = {
    "lightgbm": (_lightgbm, 1),
    "lightgbm-regression": (lambda s: _lightgbm(s, "regression"), 1),
    "lightgbm-poisson": (lambda s: _lightgbm(s, "poisson"), 1),
    "lightgbm-dart": (lambda s: _lightgbm(s, boosting="dart"), 1),
    "lightgbm-estimator": (
        lambda s: lightgbm.LGBMClassifier(n_estimators=9, **QUIET).fit(s.rows, s.bought),
        1,
    ),
    "lightgbm-classes": (
        lambda s: lightgbm.LGBMClassifier(n_estimators=5, **QUIET).fit(s.rows, s.rows[:, -1]),
        3,
    ),
    "lightgbm-ranker": (
        lambda s: lightgbm.LGBMRanker(n_estimators=5, **QUIET).fit(s.rows, s.bought, group=[10] * 400),
        1,
    ),
    "lightgbm-step": (
        lambda s: make_pipeline(StandardScaler(), lightgbm.LGBMClassifier(n_estimators=9, **QUIET)).fit(
            s.rows, s.bought
        ),
        1,
    ),
    "xgboost": (_xgboost, 1),
    "xgboost-regression": (lambda s: _xgboost(s, xgboost.XGBRegressor), 1),
    "xgboost-step": (
        lambda s: make_pipeline(StandardScaler(), xgboost.XGBClassifier(n_estimators=9, n_jobs=1)).fit(
            s.rows, s.bought
        ),
        1,
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_boosters_answer_as_before(name: str, sessions: Sessions) -> None:
    make, outputs = MODELS[name]
    brought = bring("buys", make(sessions), FEATURES, rows=sessions.rows)
    parity = brought.card["parity"]
    assert len(brought.outputs) == outputs
    assert parity["max_error"] <= TOLERANCE
    assert parity["missing"] > 0 < parity["unseen"]


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_rows_are_made_up_where_none_are_given(name: str, sessions: Sessions) -> None:
    parity = bring("buys", MODELS[name][0](sessions), FEATURES).card["parity"]
    assert parity["rows"] == SYNTHETIC
    assert 0 < parity["max_error"] <= TOLERANCE


def test_files_of_lightgbm_and_xgboost_are_read(tmp_path: Path, sessions: Sessions) -> None:
    light, extreme = tmp_path / "a.txt", tmp_path / "b.json"
    _lightgbm(sessions).save_model(light)
    _xgboost(sessions).save_model(extreme)
    rows = sessions.rows[:100].astype(np.float32)
    for path, fitted in ((light, _lightgbm(sessions).predict), (extreme, None)):
        brought = bring_file("buys", path, FEATURES, rows=sessions.rows)
        wanted = fitted(rows) if fitted else _xgboost(sessions).predict_proba(rows)[:, 1]
        assert np.abs(brought.reference(rows)[:, 0] - wanted).max() <= TOLERANCE
        assert len(brought.card["data"]) == 64


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda s: _lightgbm(s, boosting="rf", bagging_freq=1, bagging_fraction=0.5),
            "boosting=rf has no conversion",
        ),
        (lambda s: _xgboost(s, booster="dart"), "booster=dart has no conversion; use gbtree"),
        (lambda s: _xgboost(s, booster="gblinear"), "booster=gblinear has no conversion; use gbtree"),
    ],
)
def test_what_has_no_conversion_is_said_by_name(
    make: Callable[[Sessions], Any], said: str, sessions: Sessions
) -> None:
    with pytest.raises(GivenError, match=said):
        bring("buys", make(sessions), FEATURES)


def test_features_are_named_where_the_model_knows_none(sessions: Sessions) -> None:
    with pytest.raises(GivenError, match="does not know the names of its features"):
        bring("buys", _lightgbm(sessions))
    with pytest.raises(GivenError, match="takes 10 features, and 1 are named"):
        bring("buys", _xgboost(sessions), ("a",))
