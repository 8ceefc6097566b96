# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import matplotlib as mpl
import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdg.exceptions import SingleDomainWarning
from skdg.inspection import TaskAffinityDisplay, task_affinity
from skdg.invariance import ERMClassifier, ERMRegressor
from skdg.multitask import MultiTaskLinearRegressor, MultiTaskNetworkClassifier

mpl.use("Agg")
import matplotlib.pyplot as plt

# Not in the order of the labels.
LABELS, SIZES = ("north", "east", "west"), (20, 9, 14)


def make_rows(seed=0):
    rng = np.random.default_rng(seed)
    groups, codes = np.repeat(LABELS, SIZES), np.repeat([0, 1, 2], SIZES)
    X = rng.normal(size=(43, 3))
    y = X[:, 0] + (codes - 1.0) * X[:, 1] + 0.3 * rng.normal(size=43)
    return X, y, groups


def risks_by_torch(leaves, X, y, groups):
    """Risks of a tanh classifier, in the order of the sorted labels."""
    first, offsets, last, offset = leaves
    risks = []
    for e in sorted(LABELS):
        rows = groups == e
        f = torch.tanh(torch.tensor(X[rows]) @ first + offsets) @ last + offset
        losses = torch.nn.functional.softplus(f[:, 0]) - torch.tensor(y[rows]) * f[:, 0]
        risks.append(losses.mean())
    return risks


def fitted_classifier():
    X, y, groups = make_rows()
    labels = (y > 0).astype(int)
    model = ERMClassifier(
        hidden_layer_sizes=(4,), activation="tanh", max_iter=5, random_state=0
    ).fit(X, labels, groups=groups)
    leaves = [
        torch.tensor(array, requires_grad=True)
        for layer in zip(model.coefs_, model.intercepts_, strict=True)
        for array in layer
    ]
    return model, leaves, X, labels, groups


def test_gradient_is_the_cosine_of_gradients_in_weights():
    model, leaves, X, y, groups = fitted_classifier()
    gradients = []
    for risk in risks_by_torch(leaves, X, y, groups):
        parts = torch.autograd.grad(risk, [leaves[0], leaves[2]], retain_graph=True)
        gradients.append(np.concatenate([part.numpy().ravel() for part in parts]))
    expected = np.eye(3)
    for i, a in enumerate(gradients):
        for j, b in enumerate(gradients):
            expected[i, j] = a @ b / np.sqrt((a @ a) * (b @ b))
    result = task_affinity(model, X, y, groups)
    np.testing.assert_array_equal(result.domains, ["east", "north", "west"])
    np.testing.assert_allclose(result.affinity, expected, rtol=1e-8)


def test_gradient_of_tasks_with_their_own_heads_is_that_of_shared_layers():
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(40, 3)), np.array(["b", "a"] * 20)
    y = (X[:, 0] + rng.normal(size=40) > 0).astype(int)
    model = MultiTaskNetworkClassifier(
        hidden_layer_sizes=(4,), activation="tanh", max_iter=20, random_state=0
    ).fit(X, y, groups=groups)
    leaf = torch.tensor(model.coefs_[0], requires_grad=True)
    gradients = []
    for task, label in enumerate(model.domains_):
        own = groups == label
        hidden = torch.tanh(
            torch.tensor(X[own]) @ leaf + torch.tensor(model.intercepts_[0])
        )
        head, offset = model.task_coefs_[0][task], model.task_intercepts_[0][task]
        logits = (hidden @ torch.tensor(head))[:, 0] + float(offset[0])
        risk = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, torch.tensor(y[own], dtype=torch.float64)
        )
        gradients.append(torch.autograd.grad(risk, leaf)[0].flatten())
    expected = float(torch.cosine_similarity(*gradients, dim=0))
    affinity = task_affinity(model, X, y, groups).affinity
    np.testing.assert_allclose(affinity, [[1, expected], [expected, 1]], rtol=1e-8)


def test_gradients_of_tasks_without_shared_layers_cannot_be_compared():
    X, y, groups = np.eye(8), np.arange(8) % 2, np.arange(8) // 4
    model = MultiTaskNetworkClassifier(hidden_layer_sizes=(), max_iter=2)
    model.fit(X, y, groups=groups)
    with pytest.raises(ValueError, match="no parameters that domains share"):
        task_affinity(model, X, y, groups)


def test_a_step_of_a_network_of_one_task_alone_helps_no_other():
    X, y, groups = np.eye(8), np.arange(8) % 2, np.arange(8) // 4
    model = MultiTaskNetworkClassifier(hidden_layer_sizes=(3,), max_iter=2)
    model.set_params(sharing="soft").fit(X, y, groups=groups)
    with pytest.raises(TypeError, match="Use sharing='hard'"):
        task_affinity(model, X, y, groups, method="lookahead")


@pytest.mark.parametrize("step_size", [0.01, 0.1, 1.0])
def test_lookahead_is_the_gain_of_a_task_from_a_step_of_another(step_size):
    model, leaves, X, y, groups = fitted_classifier()
    risks = risks_by_torch(leaves, X, y, groups)
    before = [float(risk.detach()) for risk in risks]
    expected = np.zeros((3, 3))
    for i, risk in enumerate(risks):
        gradient = torch.autograd.grad(risk, leaves, retain_graph=True)
        moved = [
            leaf.detach() - step_size * part
            for leaf, part in zip(leaves, gradient, strict=True)
        ]
        for j, after in enumerate(risks_by_torch(moved, X, y, groups)):
            expected[i, j] = 1.0 - float(after) / before[j]
    result = task_affinity(model, X, y, groups, method="lookahead", step_size=step_size)
    np.testing.assert_allclose(result.affinity, expected, rtol=1e-8, atol=1e-12)
    assert not np.allclose(expected, expected.T)


@pytest.mark.parametrize("method", ["gradient", "lookahead"])
def test_measures_leave_the_model_as_it_was(method):
    model, _, X, y, groups = fitted_classifier()
    before = model.predict_proba(X)
    first = task_affinity(model, X, y, groups, method=method).affinity
    np.testing.assert_array_equal(model.predict_proba(X), before)
    second = task_affinity(model, X, y, groups, method=method).affinity
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("method", ["gradient", "lookahead"])
def test_the_order_of_rows_means_nothing(method):
    model, _, X, y, groups = fitted_classifier()
    expected = task_affinity(model, X, y, groups, method=method)
    order = np.random.default_rng(0).permutation(43)
    found = task_affinity(model, X[order], y[order], groups[order], method=method)
    np.testing.assert_array_equal(found.domains, expected.domains)
    np.testing.assert_allclose(found.affinity, expected.affinity, rtol=1e-9)


def test_tasks_may_be_others_than_those_of_fit():
    X, y, groups = make_rows()
    seen = groups != "west"
    model = ERMRegressor(hidden_layer_sizes=(), max_iter=5)
    model.fit(X[seen], y[seen], groups=groups[seen])
    result = task_affinity(model, X, y, groups)
    # A linear model of standardized targets: gradients by numpy.
    residual = (model.predict(X) - y)[:, None] * X
    gradients = [residual[groups == e].mean(axis=0) for e in sorted(LABELS)]
    expected = [
        [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in gradients]
        for a in gradients
    ]
    np.testing.assert_allclose(result.affinity, expected, rtol=1e-8)


@pytest.mark.parametrize("shape", [(3, 4), (3, 2, 4)])
def test_coefficient_is_the_cosine_of_coefficients(shape):
    coefs = np.random.default_rng(0).normal(size=shape)

    class Linear(LinearRegression):
        task_coef_ = coefs
        domains_ = np.array(["east", "north", "west"])

    X, y, groups = make_rows()
    model = Linear().fit(X, y)
    result = task_affinity(model, X, y, groups, method="coefficient")
    for i in range(3):
        for j in range(3):
            a, b = coefs[i].ravel(), coefs[j].ravel()
            cosine = a @ b / np.sqrt((a @ a) * (b @ b))
            np.testing.assert_allclose(result.affinity[i, j], cosine, rtol=1e-10)
    np.testing.assert_array_equal(result.domains, Linear.domains_)
    # Of some domains alone, and of none that has no coefficients.
    some = np.where(groups == "north", "east", groups)
    part = task_affinity(model, X, y, some, method="coefficient")
    assert part.domains.tolist() == ["east", "west"]
    np.testing.assert_allclose(part.affinity, result.affinity[::2, ::2])
    with pytest.raises(ValueError, match=r"fitted to, \['east'.*holds 'south'"):
        task_affinity(model, X, y, ["south"] * len(y), method="coefficient")


@pytest.mark.parametrize(
    "cv", [3, KFold(2), ShuffleSplit(2, test_size=0.3, random_state=0)]
)
def test_transfer_is_the_gain_in_score_on_held_out_rows(cv):
    X, y, groups = make_rows()
    splitter = KFold(cv) if isinstance(cv, int) else cv
    expected = np.zeros((3, 3))
    for j, target in enumerate(sorted(LABELS)):
        own = np.flatnonzero(groups == target)
        for i, source in enumerate(sorted(LABELS)):
            if i == j:
                continue
            other = np.flatnonzero(groups == source)
            gains = []
            for train, test in splitter.split(own):
                alone, both = own[train], np.concatenate([other, own[train]])
                scores = [
                    LinearRegression()
                    .fit(X[rows], y[rows])
                    .score(X[own[test]], y[own[test]])
                    for rows in (alone, both)
                ]
                gains.append(scores[1] - scores[0])
            expected[i, j] = np.mean(gains)
    model = LinearRegression()
    result = task_affinity(model, X, y, groups, method="transfer", cv=cv)
    np.testing.assert_allclose(result.affinity, expected, rtol=1e-8)
    np.testing.assert_array_equal(result.domains, ["east", "north", "west"])
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("cv", [3, StratifiedKFold(3)])
def test_transfer_keeps_the_share_of_classes_of_classifiers(cv):
    X, signal, groups = make_rows()
    # All rows of a class come together, so that other folds would lack one.
    y = np.concatenate(
        [signal[groups == e] > np.median(signal[groups == e]) for e in LABELS]
    )
    order = np.argsort(y, kind="stable")
    X, y, groups = X[order], y[order].astype(int), groups[order]
    model = LogisticRegression()
    result = task_affinity(model, X, y, groups, method="transfer", cv=cv)
    own, other = (np.flatnonzero(groups == e) for e in ("north", "east"))
    gains = []
    for train, test in StratifiedKFold(3).split(own, y[own]):
        alone, both = own[train], np.concatenate([own[train], other])
        scores = [
            np.mean(model.fit(X[i], y[i]).predict(X[own[test]]) == y[own[test]])
            for i in (alone, both)
        ]
        gains.append(scores[1] - scores[0])
    np.testing.assert_allclose(result.affinity[0, 1], np.mean(gains), atol=1e-12)


def test_transfer_reads_an_iterable_of_splits_for_each_task():
    X, y, _ = make_rows()
    X, y, groups = X[:42], y[:42], np.arange(42) % 2
    results = [
        task_affinity(LinearRegression(), X, y, groups, method="transfer", cv=cv)
        for cv in (KFold(2), KFold(2).split(np.arange(21)))
    ]
    np.testing.assert_array_equal(results[0].affinity, results[1].affinity)


def test_transfer_tells_models_of_several_domains_which_is_which():
    X, y, groups = make_rows()
    model = ERMRegressor(hidden_layer_sizes=(), max_iter=100, learning_rate_init=0.1)
    result = task_affinity(model, X, y, groups, method="transfer", cv=KFold(2))
    own, other = (np.flatnonzero(groups == e) for e in ("east", "north"))
    gains = []
    for train, test in KFold(2).split(own):
        both = np.concatenate([own[train], other])
        together = model.fit(X[both], y[both], groups=groups[both])
        score = together.score(X[own[test]], y[own[test]])
        # One domain alone, under its label.
        with pytest.warns(UserWarning, match="single label"):
            alone = model.fit(X[own[train]], y[own[train]], groups=groups[own[train]])
        gains.append(score - alone.score(X[own[test]], y[own[test]]))
    np.testing.assert_allclose(result.affinity[1, 0], np.mean(gains), rtol=1e-6)


def test_transfer_to_a_task_is_to_its_own_model():
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(80, 3)), np.repeat(["a", "b"], 40)
    # Opposite tasks: a model of both can only harm, one of each need not.
    y = np.where(groups == "a", 1.0, -1.0) * X[:, 0] + 0.1 * rng.normal(size=80)
    model = MultiTaskLinearRegressor(lambda_task=0.01)
    gains = task_affinity(model, X, y, groups, method="transfer", cv=KFold(2)).affinity
    expected = np.zeros((2, 2))
    for source, target in ((0, 1), (1, 0)):
        own = np.flatnonzero(groups == "ab"[target])
        other = np.flatnonzero(groups == "ab"[source])
        for train, test in KFold(2).split(own):
            both = np.concatenate([own[train], other])
            model.fit(X[both], y[both], groups=groups[both])
            together = X[own[test]] @ model.task_coef_[target]
            together += model.task_intercept_[target]
            with pytest.warns(UserWarning, match="single label"):
                model.fit(X[own[train]], y[own[train]], groups=groups[own[train]])
            alone = X[own[test]] @ model.task_coef_[0] + model.task_intercept_[0]
            scores = [r2_score(y[own[test]], values) for values in (together, alone)]
            expected[source, target] += (scores[0] - scores[1]) / 2
    np.testing.assert_allclose(gains, expected, rtol=1e-6, atol=1e-9)
    assert np.abs(gains).max() < 0.1


def test_transfer_tells_a_pipeline_which_domain_is_which():
    X, y, groups = make_rows()
    model = MultiTaskLinearRegressor(lambda_task=0.01)
    pipeline = make_pipeline(FunctionTransformer(), model)
    options = {"method": "transfer", "cv": KFold(2)}
    expected = task_affinity(model, X, y, groups, **options).affinity
    with config_context(enable_metadata_routing=True):
        found = task_affinity(pipeline, X, y, groups, **options).affinity
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    # Without routing groups do not get there, of which the step warns.
    with pytest.warns(SingleDomainWarning, match="metadata routing"):
        lost = task_affinity(pipeline, X, y, groups, **options).affinity
    assert np.abs(lost - expected).max() > 1e-3


def test_models_that_cannot_be_measured_are_named():
    X, y, groups = make_rows()
    model = LogisticRegression().fit(X, y > 0)
    with pytest.raises(TypeError, match="LogisticRegression is none"):
        task_affinity(model, X, y > 0, groups)
    with pytest.raises(TypeError, match="LogisticRegression has none"):
        task_affinity(model, X, y > 0, groups, method="coefficient")
    pipeline = make_pipeline(FunctionTransformer(), LogisticRegression()).fit(X, y > 0)
    for method in ("gradient", "coefficient"):
        with pytest.raises(TypeError, match=r"Pipeline .* none\. Pass the last step"):
            task_affinity(pipeline, X, y > 0, groups, method=method)
    with pytest.raises(NotFittedError):
        task_affinity(ERMRegressor(), X, y, groups)
    with pytest.raises(ValueError, match="method"):
        task_affinity(model, X, y, groups, method="cosine")


# Tasks 0, 2 and 4 are related, and so are 1 and 3.
MEMBERS = np.array([0, 1, 0, 1, 0])
AFFINITY = np.where(MEMBERS[:, None] == MEMBERS, 0.8, -0.3) + 0.2 * np.eye(5)
AFFINITY[0, 1] = -0.5
NAMES = ["a", "b", "c", "d", "e"]


def test_plot_puts_related_tasks_side_by_side():
    display = TaskAffinityDisplay(AFFINITY, NAMES)
    assert display.plot() is display
    order = display.order_
    assert sorted(order.tolist()) == [0, 1, 2, 3, 4]
    # One change of group on the way through all tasks.
    assert np.count_nonzero(np.diff(MEMBERS[order])) == 1
    ax = display.ax_
    (image,) = ax.images
    np.testing.assert_array_equal(image.get_array(), AFFINITY[np.ix_(order, order)])
    assert image.get_clim() == (-1.0, 1.0)
    labels = [NAMES[k] for k in order]
    assert [text.get_text() for text in ax.get_xticklabels()] == labels
    assert [text.get_text() for text in ax.get_yticklabels()] == labels
    assert ax.get_xlabel() == "to task"
    assert ax.get_ylabel() == "from task"
    assert display.figure_ is ax.figure
    assert [other.get_ylabel() for other in ax.figure.axes] == ["from task", "affinity"]


def test_order_does_not_depend_on_the_diagonal():
    # "transfer" has a diagonal of 0.
    affinity = AFFINITY - np.diag(np.diag(AFFINITY))
    order = TaskAffinityDisplay(affinity, NAMES).plot().order_
    assert np.count_nonzero(np.diff(MEMBERS[order])) == 1


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_tasks_are_drawn_in_their_order(n):
    display = TaskAffinityDisplay(AFFINITY[:n, :n], NAMES[:n]).plot()
    np.testing.assert_array_equal(display.order_, np.arange(n))


def test_gains_that_are_all_positive_are_drawn():
    # Nothing is negative and the diagonal is 0, as "transfer" has it.
    affinity = np.where(MEMBERS[:, None] == MEMBERS, 0.8, 0.1) * (1.0 - np.eye(5))
    display = TaskAffinityDisplay(affinity, NAMES).plot()
    assert np.count_nonzero(np.diff(MEMBERS[display.order_])) == 1


def test_no_affinity_at_all_is_drawn_in_the_middle_of_the_colors():
    # No warning, and 0 lies between the limits.
    display = TaskAffinityDisplay(np.zeros((2, 2)), NAMES[:2]).plot()
    display.figure_.canvas.draw()
    low, high = display.ax_.images[0].get_clim()
    assert low < 0.0 < high
    assert low == -high


def test_frame_names_both_sides():
    frame = TaskAffinityDisplay(AFFINITY, NAMES).frame()
    assert frame.index.tolist() == NAMES
    assert frame.columns.tolist() == NAMES
    assert frame.loc["a", "b"] == -0.5
    assert frame.loc["b", "a"] == -0.3
    np.testing.assert_array_equal(frame.to_numpy(), AFFINITY)


def test_from_estimator_measures_and_draws():
    model, _, X, y, groups = fitted_classifier()
    ax = plt.subplots()[1]
    display = TaskAffinityDisplay.from_estimator(
        model, X, y, groups=groups, method="lookahead", step_size=0.5, ax=ax
    )
    expected = task_affinity(model, X, y, groups, method="lookahead", step_size=0.5)
    np.testing.assert_array_equal(display.affinity, expected.affinity)
    np.testing.assert_array_equal(display.domains, expected.domains)
    assert display.ax_ is ax
    assert len(plt.get_fignums()) == 1
    assert [other.get_ylabel() for other in ax.figure.axes] == [
        "from task",
        "relative gain from a step",
    ]
    # Without axes, in a figure of its own.
    display = TaskAffinityDisplay.from_estimator(model, X, y, groups=groups)
    assert display.figure_.number == plt.gcf().number
    assert len(plt.get_fignums()) == 2
    assert display.figure_.axes[1].get_ylabel() == "cosine between gradients"


LONG = [
    "University hospital of the northern district, cardiology",
    "St. Mary's",
    "Regional medical center (outpatient units of the rural south)",
]


@pytest.mark.parametrize(
    "names",
    [LONG, [f"site {k}" for k in range(30)], [f"{k}" for k in range(70)], ["a"]],
)
def test_labels_are_whole_and_apart(names, assert_readable):
    affinity = np.corrcoef(np.random.default_rng(0).normal(size=(len(names), 8)))
    display = TaskAffinityDisplay(affinity.reshape(2 * [len(names)]), names).plot()
    labels = assert_readable(display)
    shown = [label.get_text().replace("\n", " ") for label in labels]
    assert sorted(shown) == sorted([*names, *names])
    # The picture keeps the greater part of its figure.
    assert display.ax_.get_position().height > 0.45


def test_labels_without_room_are_left_out_at_equal_distances(assert_readable):
    names = [f"task {k}" for k in range(80)]
    affinity = np.corrcoef(np.random.default_rng(0).normal(size=(80, 8)))
    ax = plt.subplots(figsize=(3, 3), layout="constrained")[1]
    display = TaskAffinityDisplay(affinity, names).plot(ax)
    assert 10 < len(assert_readable(display)) < 160
    (step,) = set(np.diff(ax.get_yticks()))
    shown = [label.get_text() for label in ax.get_yticklabels()]
    assert step > 1
    assert shown == [names[k] for k in display.order_[:: int(step)]]


def test_numbers_that_are_not_finite_are_gray():
    affinity = AFFINITY.copy()
    affinity[0, 1], affinity[2, 3] = np.nan, -np.inf
    display = TaskAffinityDisplay(affinity, NAMES).plot()
    (image,) = display.ax_.images
    assert image.get_clim() == (-1.0, 1.0)
    assert np.ma.getmaskarray(image.get_array()).sum() == 2
    assert display.ax_.get_facecolor()[:3] == (0.7, 0.7, 0.7)
    assert np.count_nonzero(np.diff(MEMBERS[display.order_])) == 1
    display.figure_.canvas.draw()
