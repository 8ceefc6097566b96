# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Studies whose candidates train side by side."""

from contextlib import nullcontext
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdg import ERMRegressor, FishRegressor, IRMRegressor
from skdg._training import together
from skdg.study import run_study
from skdg.study._plan import block_of

SHORT = {"activation": "tanh", "max_iter": 6}
ESTIMATORS = {
    "linear": ERMRegressor(hidden_layer_sizes=(), **SHORT),
    "scaled": make_pipeline(
        StandardScaler(), IRMRegressor(hidden_layer_sizes=(4,), **SHORT)
    ),
    "batches": FishRegressor(hidden_layer_sizes=(4, 3), batch_size=8, **SHORT),
    "diverges": ERMRegressor(hidden_layer_sizes=(), optimizer="sgd", max_iter=40),
}
SCALED = {"estimators": {"scaled": ESTIMATORS["scaled"]}, "param_distributions": None}
SPACES = {"diverges": {"learning_rate_init": [0.01, 0.02, 1e6]}}


def study(output, **options):
    rng = np.random.default_rng(0)
    groups = np.repeat(["a", "b", "c"], [20, 30, 40])
    X = rng.normal(size=(90, 3))
    y = X @ [1.0, -1.0, 0.5] + X[:, 0] * (groups == "b") + rng.normal(size=90)
    options = {"n_candidates": 6, "param_distributions": SPACES} | options
    estimators = options.pop("estimators", ESTIMATORS)
    return run_study(estimators, X, y, groups, n_seeds=1, output=output, **options)


def rows(result):
    return result.frame().drop(columns="seconds")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return study(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    with (
        mock.patch("skdg.study._plan.block_of", lambda c: range(c, c + 1)),
        mock.patch.object(together, "fit_models") as fit_models,
    ):
        result = study(tmp_path_factory.mktemp("alone"))
    assert not fit_models.called
    return result


def test_the_table_is_that_of_fits_one_by_one(whole, alone):
    assert len(whole.frame()) == 4 * 3 * 6
    pd.testing.assert_frame_equal(
        rows(whole), rows(alone), check_exact=False, rtol=0, atol=1e-6
    )
    assert (whole.frame()["seconds"].dropna() > 0).all()


def test_a_candidate_that_diverges_is_a_row_and_leaves_the_others_alone(whole):
    frame = whole.frame()
    failed = frame["error"] != ""
    expected = frame["parameters"] == "learning_rate_init=1000000.0"
    assert 0 < expected[frame["candidate"].between(1, 4)].sum() < 4 * 3
    assert failed.tolist() == expected.tolist()
    assert frame.loc[failed, "error"].str.startswith("DivergenceError: Training").all()
    assert frame.loc[failed, "unseen"].isna().all()
    assert frame.loc[~failed, "unseen"].notna().all()


def test_blocks_are_trained_whole_whatever_is_missing(whole, tmp_path):
    sizes = []

    def spy(models, data, *stop):
        sizes.append(len(models))
        return fit_models(models, data, *stop)

    fit_models = together.fit_models
    fits = tmp_path / "fits"
    with mock.patch.object(together, "fit_models", spy):
        study(tmp_path, **SCALED, n_candidates=3)
        assert sizes == [4] * 3
        study(tmp_path)
        # A part of each block is lost.
        for lost in sorted(fits.glob("*.json"))[::3]:
            lost.unlink()
        kept = {path: path.stat().st_mtime_ns for path in fits.glob("*.json")}
        again = study(tmp_path)
    assert set(sizes) >= {4, 5}
    pd.testing.assert_frame_equal(rows(again), rows(whole), check_exact=True)
    assert kept == {path: path.stat().st_mtime_ns for path in kept}


def test_stopped_within_a_block(whole, tmp_path):
    def stop(n_done, n_fits, row):
        if row is not None and row["candidate"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, callback=stop, **SCALED)
    assert len(list((tmp_path / "fits").glob("*.json"))) < 3 * 6
    expected = rows(whole).query("estimator == 'scaled'").reset_index(drop=True)
    resumed = rows(study(tmp_path, **SCALED))
    pd.testing.assert_frame_equal(resumed, expected, check_exact=True)


@pytest.mark.parametrize("change", ["beside", "nothing"])
def test_other_candidates_beside_are_noticed(tmp_path, change):
    model = {"linear": ESTIMATORS["linear"]}
    values = [0.1, 0.2, 0.3, 0.4, 0.5]
    options = {"estimators": model, "n_candidates": 2}
    first = study(
        tmp_path, param_distributions={"linear": {"alpha": values}}, **options
    )
    own = float(first.frame()["parameters"].iloc[1].removeprefix("alpha="))
    if change == "beside":
        values = [value if value == own else value + 1 for value in values]
    refused = pytest.raises(ValueError, match=r"search space of 'linear'.*beside other")
    with refused if change == "beside" else nullcontext():
        study(tmp_path, param_distributions={"linear": {"alpha": values}}, **options)


def test_blocks_hold_each_candidate_once():
    blocks = [list(block_of(candidate)) for candidate in range(100)]
    assert sum(sorted(set(map(tuple, blocks))), ()) == tuple(range(100))
    assert all(candidate in block for candidate, block in enumerate(blocks))
