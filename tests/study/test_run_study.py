# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import ParameterSampler
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdg import AnchorClassifier, ERMClassifier, MultiTaskLinearClassifier
from skdg.metrics import GroupScorer
from skdg.model_selection import DomainHoldout, search_space
from skdg.study import run_study
from skdg.study._fit import seed_of

RULES = ("training-domain", "leave-one-domain-out", "oracle")


def table():
    rng = np.random.default_rng(0)
    groups = np.repeat(["a", "b", "c", "d"], [30, 40, 50, 30])
    X = rng.normal(size=(150, 3))
    shift = np.repeat([1.0, 0.5, 0.0, -1.0], [30, 40, 50, 30])
    y = np.where(X[:, 0] + shift * X[:, 1] + rng.normal(size=150) > 0, "yes", "no")
    return X, y, groups


def small_study(output, **options):
    arguments = {
        "estimators": {
            "ERM": ERMClassifier(max_iter=5),
            "scaled": make_pipeline(StandardScaler(), LogisticRegression()),
        },
        "selection": RULES,
        "n_candidates": 3,
        "n_seeds": 2,
        "output": output,
    } | options
    X, y, groups = table()
    return run_study(
        arguments.pop("estimators"),
        arguments.pop("X", X),
        arguments.pop("y", y),
        arguments.pop("groups", groups),
        **arguments,
    )


def without_time(result):
    return result.frame().drop(columns="seconds")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return small_study(tmp_path_factory.mktemp("undisturbed"))


def by_hand(name, estimator, held_out, seed, candidate):
    """Fit once as the documentation tells it; return the scores and the model."""
    X, y, groups = table()
    draw = seed_of("split", seed)
    split = DomainHoldout(test_size=0.2, stratify=True, random_state=draw)
    train, seen = next(split.split(X, y, groups=groups))
    train, seen = (r[~np.isin(groups[r], held_out)] for r in (train, seen))
    model = clone(estimator)
    if candidate:
        draw = seed_of("candidate", name, seed, candidate)
        (parameters,) = ParameterSampler(search_space(estimator), 1, random_state=draw)
        model.set_params(**parameters)
    codes = tuple("abcd".index(label) for label in held_out)
    for parameter in model.get_params():
        if parameter.endswith("random_state"):
            value = seed_of("fit", name, str(codes), str(seed), parameter)
            model.set_params(**{parameter: value})
    if name == "ERM":
        model.fit(X[train], y[train], groups=groups[train])
    else:
        model.fit(X[train], y[train])
    parts = [seen[groups[seen] == label] for label in np.unique(groups[seen])]
    in_domain = np.mean([accuracy_score(y[r], model.predict(X[r])) for r in parts])
    unseen = {
        label: accuracy_score(y[groups == label], model.predict(X[groups == label]))
        for label in held_out
    }
    return in_domain, unseen


def test_every_number_is_that_of_a_fit_by_hand(undisturbed):
    frame = undisturbed.frame()
    assert len(frame) == 3 * 2 * 4 * 2 * 3
    estimators = {
        "ERM": ERMClassifier(max_iter=5),
        "scaled": make_pipeline(StandardScaler(), LogisticRegression()),
    }
    pairs = {}
    for row in frame.itertuples():
        estimator = estimators[row.estimator]
        key = (row.estimator, row.seed, row.candidate)
        in_domain, unseen = by_hand(
            key[0], estimator, (row.domain,), row.seed, row.candidate
        )
        assert row.in_domain == pytest.approx(in_domain, abs=1e-12)
        assert row.unseen == pytest.approx(unseen[row.domain], abs=1e-12)
        if row.rule == "training-domain":
            expected = in_domain
        elif row.rule == "oracle":
            expected = row.unseen
        else:
            scores = []
            for other in sorted(set("abcd") - {row.domain}):
                pair = tuple(sorted([row.domain, other]))
                if (pair, key) not in pairs:
                    pairs[pair, key] = by_hand(
                        key[0], estimator, pair, row.seed, row.candidate
                    )[1]
                scores.append(pairs[pair, key][other])
            expected = np.mean(scores)
        assert row.validation == pytest.approx(expected, abs=1e-12)


def test_the_rule_selects_its_best_and_first_candidate(undisturbed):
    frame = undisturbed.frame()
    keys = ["rule", "estimator", "domain", "seed"]
    n = 0
    for _, part in frame.groupby(keys):
        (chosen,) = np.flatnonzero(part["selected"])
        assert chosen == int(np.argmax(part["validation"].to_numpy()))
        n += 1
    assert n == 3 * 2 * 4 * 2
    assert (frame["uses_test_domain"] == (frame["rule"] == "oracle")).all()


# One process imports all there is and forks, since twenty of them would take long to
# start. Each child runs the study and is killed after so many more fits.
_SCRIPT = """
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import skdg._training.estimators
from test_run_study import small_study
fits = Path(sys.argv[2], "fits")
for goal, delay in zip(map(int, sys.argv[3::2]), map(float, sys.argv[4::2])):
    goal += len(list(fits.glob("*.json")))
    child = os.fork()
    if not child:
        small_study(sys.argv[2])
        os._exit(0)
    while len(list(fits.glob("*.json"))) < goal:
        time.sleep(0.001)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    print(-os.waitstatus_to_exitcode(status), len(list(fits.glob("*.json"))))
"""


def test_killed_at_twenty_random_moments_it_ends_with_the_same_table(
    undisturbed, tmp_path
):
    output, fits = tmp_path / "study", tmp_path / "study" / "fits"
    rng = np.random.default_rng(int.from_bytes(os.urandom(4)))
    n_kills, n_fits = 20, 2 * (4 + 6) * 2 * 3
    moments = [
        str(number)
        for _ in range(n_kills)
        for number in (rng.integers(0, n_fits // n_kills - 1), rng.uniform(0, 0.02))
    ]
    process = subprocess.run(
        [sys.executable, "-c", _SCRIPT, os.path.dirname(__file__), output, *moments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    lines = [tuple(map(int, line.split())) for line in process.stdout.splitlines()]
    assert [number for number, _ in lines] == [signal.SIGKILL] * n_kills
    counts = [count for _, count in lines]
    assert counts == sorted(counts)
    assert len(set(counts)) > n_kills // 3
    before = {path: path.stat().st_mtime_ns for path in fits.glob("*.json")}
    assert len(before) < n_fits
    resumed = small_study(output)
    pd.testing.assert_frame_equal(
        without_time(resumed), without_time(undisturbed), check_exact=True
    )
    # Nothing that was done was done again.
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert not list(fits.glob("*.part"))


def test_the_callback_is_told_of_each_fit_and_may_stop_the_study(undisturbed, tmp_path):
    calls = []

    def stop_at_seven(*call):
        calls.append(call)
        if call[0] == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small_study(tmp_path, callback=stop_at_seven)
    n_fits = 2 * (4 + 6) * 2 * 3
    assert [call[:2] for call in calls] == [(n, n_fits) for n in range(8)]
    assert calls[0][2] is None
    assert len(list((tmp_path / "fits").glob("*.json"))) == 7
    resumed = []
    result = small_study(tmp_path, callback=lambda *call: resumed.append(call))
    assert [call[0] for call in resumed] == list(range(7, n_fits + 1))
    rows = [row for _, _, row in calls + resumed if row is not None]
    fits = {
        (r["estimator"], *r["held_out"], r["seed"], r["candidate"]): r for r in rows
    }
    assert len(fits) == n_fits
    row = fits["ERM", "b", 1, 2]
    frame = result.frame().set_index(["estimator", "domain", "seed", "candidate"])
    same = frame[frame["rule"] == "oracle"].loc[("ERM", "b", 1, 2)]
    assert row["unseen"] == [same["unseen"]]
    pd.testing.assert_frame_equal(without_time(result), without_time(undisturbed))


def test_a_damaged_file_and_one_half_written_are_done_again(undisturbed, tmp_path):
    small_study(tmp_path)
    files = sorted((tmp_path / "fits").glob("*.json"))
    files[0].write_text(files[0].read_text(encoding="utf-8")[:40], encoding="utf-8")
    files[1].rename(files[1].with_suffix(".123.part"))
    pd.testing.assert_frame_equal(
        without_time(small_study(tmp_path)), without_time(undisturbed)
    )


def test_jobs_and_pieces_change_nothing(undisturbed, tmp_path):
    # First one estimator, rule, candidate and repetition, then the rest.
    one = {"scaled": make_pipeline(StandardScaler(), LogisticRegression())}
    small_study(tmp_path, estimators=one, selection="oracle", n_candidates=1, n_seeds=1)
    with joblib.parallel_config("loky", n_jobs=2):
        result = small_study(tmp_path)
    pd.testing.assert_frame_equal(
        without_time(result), without_time(undisturbed), check_exact=True
    )
    pd.testing.assert_frame_equal(result.summary(), undisturbed.summary())


X, Y, GROUPS = table()
LOGISTIC = make_pipeline(StandardScaler(), LogisticRegression())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"X": X + 1e-9}, "differs: the table X"),
        ({"X": pd.DataFrame(X)}, "differs: the table X"),
        ({"y": np.where(np.arange(150) == 7, "no", Y)}, "differs: the targets y"),
        ({"groups": np.roll(GROUPS, 1)}, "differs: the domains"),
        ({"scoring": "f1_macro"}, r"scoring \(accuracy there, f1_macro here\)"),
        ({"test_size": 0.3}, r"test_size \(0\.2 there, 0\.3 here\)"),
        (
            {"estimators": {"ERM": ERMClassifier(max_iter=6), "scaled": LOGISTIC}},
            r"differs: the parameter max_iter of 'ERM' \(5 there, 6 here\)\.",
        ),
        (
            {"estimators": {"ERM": AnchorClassifier()}},
            r"the estimator 'ERM' \(skdg.*ERMClassifier there, .*AnchorClassifier here",
        ),
        (
            {
                "estimators": {
                    "scaled": make_pipeline(StandardScaler(), LogisticRegression(C=2.0))
                }
            },
            r"parameter logisticregression__C of 'scaled' \(1\.0 there, 2\.0 here\)",
        ),
        (
            {"param_distributions": {"ERM": {"alpha": [7.0]}}},
            r"search space of 'ERM', whose candidate \d is .* \{'alpha': '7\.0'\} here",
        ),
    ],
)
def test_what_changed_is_named_and_nothing_is_mixed_in(tmp_path, changed, message):
    small_study(tmp_path, n_seeds=1, selection="oracle", n_candidates=2)
    before = sorted(tmp_path.rglob("*"))
    manifest = (tmp_path / "study.json").read_text(encoding="utf-8")
    options = {"n_seeds": 1, "selection": "oracle", "n_candidates": 2} | changed
    with pytest.raises(ValueError, match=message):
        small_study(tmp_path, **options)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "study.json").read_text(encoding="utf-8") == manifest


def test_another_version_is_named(tmp_path):
    small_study(tmp_path, n_seeds=1, selection="oracle", n_candidates=1)
    path = tmp_path / "study.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["facts"]["the version of skdg"] = "0.0.1"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ValueError, match=r"version of skdg \(0\.0\.1 there"):
        small_study(tmp_path)
    path.unlink()
    with pytest.raises(ValueError, match=r"study\.json is missing or damaged"):
        small_study(tmp_path)


def test_what_changed_within_a_list_of_parts_is_named(tmp_path):
    def study(column, with_mean=True):
        first = ColumnTransformer(
            [("some", StandardScaler(with_mean=with_mean), [column])]
        )
        small_study(
            tmp_path,
            estimators={"part": make_pipeline(first, LogisticRegression())},
            selection="oracle",
            n_candidates=1,
            n_seeds=1,
        )

    study(0)
    study(0)
    with pytest.raises(ValueError, match=r"transformers of 'part'.*\[1\]\]\] here"):
        study(1)
    with pytest.raises(ValueError, match=r"some__with_mean of 'part' \(True there"):
        study(0, with_mean=False)


def test_a_long_list_that_changed_is_shown_once_and_in_part(tmp_path):
    columns = [f"column {i}" for i in range(40)]
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(150, 40)), columns=columns)

    def study(*left_out):
        kept = [name for name in columns if name not in left_out]
        first = ColumnTransformer([("some", StandardScaler(), kept)])
        estimators = {n: make_pipeline(first, LogisticRegression()) for n in "abcd"}
        small_study(
            tmp_path,
            X=X,
            estimators=estimators,
            selection="oracle",
            n_candidates=1,
            n_seeds=1,
        )

    study()
    with pytest.raises(ValueError, match="differs: the parameter") as caught:
        study("column 17")
    message = str(caught.value)
    assert message.count("columntransformer__transformers of 'a', 'b', 'c', 'd' (") == 1
    there, here = message.partition(" there, ")[::2]
    assert "'column 17', 'column 18'" in there
    assert "column 17" not in here
    assert "'column 18'" in here
    assert "column 3" not in message
    assert len(message) < 550 + len(str(tmp_path))


class FailsOn(ClassifierMixin, BaseEstimator):
    """Fails where the domain with 50 rows is held out, and always if told to."""

    def __init__(self, always=False):
        self.always = always

    def fit(self, X, y):
        if self.always or len(X) == 80:
            raise RuntimeError("out of\n  luck")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[0], len(X))


def test_a_fit_that_fails_is_a_row_with_its_error(tmp_path):
    result = small_study(
        tmp_path,
        estimators={
            "sometimes": FailsOn(),
            "always": FailsOn(always=True),
            "fine": LogisticRegression(),
        },
        selection="training-domain",
        n_candidates=1,
    )
    frame = result.frame()
    failed = frame[frame["error"] != ""]
    assert set(failed["error"]) == {"RuntimeError: out of luck"}
    assert failed["unseen"].isna().all()
    assert not failed["selected"].any()
    rows = failed[["estimator", "domain"]].value_counts().to_dict()
    assert rows == {("sometimes", "c"): 2} | {("always", d): 2 for d in "abcd"}
    summary = result.summary(reference="fine").loc["training-domain"]
    assert summary["n_failed"].to_dict() == {"sometimes": 2, "always": 8, "fine": 0}
    assert summary["n_domains"].to_dict() == {"sometimes": 3, "always": 0, "fine": 4}
    assert summary.index[-1] == "always"
    assert np.isnan(summary.loc["always", "unseen"])


def rare(n_positive):
    """Return 8 domains of 50 rows, of which so many each are of the rare class."""
    rng = np.random.default_rng(0)
    y = np.concatenate([np.arange(50) < n for n in n_positive]).astype(int)
    X = rng.normal(size=(400, 2)) + y[:, None]
    return X, y, np.repeat(list("abcdefgh"), 50)


def study_of_rare(output, n_positive, **options):
    options = {"n_candidates": 1, "scoring": "roc_auc", "output": output} | options
    return run_study([LogisticRegression()], *rare(n_positive), **options)


def test_a_rare_class_is_in_the_held_out_rows_of_each_domain(tmp_path):
    result = study_of_rare(tmp_path, [5] * 8)
    frame = result.frame()
    assert frame["selected"].all()
    assert set(frame["error"]) == {""}
    row = result.summary().iloc[0]
    assert row[["n_domains", "n_unselected", "n_failed"]].tolist() == [8, 0, 0]


def test_means_are_over_the_domains_on_which_a_score_is_defined(tmp_path):
    n_positive = [5, 5, 5, 1, 1, 2, 5, 0]
    X, y, groups = rare(n_positive)
    result = study_of_rare(
        tmp_path, n_positive, selection=["training-domain", "leave-one-domain-out"]
    )
    n_undefined = 0
    pairs = {}
    for row in result.frame().itertuples():
        draw = DomainHoldout(stratify=True, random_state=seed_of("split", row.seed))
        train, seen = next(draw.split(X, y, groups=groups))

        def fitted_without(*held_out, train=train):
            rows = train[~np.isin(groups[train], held_out)]
            return LogisticRegression().fit(X[rows], y[rows])

        def score(model, rows):
            if len(set(y[rows])) == 1:
                return np.nan
            return roc_auc_score(y[rows], model.decision_function(X[rows]))

        others = sorted(set(groups) - {row.domain})
        model = fitted_without(row.domain)
        scores = [score(model, seen[groups[seen] == label]) for label in others]
        n_undefined += np.isnan(scores).sum()
        assert row.in_domain == pytest.approx(np.nanmean(scores), rel=1e-12)
        if row.rule == "leave-one-domain-out":
            for other in others:
                key = (*sorted([row.domain, other]), row.seed)
                if key not in pairs:
                    pairs[key] = fitted_without(row.domain, other)
            scores = [
                score(
                    pairs[*sorted([row.domain, other]), row.seed],
                    np.flatnonzero(groups == other),
                )
                for other in others
            ]
        assert row.validation == pytest.approx(np.nanmean(scores), rel=1e-12)
        assert row.selected
        undefined = "score undefined on domain h"
        assert row.error == (undefined if row.domain == "h" else "")
    assert n_undefined > 3 * 7  # more than for the domain without positives
    for _, row in result.summary().iterrows():
        assert row[["n_domains", "n_unselected", "n_failed"]].tolist() == [7, 0, 3]
    assert set(result.failures()["error"]) == {undefined}
    assert set(result.failures()["held_out"]) == {("h",)}


def test_a_study_without_scores_to_select_by_says_so(tmp_path):
    # The held-out share of a domain is a single row: never two classes.
    result = study_of_rare(tmp_path, [5] * 8, test_size=0.02, n_seeds=2)
    frame = result.frame()
    assert frame["unseen"].notna().all()
    assert not frame["selected"].any()
    assert set(frame["error"]) == {"score undefined on all domains to select by"}
    row = result.summary().iloc[0]
    assert row[["n_domains", "n_unselected", "n_failed"]].tolist() == [0, 16, 0]
    page = result.to_html()
    assert "LogisticRegression (16)." in page
    assert "LogisticRegression (0/8)" in page


class Counts(ClassifierMixin, BaseEstimator):
    """Counts how many of it are fitted at the same time."""

    lock = threading.Lock()
    running = most = 0

    def __init__(self, device="cpu"):
        self.device = device

    def fit(self, X, y):
        with self.lock:
            Counts.running += 1
            Counts.most = max(Counts.most, Counts.running)
        time.sleep(0.02)
        with self.lock:
            Counts.running -= 1
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[0], len(X))


def test_one_accelerator_is_not_shared(tmp_path):
    for device, most in (("cpu", 3), ("cuda", 1), ("auto", 1)):
        Counts.most = 0
        model = make_pipeline(StandardScaler(), Counts(device))
        with joblib.parallel_config("threading", n_jobs=3):
            result = small_study(
                tmp_path / device,
                estimators={"alone": model},
                selection="training-domain",
            )
        assert Counts.most == most
        assert result.summary()["n_domains"].tolist() == [4]


def test_multi_task_models_know_the_domains_of_rows_they_have_seen(tmp_path):
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2, 3], 40)
    X = rng.normal(size=(160, 1))
    y = (np.array([1, -1, 1, -1])[codes] * X[:, 0] > 0).astype(int)
    frame = run_study(
        [MultiTaskLinearClassifier(lambda_task=1e-3)],
        X,
        y,
        codes,
        n_candidates=1,
        n_seeds=1,
        output=tmp_path,
    ).frame()
    assert frame["in_domain"].min() > 0.95
    assert frame["unseen"].max() < 0.95


def test_baselines_come_along_and_regression_has_its_score(tmp_path):
    X, _, groups = table()
    y = 3 * X[:, 0]
    result = run_study(
        [Ridge()],
        X,
        y,
        groups,
        n_candidates=1,
        n_seeds=1,
        output=tmp_path,
        baselines=True,
    )
    assert result.scoring == "neg_root_mean_squared_error"
    frame = result.frame()
    assert list(frame["estimator"].unique()) == [
        *("Ridge", "Dummy", "PerDomainRidge", "HistGradientBoosting")
    ]
    # The mean predictor by hand.
    split = DomainHoldout(random_state=seed_of("split", 0))
    train, _ = next(split.split(X, groups=groups))
    train = train[groups[train] != "b"]
    error = np.sqrt(np.mean((y[groups == "b"] - y[train].mean()) ** 2))
    row = frame[(frame["estimator"] == "Dummy") & (frame["domain"] == "b")]
    assert row["unseen"].item() == pytest.approx(-error, rel=1e-12)
    # A linear model for each domain by hand, and their mean where there is none.
    # Columns are standardized by all training rows, as for the other estimators.
    scale = StandardScaler().fit(X[train])
    Z = scale.transform(X)
    models = {
        label: Ridge().fit(Z[rows], y[rows])
        for label in "acd"
        for rows in [train[groups[train] == label]]
    }
    unseen = groups == "b"
    mean = np.mean([model.predict(Z[unseen]) for model in models.values()], axis=0)
    error = np.sqrt(np.mean((y[unseen] - mean) ** 2))
    seen = np.setdiff1d(np.flatnonzero(~unseen), train)
    in_domain = [
        np.sqrt(np.mean((y[rows] - model.predict(Z[rows])) ** 2))
        for label, model in models.items()
        for rows in [seen[groups[seen] == label]]
    ]
    row = frame[(frame["estimator"] == "PerDomainRidge") & (frame["domain"] == "b")]
    assert row["unseen"].item() == pytest.approx(-error, rel=1e-9)
    assert row["in_domain"].item() == pytest.approx(-np.mean(in_domain), rel=1e-9)


def test_data_frames_and_labels_of_any_type(tmp_path):
    X, _, groups = table()
    columns = pd.DataFrame(X, columns=list("uvw"), index=np.arange(150)[::-1])
    years = {"a": "2021", "b": "2022", "c": "2023", "d": "2024"}
    labels = pd.to_datetime(pd.Series(groups).map(years))
    for repeat in range(2):  # the second time all is read
        result = small_study(
            tmp_path, X=columns, groups=labels, n_seeds=1, selection="oracle"
        )
        assert len(result.frame()) == 2 * 4 * 3, repeat
    plain = small_study(tmp_path / "plain", n_seeds=1, selection="oracle")
    np.testing.assert_array_equal(result.frame()["unseen"], plain.frame()["unseen"])
    worst, same = (r.summary()["worst_domain"].iloc[0] for r in (result, plain))
    assert worst == np.datetime64(years[same])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"groups": ["one"] * 150, "selection": "oracle"},
            "needs 2 domains at least, but groups has 1: one",
        ),
        ({"groups": ["o"] * 75 + ["t"] * 75}, "needs 3 domains at least"),
        ({"groups": ["o"] * 75 + ["t"] * 74 + ["lone"]}, "Cannot hold out a part"),
        ({"selection": ["oracle", "best"]}, "no rule 'best'"),
        ({"estimators": [Ridge(), Ridge()]}, "Two estimators go by the name 'Ridge'"),
        ({"estimators": {}}, "no estimators"),
        ({"estimators": [Ridge(), LogisticRegression()]}, "classifiers only"),
        ({"param_distributions": {"IRM": {}}}, r"param_distributions has \['IRM'\]"),
        ({"n_seeds": 0}, "'n_seeds' parameter"),
        (
            {"groups": None},
            r"groups is None\. Pass the domain of each row: run_study\(",
        ),
        (
            {"scoring": GroupScorer("f1_macro", reduction="mean")},
            r"each domain by itself.*not GroupScorer\(.*Pass scoring='f1_macro'\.",
        ),
        ({"scoring": GroupScorer()}, r"Pass scoring=None\."),
    ],
)
def test_mistakes_are_named_before_any_fit(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        small_study(tmp_path / "study", **options)
    assert not (tmp_path / "study").exists()


def test_seeds_are_made_of_names_and_numbers():
    keys = list(itertools.product(("fit", "split"), ("a", "ab"), (1, 2), (1, 12)))
    assert len({seed_of(*key) for key in keys}) == len(keys)
    assert all(0 <= seed_of(*key) < 2**31 for key in keys)


class GoesAstray(RegressorMixin, BaseEstimator):
    """Predicts well but for rows like no other, where it predicts without bounds."""

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        return np.full(len(X), 1e200) if (X[:, 1] > 50).any() else X[:, 0]


def test_an_infinite_error_is_no_gain(tmp_path):
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(160, 2)), np.repeat(list("abcdefgh"), 20)
    y = X[:, 0] + rng.normal(size=160)
    X[groups == "c", 1] = 100.0
    result = run_study(
        {"ERM": Ridge(alpha=1e6), "astray": GoesAstray()},
        *(X, y, groups),
        selection=("training-domain", "training-domain"),
        n_candidates=1,
        n_seeds=1,
        output=tmp_path / "out",
    )
    summary = result.summary()
    assert len(summary) == 2  # a rule that is named twice counts once
    row = summary.loc[("training-domain", "astray")]
    assert row["unseen"] == row["gain"] == -np.inf
    assert np.isnan(row["p"])
    assert row["n_tested"] == 0
    (turned,) = result.summary(reference="astray")["gain"].dropna()
    assert turned == np.inf
    assert "none of them infinite" in result.to_html()
