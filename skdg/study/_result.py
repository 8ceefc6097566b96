# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""What came out of a study."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support

from skdg.study._frame import frame_of_failures, frame_of_fits
from skdg.study._statistics import (
    holm,
    mean_ranks,
    paired_test,
    rounded,
    standard_error,
    typical_size,
)

if TYPE_CHECKING:
    import pandas as pd

    from skdg.study._fit import Fit

REFERENCE = "ERM"
RULES = ("training-domain", "leave-one-domain-out", "oracle")


class StudyResult:
    """What came out of :func:`run_study`.

    Parameters
    ----------
    rows : mapping of fit to dict
        What came out of each fit.

    domains : ndarray of shape (n_domains,)
        The labels of the domains.

    estimators : sequence of str
        Names of the estimators.

    rules : sequence of str
        The rules of selection.

    scoring : str
        Name of the score.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdg.datasets import make_fish_linear
    >>> from skdg.study import run_study
    >>> X, y, groups = make_fish_linear(random_state=0)
    >>> models = [LogisticRegression()]
    >>> with TemporaryDirectory() as folder:
    ...     result = run_study(models, X, y, groups, n_seeds=1, output=folder)
    >>> result.scoring
    'accuracy'
    >>> print(result.summary()[["in_domain", "unseen"]].round(2).to_string())
                                        in_domain  unseen
    rule            estimator
    training-domain LogisticRegression       0.95    0.57
    """

    def __init__(
        self,
        rows: "Mapping[Fit, Any]",
        domains: np.ndarray,
        estimators: Sequence[str],
        rules: Sequence[str],
        scoring: str,
    ) -> None:
        self._rows = rows
        self._domains = domains
        self._estimators = list(estimators)
        self._rules = list(rules)
        self.scoring = scoring

    def frame(self) -> "pd.DataFrame":
        """Return the table: one row for each rule and fit with one domain held out.

        Returns
        -------
        frame : DataFrame
            Columns:

            - rule, estimator, domain (the one held out), seed, candidate;
            - validation: the score by which the rule selects: a mean over the domains
              on which it is defined, and none if a fit for it failed;
            - in_domain: mean over the training domains of the score on rows that the
              fit did not see;
            - unseen: score on all rows of the held-out domain;
            - selected: whether the rule selects this candidate; the first of those that
              are equally good, and none if all failed;
            - uses_test_domain: whether the rule looks at the held-out domain, which is
              cheating;
            - seconds: time of `fit`, or a share of that of candidates that were trained
              side by side; parameters: those set; error: why there is no score, or
              none to select by, or empty.
        """
        frame = self._table()
        return frame.drop(columns=[n for n in frame.columns if n.startswith("_")])

    def failures(self) -> "pd.DataFrame":
        """Return the fits that failed, of all candidates: one row for each.

        Returns
        -------
        frame : DataFrame
            Columns: estimator, held_out (a tuple of the domains held out, two of them
            for the rule "leave-one-domain-out"), seed, candidate, parameters, error.
        """
        return frame_of_failures(self._rows, self._domains, self._estimators)

    def summary(
        self, *, reference: str = REFERENCE, test: str = "wilcoxon"
    ) -> "pd.DataFrame":
        """Sum up the selected candidates by rule and estimator, the best first.

        Parameters
        ----------
        reference : str, default="ERM"
            Name of the estimator to test the others against. If the study has no "ERM",
            there are no tests by default.

        test : {"wilcoxon", "t"}, default="wilcoxon"
            The paired test over held-out domains, two-sided: the signed-rank test, or
            Student's. The first assumes little, but its p-value over n domains is 2 /
            2^n at least, and is corrected for the number of estimators: with 5 domains
            it cannot come below 0.05, with 8 tests it needs 9.

        Returns
        -------
        summary : DataFrame
            Index: rule and estimator. Columns:

            - unseen: mean over held-out domains of the mean over seeds;
            - se_domains: its standard error over domains (of their means over seeds),
              as an estimate for other domains of this kind; nan for a single one;
            - se_seeds: its standard error over seeds (of their means over domains), as
              an estimate for these domains; nan for a single one;
            - worst, worst_domain: the worst domain's mean over seeds;
            - in_domain: as `unseen`, of the in-domain scores;
            - rank: mean over domains of the rank among the estimators, 1 the best, ties
              shared; an estimator without a score on a domain is last there;
            - gain: mean over domains of the difference to `reference`;
            - p, p_holm: of the test, and corrected for the number of estimators by
              Holm's method, within the rule;
            - n_tested: number of domains with a score of both, which these are from;
            - n_domains: number of domains with a score, which `unseen` is from;
            - n_unselected: number of held-out domains, each with each seed, for which
              no candidate was selected, since none has a score to select by;
            - n_failed: number of fits that failed, of all candidates, as listed by
              :meth:`failures`;
            - uses_test_domain: whether the rule is cheating.
        """
        import pandas as pd

        if test not in ("wilcoxon", "t"):
            raise ValueError(f"test must be 'wilcoxon' or 't', got {test!r}.")
        if reference not in (REFERENCE, *self._estimators):
            raise ValueError(
                f"There is no estimator {reference!r} to test the others against; "
                f"there are {', '.join(self._estimators)}."
            )
        frame, failed = self._table(), self.failures()
        n_out = failed["held_out"].map(len)
        parts = []
        for rule in self._rules:
            of_rule = frame[frame["rule"] == rule]
            chosen = of_rule[of_rule["selected"]]
            # Fits without two domains take part in one rule alone.
            own_failed = failed[(n_out == 1) | (rule == "leave-one-domain-out")]
            # One row for each estimator, one column for each domain.
            means = chosen.pivot_table(
                "unseen", "estimator", "_domain", aggfunc="mean", dropna=False
            ).reindex(index=self._estimators, columns=range(len(self._domains)))
            size = typical_size(means)
            ranks = mean_ranks(means.to_numpy(dtype=float))
            table: dict[str, dict[str, Any]] = {}
            for name, rank in zip(self._estimators, ranks, strict=True):
                own = chosen[chosen["estimator"] == name]
                values = means.loc[name].dropna()
                by_seed = own.groupby("seed")["unseen"].mean()
                every = of_rule[of_rule["estimator"] == name]
                cases = every.groupby(["_domain", "seed"])["selected"].any()
                table[name] = {
                    "unseen": values.mean(),
                    "se_domains": standard_error(values),
                    "se_seeds": standard_error(by_seed),
                    "worst": values.min(),
                    "worst_domain": self._domains[values.idxmin()]
                    if len(values)
                    else None,
                    "in_domain": own.groupby("_domain")["in_domain"].mean().mean(),
                    "rank": rank,
                    "gain": np.nan,
                    "p": np.nan,
                    "p_holm": np.nan,
                    "n_tested": 0,
                    "n_domains": len(values),
                    "n_unselected": int((~cases).sum()),
                    "n_failed": int((own_failed["estimator"] == name).sum()),
                    "uses_test_domain": rule == "oracle",
                }
            if reference in table:
                others = [name for name in self._estimators if name != reference]
                for name in others:
                    pairs = means.loc[[name, reference]].dropna(axis=1)
                    both = pd.Series(rounded(pairs.diff(-1).iloc[0], size))
                    table[name]["gain"] = both.mean()
                    if np.isfinite(pairs).all(axis=None):
                        table[name]["n_tested"] = len(both)
                        table[name]["p"] = paired_test(both, test, size=size)
                corrected = holm([table[name]["p"] for name in others])
                for name, value in zip(others, corrected, strict=True):
                    table[name]["p_holm"] = value
            part = pd.DataFrame.from_dict(table, orient="index")
            part = part.sort_values("unseen", ascending=False, kind="stable")
            part.index = pd.MultiIndex.from_product(
                [[rule], part.index], names=["rule", "estimator"]
            )
            parts.append(part)
        return pd.concat(parts)

    def plot(self, *, rule: str | None = None, ax: Any = None) -> Any:
        """Draw the scores of the selected candidates.

        Points are held-out domains, lines their means, and circles the mean in-domain
        scores. Errors, which scikit-learn scores by their negatives, are drawn as
        errors.

        Parameters
        ----------
        rule : str, default=None
            The rule of selection; None is the first of the study.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        ax : matplotlib Axes
            What was drawn on.
        """
        check_matplotlib_support("StudyResult.plot")
        import matplotlib.pyplot as plt

        from skdg.study._plot import draw

        if rule is not None and rule not in self._rules:
            raise ValueError(
                f"The study has no rule {rule!r}; it has {', '.join(self._rules)}."
            )
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        draw(ax, self.frame(), rule or self._rules[0], self.scoring)
        return ax

    def to_html(
        self,
        path: str | Path | None = None,
        *,
        reference: str = REFERENCE,
        test: str = "wilcoxon",
        description: Mapping[str, str] | None = None,
    ) -> str:
        """Return one page with all there is to see, which needs no other file.

        Parameters
        ----------
        path : str or path, default=None
            Where to write it as well.

        reference, test : str
            As in :meth:`summary`.

        description : mapping of str to str, default=None
            What the page says of the study at its top, such as where the table came
            from: labels and texts.

        Returns
        -------
        page : str
            The page. What comes from the user, such as names of domains, is escaped.
        """
        check_matplotlib_support("StudyResult.to_html")
        from skdg.study._html import page

        text = page(self, reference, test, description or {})
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def _table(self) -> "pd.DataFrame":
        """Return the frame, with positions to sort and group by."""
        return frame_of_fits(self._rows, self._domains, self._estimators, self._rules)
