# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""One sentence on whether any method helped."""

import math
from collections.abc import Hashable, Sequence

import numpy as np

from skdg.study._compare import Outcome
from skdg.study._measures import Measure
from skdg.study._methods import BOOSTING, ERM
from skdg.study._statistics import (
    LEVEL,
    paired_test,
    rounded,
    standard_error,
    typical_size,
)

_SPOKEN = {BOOSTING: "gradient boosting"}


def verdict(
    outcomes: Sequence[Outcome], measure: Measure, baselines: Sequence[str]
) -> str:
    """Say whether a method did better than ERM and gradient boosting on unseen domains.

    The domains are what was sampled, so a difference is judged by how it varies from
    domain to domain, by Student's paired test over domains. Its p-value, times the
    number of methods, has to be below 5 percent, which keeps the chance of a false
    claim at that, all methods taken together. Gains that are the same on all domains
    have no spread to be judged by, and count by the sign test.

    Parameters
    ----------
    outcomes : sequence of Outcome
        What came out.

    measure : Measure
        How it was scored.

    baselines : sequence of str
        Names of methods that know nothing of domains.

    Returns
    -------
    str
        The sentence, or an empty string if there is nothing to compare.
    """
    scores: dict[str, dict[Hashable, float]] = {}
    for outcome in outcomes:
        if not outcome.error:
            scores.setdefault(outcome.method, {})[outcome.domain] = outcome.unseen
    domains = sorted({outcome.domain for outcome in outcomes}, key=str)
    complete = {name: s for name, s in scores.items() if len(s) == len(domains)}
    rivals = [name for name in (ERM, BOOSTING) if name in complete]
    methods = [name for name in complete if name not in {ERM, *baselines}]
    if not rivals or not methods or len(domains) < 2:
        return ""

    sign = 1 if measure.greater_is_better else -1
    best = max(methods, key=lambda name: sign * np.mean(list(complete[name].values())))
    size = typical_size([[own[d] for d in domains] for own in complete.values()])
    gains, convincing = [], []
    for rival in rivals:
        differences = [sign * (complete[best][d] - complete[rival][d]) for d in domains]
        gain = rounded(differences, size)
        mean = float(np.mean(gain))
        gains.append((mean, standard_error(gain), _SPOKEN.get(rival, rival)))
        p = paired_test(gain, "t", size=size)
        convincing.append(mean > 0 and p * len(methods) < LEVEL)
    what = " and ".join(_comparison(*gain) for gain in gains)
    names = " and ".join(rival for _, _, rival in gains)
    sample = f"mean over {len(domains)} domains ± its standard error"
    best_of = (
        f", the best of {len(methods)} methods on unseen domains,"
        if len(methods) > 1
        else " on unseen domains"
    )
    facts = f"{best}{best_of} is {what} in {measure.label} ({sample})"
    if all(convincing):
        return f"{facts}: more than chance explains, on this table and this split."
    if all(mean > 0 for mean, _, _ in gains):
        return f"{facts}: too little, or too uneven, to tell from chance."
    both = "both " if len(gains) == 2 else ""
    return f"No method beat {both}{names}: {facts}."


def _comparison(gain: float, error: float, rival: str) -> str:
    if gain == 0 == error:
        return f"the same as {rival}"
    how = "better" if gain >= 0 else "worse"
    return f"{how} than {rival} by {_with_error(abs(gain), error)}"


def _with_error(value: float, error: float) -> str:
    """Write a value with as many decimals as its standard error gives a meaning to.

    That is two digits of the error, but no more than six of the larger of the two, and
    three of a value that has no error.
    """
    largest = math.floor(math.log10(max(value, error)))
    decimals = 2 - largest
    if error > 0:
        decimals = min(1 - math.floor(math.log10(error)), 5 - largest)
    decimals = max(0, decimals)
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"
