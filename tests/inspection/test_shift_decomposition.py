# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skdg.inspection import ShiftDecompositionDisplay
from skdg.multitask import MultiTaskLinearRegressor

mpl.use("agg")


def draw(shift_of_x, shift_of_y, domain_classifier=None):
    """Draw for a model that is right in the source, where y = x."""
    rng = np.random.default_rng(0)
    groups = np.repeat(["a", "b", "new"], [1000, 1000, 1000])
    is_new = groups == "new"
    x = rng.normal(size=3000) + shift_of_x * is_new
    # Noise grows to the right, where rows are harder.
    y = x + shift_of_y * is_new + np.exp(x / 2) * rng.normal(size=3000)
    model = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    return ShiftDecompositionDisplay.from_estimator(
        model,
        x[:, None],
        y,
        groups=groups,
        target="new",
        domain_classifier=domain_classifier,
        random_state=0,
    )


@pytest.mark.parametrize("classifier", [None, LogisticRegression()])
def test_a_change_of_y_given_x_is_told_from_one_of_x(classifier):
    changed_y = draw(0.0, 2.0, classifier).parts
    # The error grows by the square of 2.
    assert changed_y.conditional == pytest.approx(4, abs=1)
    assert abs(changed_y.harder) < 0.2
    assert abs(changed_y.unfamiliar) < 0.2
    changed_x = draw(1.5, 0.0, classifier).parts
    # The noise has variance exp(x), of mean exp(mean + 1/2).
    assert changed_x.target - changed_x.source == pytest.approx(
        np.exp(2) - np.exp(0.5), abs=1
    )
    assert changed_x.harder > 0.5
    assert changed_x.unfamiliar > 1
    assert abs(changed_x.conditional) < 4 * changed_x.conditional_se


def test_bars_go_from_the_source_to_the_target():
    display = draw(1.0, 1.0)
    frame = display.frame()
    assert frame["part"].tolist() == [
        *("source", "harder", "conditional", "unfamiliar", "target")
    ]
    values = frame["value"].to_numpy()
    assert values[:4].sum() == pytest.approx(values[4])
    bars = [patch.get_bbox() for patch in display.ax_.patches]
    starts = [bar.x0 for bar in bars]
    np.testing.assert_allclose(starts[1:4], np.cumsum(values)[:3])
    np.testing.assert_allclose([bar.width for bar in bars], values)
    assert display.ax_.get_xlabel() == "mean squared error"
    display.figure_.canvas.draw()
    _, ax = mpl.pyplot.subplots()
    assert display.plot(ax).ax_ is ax


def test_models_by_domain_and_losses_of_ones_own():
    rng = np.random.default_rng(0)
    groups = pd.Series(["a"] * 60 + ["b"] * 60)
    X = rng.normal(size=(120, 1))
    y = np.where(groups == "a", 1.0, -1.0) * X[:, 0]
    model = MultiTaskLinearRegressor(lambda_task=1e-6).fit(X, y, groups=groups)

    def absolute_error(y_true, y_pred):
        return abs(y_true - y_pred)

    display = ShiftDecompositionDisplay.from_estimator(
        model, X, y, groups=groups, target="b", loss=absolute_error
    )
    # Each domain is predicted by its own model, which is right.
    assert display.parts.source == pytest.approx(0, abs=1e-3)
    assert display.parts.target == pytest.approx(0, abs=1e-3)
    assert display.ax_.get_xlabel() == "mean absolute error"


def test_the_global_generator_is_left_alone():
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(60, 2)), np.repeat([1, 2], 30)
    model = LinearRegression().fit(X, X[:, 0])
    before = np.random.get_state()[1:]  # noqa: NPY002
    ShiftDecompositionDisplay.from_estimator(model, X, X[:, 1], groups=groups, target=2)
    after = np.random.get_state()[1:]  # noqa: NPY002
    for own, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(own, other)


def test_a_target_is_told_from_another_by_its_type_and_found_by_its_date():
    X, y = np.zeros((20, 1)), np.repeat([0.0, 2.0], 10)
    with pytest.raises(ValueError, match="no domain '1' in groups; there are 1, 2"):
        ShiftDecompositionDisplay.from_predictions(
            X, y, y, groups=[1, 2] * 10, target="1", loss=abs
        )
    days = np.repeat(np.array(["2021-01-01", "2021-02-01"], dtype="M8[D]"), 10)
    for target in (days[10], pd.Timestamp(days[10]), days[10].item()):
        display = ShiftDecompositionDisplay.from_predictions(
            X,
            y,
            np.zeros(20),
            groups=days,
            target=target,
            loss=lambda a, b: a - b,
            domain_classifier=DummyClassifier(),
        )
        assert (display.parts.source, display.parts.target) == (0.0, 2.0)


def test_text_that_the_domain_classifier_cannot_read_is_an_error_that_says_so():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.normal(size=60), "color": list("xyz") * 20})
    y, groups = rng.normal(size=60), np.repeat(["a", "b"], 30)
    read = make_column_transformer(
        (OneHotEncoder(), ["color"]), remainder="passthrough"
    )
    model = make_pipeline(read, LinearRegression()).fit(X, y)
    options = {"groups": groups, "target": "b", "random_state": 0}
    with pytest.raises(
        ValueError, match=r"HistGrad.* domain_classifier=.* float: '[xyz]'"
    ):
        ShiftDecompositionDisplay.from_estimator(model, X, y, **options)
    able = make_pipeline(read, LogisticRegression())
    found = ShiftDecompositionDisplay.from_estimator(
        model, X, y, domain_classifier=able, **options
    )
    # The same from rows that are numbers already.
    Z = np.asarray(read.fit_transform(X))
    expected = ShiftDecompositionDisplay.from_predictions(
        Z,
        y,
        model.predict(X),
        loss=lambda a, b: (a - b) ** 2,
        domain_classifier=LogisticRegression(),
        **options,
    )
    assert found.parts.conditional == pytest.approx(expected.parts.conditional)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["a"] * 10 + ["b"] * 10, "no domain 'new' in groups; there are 'a', 'b'."),
        (["a"] * 16 + ["new"] * 4, "The target has 4 rows, but 5 are needed"),
        (["new"] * 20, "The source has 0 rows"),
        (["new"] * 19, "19"),
    ],
)
def test_what_is_wrong_is_named(groups, message):
    X = np.zeros((20, 1))
    with pytest.raises(ValueError, match=message):
        ShiftDecompositionDisplay.from_predictions(
            X,
            np.zeros(20),
            np.zeros(20),
            groups=groups,
            target="new",
            loss=lambda a, b: a - b,
        )
