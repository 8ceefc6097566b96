# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import sys

import matplotlib as mpl
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdg.gradients import FishClassifier
from skdg.inspection import GradientAlignmentDisplay, GradientAlignmentMonitor
from skdg.inspection._cosines import mean_cosine
from skdg.invariance import ERMClassifier, ERMRegressor

mpl.use("Agg")
import matplotlib.pyplot as plt


@pytest.mark.parametrize("n_domains", [2, 3, 6])
def test_mean_cosine_by_loops(n_domains):
    gradients = np.random.default_rng(n_domains).normal(size=(n_domains, 5))
    cosines = []
    for i in range(n_domains):
        for j in range(i):
            a, b = gradients[i], gradients[j]
            cosines.append(a @ b / np.sqrt((a @ a) * (b @ b)))
    np.testing.assert_allclose(mean_cosine(gradients), np.mean(cosines), rtol=1e-12)


def test_mean_cosine_in_known_cases():
    assert mean_cosine(np.array([[1.0, 0.0], [5.0, 0.0]])) == pytest.approx(1.0)
    assert mean_cosine(np.array([[1.0, 0.0], [-5.0, 0.0]])) == pytest.approx(-1.0)
    assert mean_cosine(np.array([[1.0, 0.0], [0.0, 2.0]])) == pytest.approx(0.0)
    # A gradient of 0 has no direction: it agrees with nothing.
    assert mean_cosine(np.array([[1.0, 0.0], [0.0, 0.0]])) == 0.0
    assert np.isnan(mean_cosine(np.array([[1.0, 0.0]])))


def make_classes(seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat(["b", "a", "c"], [20, 9, 14])
    codes = np.repeat([0, 1, 2], [20, 9, 14])
    X = rng.normal(size=(43, 3))
    y = (X[:, 0] + (codes - 1) * X[:, 1] + 0.3 * rng.normal(size=43) > 0).astype(int)
    return X, y, groups, rng.uniform(0.2, 3.0, 43)


def cosine_by_autograd(model, X, y, groups, weight):
    """Agreement of gradients at the parameters of a fitted model."""
    leaves = [
        torch.tensor(array, requires_grad=True)
        for layer in zip(model.coefs_, model.intercepts_, strict=True)
        for array in layer
    ]
    gradients = []
    for e in np.unique(groups):
        rows = groups == e
        first, offsets, last, offset = leaves
        hidden = torch.tanh(torch.tensor(X[rows]) @ first + offsets)
        f = (hidden @ last + offset)[:, 0]
        losses = torch.nn.functional.softplus(f) - torch.tensor(y[rows]) * f
        w = torch.tensor(weight[rows])
        parts = torch.autograd.grad(w @ losses / w.sum(), leaves)
        gradients.append(torch.cat([part.flatten() for part in parts]).numpy())
    norms = [np.linalg.norm(gradient) for gradient in gradients]
    pairs = [(i, j) for i in range(len(norms)) for j in range(i)]
    return np.mean(
        [gradients[i] @ gradients[j] / norms[i] / norms[j] for i, j in pairs]
    )


@pytest.mark.parametrize("batch_size", [None, 6])
def test_records_are_those_of_fits_that_stop_there(batch_size):
    X, y, groups, weight = make_classes()
    fits = {"groups": groups, "sample_weight": weight}
    options = {
        "hidden_layer_sizes": (4,),
        "activation": "tanh",
        "learning_rate": "constant",
        "batch_size": batch_size,
        "random_state": 0,
    }
    monitor = GradientAlignmentMonitor(every=4)
    model = ERMClassifier(max_iter=14, **options).set_callbacks(monitor)
    model.fit(X, y, **fits)
    assert monitor.iterations_ == [4, 8, 12]
    expected = []
    for stop in monitor.iterations_:
        stopped = ERMClassifier(max_iter=stop, **options).fit(X, y, **fits)
        expected.append(cosine_by_autograd(stopped, X, y, groups, weight))
    np.testing.assert_allclose(monitor.cosines_, expected, rtol=1e-8)
    assert len(set(monitor.cosines_)) == 3


@pytest.mark.parametrize("estimator", [ERMClassifier, FishClassifier])
def test_watching_changes_nothing(estimator):
    X, y, groups, _ = make_classes()
    model = estimator(max_iter=10, batch_size=5, random_state=0)
    plain = model.fit(X, y, groups=groups).predict_proba(X)
    monitor = GradientAlignmentMonitor(every=1)
    model.set_callbacks(monitor).fit(X, y, groups=groups)
    np.testing.assert_array_equal(model.predict_proba(X), plain)
    assert monitor.iterations_ == list(range(1, 11))


def test_a_second_fit_starts_new_records():
    X, y, groups, _ = make_classes()
    monitor = GradientAlignmentMonitor(every=5)
    model = ERMClassifier(max_iter=10, random_state=0).set_callbacks(monitor)
    first = model.fit(X, y, groups=groups) and list(monitor.cosines_)
    model.fit(X, y, groups=groups)
    assert monitor.cosines_ == first
    assert len(first) == 2


@pytest.mark.filterwarnings("ignore::skdg.exceptions.SingleDomainWarning")
def test_one_domain_has_no_pairs():
    X, y, _, _ = make_classes()
    monitor = GradientAlignmentMonitor(every=5)
    ERMClassifier(max_iter=10).set_callbacks(monitor).fit(X, y)
    assert np.isnan(monitor.cosines_).tolist() == [True, True]


def test_errors_of_the_monitor():
    for wrong in (0, 1.5, float("nan"), "a"):
        with pytest.raises(ValueError, match=f"at least 1, got {wrong!r}"):
            GradientAlignmentMonitor(every=wrong)
    X, y, _, _ = make_classes()
    model = LogisticRegression().set_callbacks(GradientAlignmentMonitor())
    with pytest.raises(TypeError, match="LogisticRegression is none"):
        model.fit(X, y)


def make_display(**options):
    X, y, groups, _ = make_classes()
    models = {
        "ERM": ERMClassifier(max_iter=30, random_state=0),
        "Fish": FishClassifier(max_iter=20, random_state=0),
    }
    return GradientAlignmentDisplay.from_estimator(
        models, X, y, groups=groups, every=5, **options
    )


def test_display_holds_the_records_of_monitors():
    X, y, groups, _ = make_classes()
    monitor = GradientAlignmentMonitor(every=5)
    FishClassifier(max_iter=20, random_state=0).set_callbacks(monitor).fit(
        X, y, groups=groups
    )
    display = make_display()
    assert display.iterations == {
        "ERM": [5, 10, 15, 20, 25, 30],
        "Fish": [5, 10, 15, 20],
    }
    assert display.cosines["Fish"] == monitor.cosines_


def test_models_are_cloned():
    X, y, groups, _ = make_classes()
    model = ERMRegressor(max_iter=10, random_state=0)
    display = GradientAlignmentDisplay.from_estimator(model, X, y, groups=groups)
    assert not hasattr(model, "coefs_")
    assert display.iterations == {"ERMRegressor": [10]}


def test_frame_has_a_row_per_record():
    display = make_display()
    frame = display.frame()
    assert frame.columns.tolist() == ["estimator", "iteration", "cosine"]
    assert frame["estimator"].tolist() == ["ERM"] * 6 + ["Fish"] * 4
    assert frame["iteration"].tolist() == [5, 10, 15, 20, 25, 30, 5, 10, 15, 20]
    values = display.cosines["ERM"] + display.cosines["Fish"]
    assert frame["cosine"].tolist() == values


def test_plot_draws_a_curve_per_model():
    display = make_display()
    assert display.plot() is display
    ax = display.ax_
    assert display.figure_ is ax.figure
    for line, name in zip(ax.lines, ["ERM", "Fish"], strict=False):
        assert line.get_label() == name
        np.testing.assert_array_equal(line.get_xdata(), display.iterations[name])
        np.testing.assert_array_equal(line.get_ydata(), display.cosines[name])
    # The third line marks 0.
    assert len(ax.lines) == 3
    np.testing.assert_array_equal(ax.lines[2].get_ydata(), [0.0, 0.0])
    assert ax.get_xlabel() == "iteration"
    assert ax.get_ylabel() == "mean cosine between domains' gradients"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ERM", "Fish"]


def test_plot_draws_into_given_axes():
    axes = plt.subplots(1, 2)[1]
    display = make_display(ax=axes[1])
    assert display.ax_ is axes[1]
    assert not axes[0].lines
    assert len(plt.get_fignums()) == 1


def test_it_is_drawn_at_once():
    display = make_display()
    assert display.figure_.number == plt.gcf().number
    assert len(display.ax_.lines) == 3


def test_a_record_alone_and_curves_that_coincide_are_seen():
    display = GradientAlignmentDisplay(
        {"one": [10], "same": [10, 20], "twin": [10, 20]},
        {"one": [0.5], "same": [0.1, 0.2], "twin": [0.1, 0.2]},
    ).plot()
    *curves, _ = display.ax_.lines
    assert {line.get_marker() for line in curves} == {"o"}
    assert len({line.get_linestyle() for line in curves}) == 3


def test_the_legend_covers_no_curve(assert_readable):
    cosines = {"ERM": [0.5, 0.4], "a model with a name that takes two lines": [0.1, 0]}
    iterations = {name: [1, 2] for name in cosines}
    display = GradientAlignmentDisplay(iterations, cosines).plot()
    assert_readable(display)
    assert (
        not display.ax_.get_legend()
        .get_window_extent()
        .overlaps(display.ax_.get_window_extent())
    )


def test_what_leaves_an_empty_picture_is_named():
    X, y, groups, _ = make_classes()
    model = ERMClassifier(max_iter=9)
    with pytest.raises(ValueError, match="at least two; it holds the label 'a' alone"):
        GradientAlignmentDisplay.from_estimator(model, X, y, groups=["a"] * 43)
    with pytest.raises(ValueError, match="every=10 is more than the 9 iterations of"):
        GradientAlignmentDisplay.from_estimator(model, X, y, groups=groups)
    pipeline = make_pipeline(StandardScaler(), model)
    with pytest.raises(TypeError, match=r"Pipeline is none\. Pass the last step"):
        GradientAlignmentDisplay.from_estimator(pipeline, X, y, groups=groups)
    with pytest.raises(TypeError, match=r"must be an estimator, or a dict .* got \[\]"):
        GradientAlignmentDisplay.from_estimator([], X, y, groups=groups)
    # With callbacks of scikit-learn, and without.
    for other in (LogisticRegression(), RidgeClassifier()):
        models = {"ERM": model, "other": other}
        with pytest.raises(TypeError, match=f"{type(other).__name__} is none"):
            GradientAlignmentDisplay.from_estimator(models, X, y, groups=groups)
    assert plt.get_fignums() == []


def test_matplotlib_is_missed_before_models_are_fitted(monkeypatch):
    X, y, groups, _ = make_classes()
    fits = []
    monkeypatch.setattr(ERMClassifier, "fit", lambda *args, **kwargs: fits.append(args))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="matplotlib"):
        GradientAlignmentDisplay.from_estimator(ERMClassifier(), X, y, groups=groups)
    assert not fits
