# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
from scipy.stats import ttest_rel, wilcoxon

from skdg.study import StudyResult
from skdg.study._fit import Fit
from skdg.study._words import conclusion

NAMES = ("ERM", "good", "bad")
N_DOMAINS, N_SEEDS = 7, 3


def row(in_domain, unseen):
    return {
        "in_domain": in_domain,
        "unseen": unseen,
        "seconds": 1.0,
        "parameters": {},
        "error": "",
    }


@pytest.fixture(scope="module")
def scores():
    rng = np.random.default_rng(0)
    shape = (3, N_DOMAINS, N_SEEDS, 2)
    level = np.array([0.7, 0.8, 0.6])[:, None, None, None]
    return level + 0.1 * rng.normal(size=shape), level + 0.1 * rng.normal(size=shape)


@pytest.fixture(scope="module")
def result(scores):
    in_domain, unseen = scores
    rows = {
        Fit(name, (d,), s, c): row(in_domain[n, d, s, c], [unseen[n, d, s, c]])
        for n, name in enumerate(NAMES)
        for d in range(N_DOMAINS)
        for s in range(N_SEEDS)
        for c in range(2)
    }
    domains = np.array(list("tuvwxyz"))
    return StudyResult(rows, domains, NAMES, ["training-domain", "oracle"], "accuracy")


@pytest.mark.parametrize("rule", ["training-domain", "oracle"])
def test_summary_by_hand(result, scores, rule):
    in_domain, unseen = scores
    by = in_domain if rule == "training-domain" else unseen
    best = by.argmax(-1)[..., None]
    seen = np.take_along_axis(in_domain, best, -1)[..., 0]
    chosen = np.take_along_axis(unseen, best, -1)[..., 0]
    summary = result.summary().loc[rule]
    p = {}
    for n, name in enumerate(NAMES):
        own = summary.loc[name]
        by_domain, by_seed = chosen[n].mean(1), chosen[n].mean(0)
        assert own["unseen"] == pytest.approx(chosen[n].mean(), rel=1e-12)
        assert own["in_domain"] == pytest.approx(seen[n].mean(), rel=1e-12)
        for what, values in (("domains", by_domain), ("seeds", by_seed)):
            expected = values.std(ddof=1) / np.sqrt(len(values))
            assert own[f"se_{what}"] == pytest.approx(expected, rel=1e-12)
        assert own["worst"] == pytest.approx(by_domain.min(), rel=1e-12)
        assert own["worst_domain"] == "tuvwxyz"[by_domain.argmin()]
        places = 1 + (chosen.mean(2) > by_domain).sum(0)
        assert own["rank"] == pytest.approx(places.mean(), rel=1e-12)
        assert own["uses_test_domain"] == (rule == "oracle")
        if name != "ERM":
            reference = chosen[0].mean(1)
            p[name] = wilcoxon(by_domain, reference).pvalue
            gain = (by_domain - reference).mean()
            assert own["gain"] == pytest.approx(gain, rel=1e-9)
            assert own["p"] == pytest.approx(p[name], rel=1e-12)
    small, large = sorted(p, key=p.get)
    first = min(1.0, 2 * p[small])
    assert summary.loc[small, "p_holm"] == pytest.approx(first, rel=1e-12)
    assert summary.loc[large, "p_holm"] == pytest.approx(max(first, p[large]))
    assert np.isnan(summary.loc["ERM", "p"])
    assert list(summary.index) == list(
        summary["unseen"].sort_values(ascending=False).index
    )


def test_student_and_another_reference(result):
    frame = result.frame()
    chosen = frame[frame["selected"] & (frame["rule"] == "oracle")]
    means = chosen.groupby(["estimator", "domain"])["unseen"].mean()
    summary = result.summary(reference="bad", test="t").loc["oracle"]
    expected = ttest_rel(means["good"], means["bad"]).pvalue
    assert summary.loc["good", "p"] == pytest.approx(expected, rel=1e-9)
    with pytest.raises(ValueError, match=r"no estimator 'god' .* are ERM, good, bad\."):
        result.summary(reference="god")
    with pytest.raises(ValueError, match="test must be 'wilcoxon' or 't'"):
        result.summary(test="z")


def test_without_erm_there_are_no_tests_unless_asked_for():
    rows = {
        Fit(name, (d,), 0, 0): row(0.5, [0.5 + 0.1 * d * place])
        for place, name in enumerate("ab")
        for d in range(4)
    }
    result = StudyResult(rows, np.arange(4), list("ab"), ["oracle"], "s")
    assert result.summary()[["gain", "p", "p_holm"]].isna().all(axis=None)
    assert conclusion(result.summary().loc["oracle"], "ERM", "t") == ""
    assert result.summary(reference="a").loc[("oracle", "b"), "gain"] > 0
    with pytest.raises(ValueError, match="no estimator 'c'"):
        result.to_html(reference="c")


def test_selection_does_not_look_at_the_unseen_score():
    # The candidate that is best in-domain has no score on the held-out domain.
    rows = {
        Fit("one", (d,), 0, c): row([0.5, 0.9][c], [[0.4, np.nan][c]])
        for d in range(2)
        for c in range(2)
    }
    result = StudyResult(rows, np.array([1, 2]), ["one"], ["training-domain"], "s")
    frame = result.frame()
    assert frame.loc[frame["selected"], "candidate"].tolist() == [1, 1]
    assert result.summary().loc[("training-domain", "one"), "n_domains"] == 0


def test_fits_without_two_domains_that_fail_are_counted():
    # Without "x" and "y" there is no model, so these have no candidate for each other.
    rows = {
        Fit(name, held_out, s, 0): row(0.5, [0.6 + 0.1 * (name == "A")] * len(held_out))
        for name in ("ERM", "A")
        for held_out in [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)]
        for s in range(2)
    }
    for s in range(2):
        nothing = {"unseen": [np.nan] * 2, "error": "ValueError: one class"}
        rows[Fit("ERM", (0, 1), s, 0)] |= nothing
    rules = ["training-domain", "leave-one-domain-out"]
    result = StudyResult(rows, np.array(list("xyz")), ["ERM", "A"], rules, "accuracy")
    frame = result.frame().set_index(["rule", "estimator", "domain"])
    lost = frame[~frame["selected"]]
    assert sorted(set(lost.index)) == [(rules[1], "ERM", d) for d in "xy"]
    assert set(lost["error"]) == {"ValueError: one class (without x and y)"}
    assert set(frame.loc[frame["selected"], "error"]) == {""}
    failures = result.failures()
    assert failures[["estimator", "held_out", "seed"]].to_numpy().tolist() == [
        ["ERM", ("x", "y"), 0],
        ["ERM", ("x", "y"), 1],
    ]
    summary = result.summary()
    columns = ["n_domains", "n_unselected", "n_failed", "n_tested"]
    expected = {
        (rules[0], "ERM"): [3, 0, 0, 0],
        (rules[0], "A"): [3, 0, 0, 3],
        (rules[1], "ERM"): [1, 4, 2, 0],
        (rules[1], "A"): [3, 0, 0, 1],
    }
    assert {key: summary.loc[key, columns].tolist() for key in expected} == expected
    few, some = (summary.loc[rule] for rule in rules[::-1])
    assert "nothing was tested" in conclusion(few, "ERM", "t")
    # Nor does a number of domains stand there on which nothing was compared.
    assert "3 domains" not in conclusion(few, "ERM", "t")
    assert "(3 domains" in conclusion(some, "ERM", "t")
    page = result.to_html(test="t")
    assert "ERM (1/3)" in page
    assert "a held-out domain with a seed: ERM (4)." in page
    assert "<h2>Fits that failed: 2</h2>" in page
    assert "x and y, seed 0" in page


def test_the_order_of_seeds_is_no_difference():
    seeds = {"ERM": [0.1, 0.2, 0.3], "same": [0.3, 0.2, 0.1], "better": [0.2, 0.3, 0.4]}
    rows = {
        Fit(name, (d,), s, 0): row(0.5, [score])
        for name, scores in seeds.items()
        for d in range(6)
        for s, score in enumerate(scores)
    }
    result = StudyResult(rows, np.arange(6), list(seeds), ["oracle"], "accuracy")
    for test in ("wilcoxon", "t"):
        summary = result.summary(test=test).loc["oracle"]
        assert summary["rank"].to_dict() == {"ERM": 2.5, "same": 2.5, "better": 1.0}
        assert (summary["se_domains"] == 0).all()
        assert summary.loc["same", ["gain", "p"]].tolist() == [0.0, 1.0]
        # All six are the same, so that Student has nothing to go by.
        assert summary.loc["better", "p"] == pytest.approx(2 / 2**6, rel=1e-12)
