# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import itertools
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import t as student

from skdg.study._statistics import (
    best_test,
    holm,
    mean_ranks,
    paired_test,
    rounded,
    standard_error,
)


def signed_rank_by_enumeration(differences):
    """Two-sided p of the signed-rank statistic over all signs, ties shared."""
    sizes = [abs(d) for d in differences]
    # Twice the mean rank of those of one size: a whole number.
    ranks = [sum((s < own) * 2 + (s == own) for s in sizes) + 1 for own in sizes]
    observed = sum(r for r, d in zip(ranks, differences, strict=True) if d > 0)
    all_sums = [
        sum(r for r, sign in zip(ranks, signs, strict=True) if sign)
        for signs in itertools.product([0, 1], repeat=len(ranks))
    ]
    lower = np.mean(np.array(all_sums) <= observed)
    upper = np.mean(np.array(all_sums) >= observed)
    return min(1.0, 2 * min(lower, upper))


@pytest.mark.parametrize("n", [2, 5, 9])
def test_signed_rank_test_against_all_signs(n):
    differences = np.random.default_rng(n).normal(0.4, 1.0, size=n)
    assert paired_test(differences, "wilcoxon") == pytest.approx(
        signed_rank_by_enumeration(differences), rel=1e-12
    )


def test_differences_of_zero_do_not_count():
    some = np.array([0.3, -0.1, 0.2, 0.0, 0.5, 0.0])
    assert paired_test(some, "wilcoxon") == pytest.approx(
        signed_rank_by_enumeration(some[some != 0]), rel=1e-12
    )
    assert paired_test(np.zeros(4), "wilcoxon") == 1.0
    assert paired_test(np.zeros(4), "t") == 1.0


def test_student_by_the_formula():
    d = np.array([0.1, 0.3, -0.05, 0.2])
    statistic = d.mean() / (d.std(ddof=1) / 2)
    p = 2 * student.sf(abs(statistic), 3)
    assert paired_test(d, "t") == pytest.approx(p, rel=1e-12)


@pytest.mark.parametrize("n", [2, 3, 6])
@pytest.mark.parametrize("noise", [0.0, 2.0**-53])
def test_without_a_spread_student_is_the_sign_test(n, noise):
    same = np.full(n, 0.05)
    same[0] += noise
    # All signs agree: two outcomes of 2^n.
    assert paired_test(same, "t") == pytest.approx(2 / 2**n, rel=1e-15)
    assert paired_test(-same, "t") == pytest.approx(2 / 2**n, rel=1e-15)


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_the_order_of_a_sum_is_no_difference(size):
    one = size * np.mean([[0.1, 0.2, 0.3]] * 6, axis=1)
    other = size * np.mean([[0.3, 0.2, 0.1]] * 6, axis=1)
    assert (one != other).all()
    for test in ("wilcoxon", "t"):
        assert paired_test(one - other, test, size=size) == 1.0
    np.testing.assert_array_equal(mean_ranks(np.array([one, other])), [1.5, 1.5])


@pytest.mark.parametrize("seed", range(5))
def test_rounding_hides_no_tie_of_differences(seed):
    # Scores are fractions of 20 rows, so many differences are the same.
    rng = np.random.default_rng(seed)
    ones, others = rng.integers(8, 20, size=(2, 9)).tolist()
    exact = [Fraction(a - b, 20) for a, b in zip(ones, others, strict=True)]
    p = signed_rank_by_enumeration([d for d in exact if d])
    floats = np.divide(ones, 20) - np.divide(others, 20)
    assert len(set(np.abs(floats))) > len({abs(d) for d in exact})
    assert paired_test(floats, "wilcoxon") == pytest.approx(p, rel=1e-12)


def test_ties_by_hand():
    d = [0.3 - 0.2, 0.4 - 0.3, 0.5 - 0.4, 0.6 - 0.5, 0.7 - 0.6, 0.8 - 0.7, -0.1]
    # Of 2^7 outcomes 8 have one sign or none against the others, on either side.
    assert paired_test(d, "wilcoxon") == pytest.approx(2 * 8 / 2**7, rel=1e-12)


def test_small_differences_that_are_real_count():
    a = np.array([[0.5, 0.6, 0.7], [0.5, 0.6, 0.7]])
    a[1] += 1e-11
    np.testing.assert_array_equal(mean_ranks(a), [2.0, 1.0])
    # One model without bounds hides nothing of what is between the others.
    wild = np.vstack([a, [[-1e30, -1e20, 0.1]]])
    np.testing.assert_array_equal(mean_ranks(wild), [2.0, 1.0, 3.0])


def test_too_few_domains_have_no_test():
    assert np.isnan(paired_test(np.array([0.3]), "wilcoxon"))
    assert np.isnan(standard_error([0.3]))


def test_standard_error_by_hand():
    # Deviations -1, 0, 1: variance 1, over 3 values.
    assert standard_error([1.0, 2.0, 3.0]) == pytest.approx(1 / np.sqrt(3), rel=1e-15)
    # numpy finds a spread of 5.6e-17 here.
    assert standard_error([0.3, 0.3, 0.3]) == 0.0


def test_holm_by_hand():
    # Times 4, 3, 2, 1 in order of size, never less than the one before, at most 1.
    found = holm([0.02, 0.01, np.nan, 0.6, 0.03])
    np.testing.assert_allclose(found, [0.06, 0.04, np.nan, 0.6, 0.06], rtol=1e-12)
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("n_tests", [1, 2, 8, 30])
def test_ranks_are_taken_where_they_can_find_something(n_tests):
    for n_domains in range(2, 14):
        clear = paired_test(np.arange(1.0, n_domains + 1), "wilcoxon")
        smallest = min(holm([clear] * n_tests))
        expected = "wilcoxon" if smallest < 0.05 else "t"
        assert best_test(n_domains, n_tests) == expected


def test_ranks_by_hand():
    scores = np.array([[0.9, 0.5, np.nan], [0.9, 0.7, 0.1], [0.2, 0.6, 0.3]])
    np.testing.assert_allclose(
        mean_ranks(scores), [(1.5 + 3 + 3) / 3, (1.5 + 1 + 2) / 3, (3 + 2 + 1) / 3]
    )


def test_infinite_values_stay_as_they_are():
    found = rounded([-np.inf, 0.1, np.nan, np.inf], 1.0)
    np.testing.assert_allclose(found, [-np.inf, 0.1, np.nan, np.inf], rtol=1e-9)
    assert np.isnan(standard_error([1.0, -np.inf, 2.0]))
