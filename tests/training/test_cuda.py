# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Training on a GPU against the same on the CPU, and against itself without recordings.

``python -m pytest -m cuda`` runs these tests, which are skipped where there is no GPU.
"""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn import config_context
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut

from skdg._training import optimizer, recorded_step
from skdg._training.steps import RiskStep
from skdg.model_selection import BatchedGridSearchCV
from tests.quick_fits import NETWORKS, make, make_data, output

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]


@pytest.fixture
def without_recordings(monkeypatch):
    for module in (recorded_step, optimizer):
        monkeypatch.setattr(module, "recorder_for", lambda device: None)


def fits(name, dtype, n_samples=61, **options):
    X, y, groups = make_data(name, n_samples=n_samples)
    X = X.astype(dtype)
    return make(name, **options).fit(X, y, groups=groups), X


def assert_close(found, expected, rtol):
    for key, values in expected.history_.items():
        np.testing.assert_allclose(found.history_[key], values, rtol=rtol, atol=rtol)
    for one, other in zip(found.coefs_, expected.coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize("name", NETWORKS)
def test_as_on_the_cpu(name, batch_size):
    options = {"max_iter": 30, "batch_size": batch_size}
    found, X = fits(name, np.float64, device="cuda", **options)
    expected, _ = fits(name, np.float64, **options)
    assert_close(found, expected, 1e-7)
    np.testing.assert_allclose(output(found, X), output(expected, X), atol=1e-6)


@pytest.mark.parametrize("estimate", ["squared", "unbiased"])
@pytest.mark.parametrize("dummy", ["vector", "affine"])
@pytest.mark.parametrize("name", ["IRMClassifier", "IRMRegressor"])
def test_other_penalties_of_irm_as_on_the_cpu(name, dummy, estimate):
    options = {"max_iter": 30, "dummy": dummy, "penalty_estimate": estimate}
    found, _ = fits(name, np.float64, device="cuda", **options)
    expected, _ = fits(name, np.float64, **options)
    assert_close(found, expected, 1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NETWORKS)
def test_as_without_recordings(name, dtype, request):
    options = {"max_iter": 30, "batch_size": 8, "device": "cuda"}
    found, _ = fits(name, dtype, **options)
    request.getfixturevalue("without_recordings")
    expected, _ = fits(name, dtype, **options)
    assert_close(found, expected, 1e-3 if dtype == np.float32 else 1e-9)


def test_schedules():
    name = "IRMClassifier"
    options = {"max_iter": 40, "penalty_anneal_iters": 15, "penalty_weight": 10.0}
    options |= {"reset_optimizer": True, "learning_rate": "constant"}
    found, _ = fits(name, np.float64, device="cuda", **options)
    expected, _ = fits(name, np.float64, **options)
    assert_close(found, expected, 1e-7)


@pytest.mark.parametrize("name", ["ERMClassifier", "IDGMClassifier", "FishRegressor"])
def test_many_models_side_by_side(name):
    X, y, groups = make_data(name, n_samples=90)
    weights = np.logspace(-4, -1, 512)
    model = make(name, max_iter=60, device="cuda")
    given = {"cv": LeaveOneGroupOut(), "refit": False}
    with config_context(enable_metadata_routing=True):
        model.set_fit_request(groups=True)
        batched = BatchedGridSearchCV(model, {"alpha": weights}, **given)
        batched.fit(X, y, groups=groups)
        ordinary = GridSearchCV(model, {"alpha": weights[::256]}, **given)
        ordinary.fit(X, y, groups=groups)
    np.testing.assert_allclose(
        batched.cv_results_["mean_test_score"][::256],
        ordinary.cv_results_["mean_test_score"],
        rtol=1e-6,
    )


def test_a_module_of_the_user():
    def module(n_features):
        return torch.nn.Sequential(torch.nn.Linear(n_features, 6), torch.nn.Tanh())

    options = {"module": module, "max_iter": 20}
    found, _ = fits("IDGMClassifier", np.float64, device="cuda", **options)
    expected, _ = fits("IDGMClassifier", np.float64, **options)
    assert_close(found, expected, 1e-7)


def test_a_model_goes_to_where_there_is_no_gpu(monkeypatch):
    model, X = fits("IRMClassifier", np.float64, device="cuda")
    expected = model.predict_proba(X)
    assert all(isinstance(array, np.ndarray) for array in model.coefs_)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.warns(RuntimeWarning, match="predicting on the CPU"):
        found = pickle.loads(pickle.dumps(model)).predict_proba(X)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_fits_in_several_threads():
    def fit(seed):
        return fits(
            "IRMClassifier", np.float64, device="cuda", max_iter=100, random_state=seed
        )[0]

    expected = [fit(seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(fit, range(8)))
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other, 1e-9)


@pytest.fixture
def little_memory():
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(2e-3)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_lack_of_memory_names_the_batch_size(little_memory):
    with pytest.raises(MemoryError, match="batch_size='auto'"):
        fits(
            *("ERMClassifier", np.float32),
            hidden_layer_sizes=(8000, 8000),
            batch_size="auto",
            device="cuda",
        )


def test_a_step_that_cannot_be_recorded_says_so():
    model = make("VRExClassifier", device="cuda", max_iter=5)
    X, y, groups = make_data("VRExClassifier")

    def looks(batch):
        return batch.risks.sum() * expit(batch.risks.detach().max().item())

    model.__class__ = type(
        "Looking",
        (type(model),),
        {"_make_step": lambda self, _: RiskStep(self._annealed(looks, 0.0))},
    )
    with pytest.raises(RuntimeError) as caught:
        model.fit(X, y, groups=groups)
    assert any("on_host=True" in note for note in caught.value.__notes__)
    # The device is as usable as before.
    assert fits("VRExClassifier", np.float64, device="cuda")[0].n_iter_ == 3
