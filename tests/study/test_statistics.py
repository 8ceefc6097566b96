# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import itertools

import numpy as np
import pytest
from scipy.stats import t as student

from skdg.study._statistics import holm, mean_ranks, paired_test, standard_error


def signed_rank_by_enumeration(differences):
    """Two-sided p of the signed-rank statistic over all signs; no ties."""
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    observed = ranks[differences > 0].sum()
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
    assert paired_test(np.array([0.25, 0.25]), "t") == 0.0


def test_too_few_domains_have_no_test():
    assert np.isnan(paired_test(np.array([0.3]), "wilcoxon"))
    assert np.isnan(standard_error([0.3]))


def test_standard_error_by_hand():
    # Deviations -1, 0, 1: variance 1, over 3 values.
    assert standard_error([1.0, 2.0, 3.0]) == pytest.approx(1 / np.sqrt(3), rel=1e-15)


def test_holm_by_hand():
    # Times 4, 3, 2, 1 in order of size, never less than the one before, at most 1.
    found = holm([0.02, 0.01, np.nan, 0.6, 0.03])
    np.testing.assert_allclose(found, [0.06, 0.04, np.nan, 0.6, 0.06], rtol=1e-12)
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_ranks_by_hand():
    scores = np.array([[0.9, 0.5, np.nan], [0.9, 0.7, 0.1], [0.2, 0.6, 0.3]])
    np.testing.assert_allclose(
        mean_ranks(scores), [(1.5 + 3 + 3) / 3, (1.5 + 1 + 2) / 3, (3 + 2 + 1) / 3]
    )
