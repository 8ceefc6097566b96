# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
from scipy import stats

from skdg.study._compare import Outcome
from skdg.study._measures import MEASURES
from skdg.study._verdict import _with_error, verdict

RMSE = MEASURES["regression"]["rmse"]
ACCURACY = MEASURES["classification"]["accuracy"]
BASELINES = ["Dummy", "HistGradientBoosting"]


def outcomes(**scores):
    return [
        Outcome(method, domain, 0.0, unseen, 0.0)
        for method, values in scores.items()
        for domain, unseen in zip("abcdefg", values, strict=False)
    ]


def say(measure=RMSE, **scores):
    return verdict(outcomes(**scores), measure, BASELINES)


def test_clear_gain():
    sentence = say(
        ERM=[10.0, 11, 12, 13],
        HistGradientBoosting=[9.0, 10, 11.2, 12],
        IRM=[7.0, 8, 9.1, 10],
        Fish=[9.0, 9, 9, 9],
    )
    # Gains: 3, 3, 2.9, 3 over ERM, and 2, 2, 2.1, 2 over boosting.
    assert sentence == (
        "IRM, the best of 2 methods on unseen domains, is better than ERM by 2.975 ± "
        "0.025 and better than gradient boosting by 2.025 ± 0.025 in RMSE (mean over 4 "
        "domains ± its standard error): more than chance explains, on this table and "
        "this split."
    )


def test_gain_that_varies_too_much():
    sentence = say(
        ERM=[10.0, 11, 12], HistGradientBoosting=[10.0, 11, 12], IRM=[5.0, 12, 11]
    )
    gain = np.array([5.0, -1, 1])
    error = stats.sem(gain)
    assert f"by {gain.mean():.1f} ± {error:.1f}" in sentence
    assert sentence.endswith("too little, or too uneven, to tell from chance.")


def test_no_gain():
    sentence = say(
        measure=ACCURACY,
        ERM=[0.8, 0.7],
        HistGradientBoosting=[0.9, 0.9],
        IRM=[0.81, 0.72],
    )
    assert sentence.startswith("No method beat both ERM and gradient boosting: IRM on")
    assert "better than ERM by 0.0150 ± 0.0050" in sentence
    assert "worse than gradient boosting by 0.135 ± 0.045" in sentence


def test_more_methods_need_more_evidence():
    rng = np.random.default_rng(0)
    gain = 1 + 1.3 * rng.normal(size=7)
    t = gain.mean() / stats.sem(gain)
    few, many = (stats.t.ppf(1 - 0.025 / m, 6) for m in (1, 20))
    assert few < t < many  # so the number of methods decides
    erm = np.full(7, 10.0)
    alone = say(ERM=erm, IRM=erm - gain)
    others = {f"M{i}": erm + 1 for i in range(19)}
    among = say(ERM=erm, IRM=erm - gain, **others)
    assert "more than chance" in alone
    assert "to tell from chance" in among


def test_methods_that_failed_somewhere_do_not_compete():
    found = outcomes(ERM=[2.0, 3.0], IRM=[1.9, 2.8], Fish=[0.1])
    found.append(Outcome("Fish", "b", error="ValueError: no"))
    assert verdict(found, RMSE, BASELINES).startswith("IRM on unseen domains is better")


@pytest.mark.parametrize(
    "scores",
    [
        {"ERM": [1.0, 2.0], "HistGradientBoosting": [1.0, 2.0]},
        {"IRM": [1.0, 2.0], "Fish": [1.0, 2.0]},
        {},
    ],
)
def test_nothing_to_compare(scores):
    assert say(**scores) == ""


def test_one_rival():
    sentence = say(ERM=[1.0, 2.0], IRM=[1.5, 2.5])
    assert sentence.startswith("No method beat ERM: IRM on unseen domains is worse")


EQUAL = [0.7, 0.75, 0.8, 0.65, 0.5, 0.55]


@pytest.mark.parametrize(
    ("n_domains", "others", "claim"),
    # All signs agree in 2 of 2^n outcomes: 0.5, 0.0625 and, for one method and for two
    # of them together, 0.03125 and 0.0625.
    [(2, {}, False), (5, {}, False), (6, {}, True), (6, {"Fish": EQUAL}, False)],
)
def test_gains_without_a_spread_count_by_their_signs(n_domains, others, claim):
    erm = EQUAL[:n_domains]
    better = [score + 0.05 for score in erm]
    sentence = say(measure=ACCURACY, ERM=erm, IRM=better, **others)
    assert "is better than ERM by 0.0500 ± 0.0000 in accuracy" in sentence
    assert ("more than chance explains" in sentence) == claim
    assert ("to tell from chance" in sentence) != claim


def test_the_order_of_a_sum_is_no_gain():
    sentence = say(measure=ACCURACY, ERM=[0.1 + 0.2, 0.6], IRM=[0.3, 0.1 + 0.2 + 0.3])
    assert sentence.startswith("No method beat ERM: IRM on unseen domains is the same")


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.05, 1e-9, "0.0500000 ± 0.0000000"),
        (0.0123, 0.0041, "0.0123 ± 0.0041"),
        (1.5e-7, 2e-8, "0.000000150 ± 0.000000020"),
        (0.0, 0.012, "0.000 ± 0.012"),
        (1234.5, 0.0, "1234 ± 0"),
        (26818.2, 310.0, "26818 ± 310"),
    ],
)
def test_no_more_decimals_than_mean_something(value, error, text):
    assert _with_error(value, error) == text
