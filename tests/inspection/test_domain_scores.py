# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, mean_absolute_error, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdg.inspection import DomainScoreDisplay
from skdg.invariance import ERMClassifier, ERMRegressor
from skdg.multitask import MultiTaskLinearRegressor

mpl.use("Agg")
import matplotlib.pyplot as plt


def make_rows(seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat(["unseen", "west", "east"], [20, 9, 14])
    X = rng.normal(size=(43, 3))
    return X, X[:, 0] + rng.normal(size=43), groups


def fit(model, X, y, groups):
    seen = groups != "unseen"
    options = {"groups": groups[seen]} if hasattr(model, "max_iter") else {}
    if isinstance(model, LogisticRegression):
        options = {}
    return model.fit(X[seen], y[seen], **options)


def by_domain(metric, y, predicted, groups):
    return {
        e: metric(
            [a for a, g in zip(y, groups, strict=True) if g == e],
            [a for a, g in zip(predicted, groups, strict=True) if g == e],
        )
        for e in ("east", "unseen", "west")
    }


def test_scores_are_those_of_the_rows_of_each_domain():
    X, y, groups = make_rows()
    labels = (y > 0).astype(int)
    models = {
        "ERM": fit(ERMClassifier(max_iter=20, random_state=0), X, labels, groups),
        "pooled": fit(LogisticRegression(), X, labels, groups),
    }
    display = DomainScoreDisplay.from_estimator(models, X, labels, groups=groups)
    for name, model in models.items():
        expected = by_domain(accuracy_score, labels, model.predict(X), groups)
        assert display.scores[name] == pytest.approx(expected)
    assert set(display.seen) == {"east", "west"}
    assert display.score_name == "accuracy score"


def test_regressors_are_scored_by_r2_unless_told_otherwise():
    X, y, groups = make_rows()
    model = fit(ERMRegressor(max_iter=20, random_state=0), X, y, groups)
    predicted = model.predict(X)
    for metric, expected in ((None, r2_score), (mean_absolute_error,) * 2):
        display = DomainScoreDisplay.from_estimator(
            model, X, y, groups=groups, metric=metric
        )
        assert display.scores == {
            "ERMRegressor": pytest.approx(by_domain(expected, y, predicted, groups))
        }
        assert display.score_name == expected.__name__.replace("_", " ")


def test_each_domain_is_scored_by_its_own_model():
    X, _, groups = make_rows()
    # What holds in one domain is the opposite of what holds in another.
    y = np.where(groups == "east", 1, -1) * X[:, 0] + 0.01 * X[:, 1]
    model = make_pipeline(StandardScaler(), MultiTaskLinearRegressor(lambda_task=1e-3))
    model.fit(X, y, multitasklinearregressor__groups=groups)
    display = DomainScoreDisplay.from_estimator(
        model, X, y, groups=groups, seen=["east", "unseen", "west"]
    )
    own = model.predict(X, groups=groups)
    assert display.scores["Pipeline"] == pytest.approx(
        by_domain(r2_score, y, own, groups)
    )
    assert min(display.scores["Pipeline"].values()) > 0.99
    # The shared model alone fails somewhere.
    assert min(by_domain(r2_score, y, model.predict(X), groups).values()) < 0.5


def test_from_predictions_of_one_model_and_of_several():
    _, y, groups = make_rows()
    labels, zeros = (y > 0).astype(int), np.zeros(43, dtype=int)
    one = DomainScoreDisplay.from_predictions(labels, zeros, groups=groups, seen=[])
    expected = by_domain(accuracy_score, labels, zeros, groups)
    assert one.scores == {"predictions": pytest.approx(expected)}
    several = DomainScoreDisplay.from_predictions(
        labels, {"none": zeros, "all": 1 - zeros}, groups=groups, seen=["east"]
    )
    for e, score in several.scores["all"].items():
        assert score == pytest.approx(1 - several.scores["none"][e])


def test_models_that_do_not_know_their_domains_need_to_be_told():
    X, y, groups = make_rows()
    model = LinearRegression().fit(X, y)
    with pytest.raises(ValueError, match="pass their labels as seen="):
        DomainScoreDisplay.from_estimator(model, X, y, groups=groups)
    display = DomainScoreDisplay.from_estimator(
        model, X, y, groups=groups, seen=["west"]
    )
    assert list(display.seen) == ["west"]


def test_seen_is_a_collection_of_labels_by_value():
    X, y, groups = make_rows()
    model = LinearRegression().fit(X, y)

    def draw(seen):
        return DomainScoreDisplay.from_estimator(model, X, y, groups=groups, seen=seen)

    for one in ("west", b"west", 3):
        with pytest.raises(TypeError, match=rf"seen must .* got {one!r}"):
            draw(one)
    assert plt.get_fignums() == []
    series = pd.Series(["west"], index=["east"])
    for display in (
        draw(series),
        DomainScoreDisplay({"m": {"east": 1, "west": 2}}, series),
    ):
        of_domain = display.frame().set_index("domain")["seen"]
        assert of_domain["west"]
        assert not of_domain["east"]
    with pytest.warns(UserWarning, match=r"type str \('east', .* of type int \(3\)"):
        display = draw([3])
    assert not display.frame()["seen"].any()
    # Domains that were held out, as they should be, give none.
    assert not draw(["north"]).frame()["seen"].any()


def test_what_is_no_model_or_no_metric_is_named():
    X, y, groups = make_rows()
    model = LinearRegression().fit(X, y)
    options = {"groups": groups, "seen": ["west"]}
    for wrong in ([model], {}, {"list": [model]}, "LinearRegression"):
        with pytest.raises(TypeError, match=r"must be an estimator, or a dict .* got "):
            DomainScoreDisplay.from_estimator(wrong, X, y, **options)
    with pytest.raises(TypeError, match=r"must be a callable. Got 'r2' instead"):
        DomainScoreDisplay.from_estimator(model, X, y, metric="r2", **options)
    with pytest.raises(
        ValueError, match="y_pred must hold predictions of at least one"
    ):
        DomainScoreDisplay.from_predictions(y, {}, **options)
    assert plt.get_fignums() == []


SCORES = {
    "first": {"a": 0.9, "b": 0.5, "c": 0.7, "d": 0.4},
    "second": {"a": 0.8, "b": 0.6, "c": 0.7, "d": 0.3},
}


def test_frame_has_a_row_per_model_and_domain():
    frame = DomainScoreDisplay(SCORES, ["a", "c"]).frame()
    assert frame.columns.tolist() == ["estimator", "domain", "seen", "score"]
    assert frame["estimator"].tolist() == ["first"] * 4 + ["second"] * 4
    assert frame["domain"].tolist() == list("abcd") * 2
    assert frame["seen"].tolist() == [True, False, True, False] * 2
    assert frame["score"].tolist() == [0.9, 0.5, 0.7, 0.4, 0.8, 0.6, 0.7, 0.3]


def test_plot_draws_points_with_unseen_domains_last():
    display = DomainScoreDisplay(SCORES, ["a", "c"], score_name="accuracy")
    assert display.plot() is display
    ax = display.ax_
    assert display.figure_ is ax.figure
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == ["a", "c", "b (unseen)", "d (unseen)"]
    np.testing.assert_array_equal(ax.get_yticks(), [0, 1, 2, 3])
    assert [line.get_label() for line in ax.lines] == ["first", "second"]
    for line in ax.lines:
        scores = SCORES[line.get_label()]
        np.testing.assert_array_equal(line.get_xdata(), [scores[e] for e in "acbd"])
        # Near the place of the domain, above or below the other model.
        assert np.abs(line.get_ydata() - np.arange(4)).max() < 0.25
    shifts = [line.get_ydata()[0] for line in ax.lines]
    assert shifts == pytest.approx([-0.06, 0.06])
    # The last domain is at the bottom, and unseen ones are shaded.
    assert ax.get_ylim()[0] > 3 > 0 > ax.get_ylim()[1]
    shaded = sorted((patch.get_y(), patch.get_height()) for patch in ax.patches)
    np.testing.assert_allclose(shaded, [(1.5, 1.0), (2.5, 1.0)])
    assert ax.get_xlabel() == "accuracy"
    assert ax.get_ylabel() == "domain"
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["first", "second"]


def test_plot_draws_into_given_axes():
    axes = plt.subplots(1, 2)[1]
    _, y, groups = make_rows()
    display = DomainScoreDisplay.from_predictions(
        y > 0, y > 1, groups=groups, seen=["east"], ax=axes[0]
    )
    assert display.ax_ is axes[0]
    assert not axes[1].lines
    assert len(plt.get_fignums()) == 1


def test_both_ways_to_make_it_draw_at_once():
    X, y, groups = make_rows()
    display = DomainScoreDisplay.from_predictions(
        y > 0, y > 1, groups=groups, seen=["east"]
    )
    assert display.figure_.number == plt.gcf().number
    model = fit(LinearRegression(), X, y, groups)
    display = DomainScoreDisplay.from_estimator(model, X, y, groups=groups, seen=[])
    assert display.figure_.number == plt.gcf().number
    assert len(plt.get_fignums()) == 2


def test_models_of_different_domains_cannot_share_what_is_unseen():
    X, y, groups = make_rows()
    first = ERMRegressor(max_iter=2).fit(X, y, groups=groups)
    models = {"all": first, "some": fit(ERMRegressor(max_iter=2), X, y, groups)}
    with pytest.raises(ValueError, match=r"'all' on .*'unseen'.* and 'some' on"):
        DomainScoreDisplay.from_estimator(models, X, y, groups=groups)
    assert plt.get_fignums() == []
    display = DomainScoreDisplay.from_estimator(
        models, X, y, groups=groups, seen=["east", "west"]
    )
    assert list(display.seen) == ["east", "west"]


def test_twelve_models_look_different():
    many = {f"m{k}": {"a": 0.1 * k} for k in range(12)}
    lines = DomainScoreDisplay(many, ["a"]).plot().ax_.lines
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 10 + 2
    shown = {(mpl.colors.to_hex(line.get_color()), line.get_marker()) for line in lines}
    assert len(shown) == 12


NAMES = [
    "University hospital of the northern district, cardiology",
    "St. Mary's",
    "Regional medical center (outpatient units of the rural south)",
]


@pytest.mark.parametrize("domains", [NAMES, [f"site {k}" for k in range(30)], ["a"]])
def test_labels_are_whole_and_apart(domains, assert_readable):
    rng = np.random.default_rng(0)
    scores = {
        name: dict(zip(domains, rng.uniform(size=len(domains)), strict=True))
        for name in ("ERM", "a model with a name that takes more than a line")
    }
    display = DomainScoreDisplay(scores, domains[1:]).plot()
    labels = assert_readable(display)
    shown = [label.get_text().replace("\n", " ") for label in labels]
    # In a figure of its own, no domain is without its name.
    assert shown[-len(domains) :] == [*domains[1:], f"{domains[0]} (unseen)"]
    # The legend covers no point.
    assert (
        not display.ax_.get_legend()
        .get_window_extent()
        .overlaps(display.ax_.get_window_extent())
    )
    # No name takes the room of the points.
    assert display.ax_.get_position().width > 0.3


def test_many_models_stay_near_their_domain():
    many = {f"m{k}": {"a": 0.1 * k, "b": 0.5} for k in range(14)}
    ax = DomainScoreDisplay(many, ["a"]).plot().ax_
    places = np.array([line.get_ydata() for line in ax.lines])
    # No point of the domain "a" comes as low as one of "b".
    assert places[:, 0].max() < places[:, 1].min()
