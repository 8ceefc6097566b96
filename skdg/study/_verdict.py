# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""One sentence on whether any method helped."""

import math
from collections.abc import Hashable, Sequence

import numpy as np
from scipy.stats import t

from skdg.study._compare import Outcome
from skdg.study._measures import Measure
from skdg.study._methods import BOOSTING, ERM

_SPOKEN = {BOOSTING: "gradient boosting"}
_LEVEL = 0.05


def verdict(
    outcomes: Sequence[Outcome], measure: Measure, baselines: Sequence[str]
) -> str:
    """Say whether a method did better than ERM and gradient boosting on unseen domains.

    The domains are what was sampled, so a difference is judged by how it varies from
    domain to domain: it counts if it is larger than its standard error over domains
    times the quantile of the t distribution that keeps the chance of a false claim at 5
    percent, all methods taken together.

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
    critical = t.ppf(1 - _LEVEL / 2 / len(methods), len(domains) - 1)
    gains, convincing = [], []
    for rival in rivals:
        gain = [sign * (complete[best][d] - complete[rival][d]) for d in domains]
        mean = float(np.mean(gain))
        error = float(np.std(gain, ddof=1) / np.sqrt(len(gain)))
        gains.append((mean, error, _SPOKEN.get(rival, rival)))
        convincing.append(mean > critical * error)
    what = " and ".join(
        f"{'better' if mean >= 0 else 'worse'} than {rival} by "
        f"{_with_error(abs(mean), error)}"
        for mean, error, rival in gains
    )
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


def _with_error(value: float, error: float) -> str:
    """Write a value with as many decimals as its standard error gives a meaning to."""
    size = math.floor(math.log10(error)) if error > 0 else -2
    decimals = max(0, 1 - size)
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"
