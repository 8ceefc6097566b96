# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The structural equation model of invariant risk minimization, in eight settings.

How far estimated coefficients are from the truth, on the causes of the target and on
its effects. F and P: the causes are fully or partially observed; O and E: the noise of
the target is the same in all environments, or not; U and S: features are unscrambled or
scrambled by a rotation.

* "least squares" on the rows of all three environments.
* "ICP": invariant causal prediction at level 0.05, least squares on the features in all
  accepted sets. If all sets are rejected the coefficients are 0, and the causal error
  is 1. The authors leave the empty set out.
* "IRM": one recipe for all settings. A linear model on all three environments, the
  scalar form of the penalty, and the weight 200. Targets have a mean square of 1, so
  that weights count in units of it: on the targets as they are it would be about 1.4
  to 2. Weight and number of iterations were found by looking at the errors on draws
  with other seeds.
* "IRM, selected": trained on the first two environments, with the weight (0, which is
  ERM, 10, 100 or 1000) of the lowest mean squared error on the third. The truth is not
  looked at. Errors are above the published ones in every setting.
* "IRM, reweighted": trained like "IRM", with the weight 100, and then three times more,
  on rows divided by the root mean square residual that the last fit leaves in their
  environment. Weight and number of fits were found as for "IRM".
* "IRM, bootstrapped": the point with the least sum of distances from the coefficients
  of 16 fits of 800 iterations with the weight 600, each to rows drawn with replacement
  within the environments. Weight and numbers were found as for "IRM".

The model of the simulation has no intercept, but the estimators of skdg have one.
Features are therefore made orthogonal, with a mean square of a million, and the step
size is 1e-4: to the coefficients this is a step size of 0.1 on features of mean square
1, while the intercept hardly moves from 0. Nothing is centered. None of this changes
what is best, only how soon it is found.

The scalar form of the penalty and everything around it do not change when features are
rotated, so that for "IRM" each scrambled setting is the same problem as the other one
and their results differ by the draws. With homoskedastic noise errors have a long tail:
of the 20 draws at scale "quick" one is above least squares, the largest four make up
nearly half of the mean, and the median is two thirds of it. The scalar penalty asks one
equation of ten coefficients in each environment, and a little noise in these moves the
solution far. It is the same from any start, and a larger weight makes it worse. The
published linear form, with a matrix under a vector of ones, asks ten equations. Fits to
bootstrap samples scatter around the solution without noise, and the tail of their
center is shorter.

Why "IRM, selected" is above what was published: ``benchmarks/irm_sem_original.py`` runs
the published protocol, in the linear form and from the identity. It gives the published
errors, and two things differ.

* With heteroskedastic noise (E) the third environment, which has the most noise, takes
  the smallest penalty on offer in every draw. Here that is 0. The published smallest
  one is nine times the risk; with least squares added the published protocol has errors
  of 0.44 to 0.45, as here. What was published is what this choice costs: the same
  protocol with 999 times the risk and no choice has causal errors of 0.01 to 0.02.
* With homoskedastic noise (O) it is the form of the penalty. With the scalar one the
  published protocol has causal errors of 0.006 for FOU and 0.026 for POU in place of
  0.003 and 0.016, about as here. From a random matrix in place of the identity they are
  0.005 and 0.021: Adam gets to other solutions from there, and where the penalty is
  nearly all of the objective it does not arrive.

With heteroskedastic noise the risk in an environment grows with the square of its
noise, and the penalty with the fourth power, so that the third environment decides.
Division by the residuals makes them equal.

The published numbers are means over 200 repetitions. Repetitions are splits of one
batched search, and train side by side.
"""

import warnings

import numpy as np
from sklearn import config_context
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error
from sklearn.utils import resample

from benchmarks.reproduce._driver import Job, Measures, Options
from skdg import InvariantCausalPrediction, IRMRegressor
from skdg.datasets import irm_sem_errors, make_irm_sem
from skdg.model_selection import BatchedGridSearchCV

TITLE = "Structural equation models: errors of coefficients"
SOURCE = "Arjovsky, Bottou, Gulrajani and Lopez-Paz (2019), Figure 3"
MEASURES = {"causal": "causal error", "non_causal": "non-causal error"}

WEIGHT = 200.0
WEIGHTS = [0.0, 10.0, 100.0, 1000.0]
REWEIGHTED_WEIGHT = 100.0
N_FITS = 4
BOOTSTRAP_WEIGHT = 600.0
N_BOOTSTRAP = 16
SCALE = 1000.0
FIRST_SEED = 1000
N_REPETITIONS = {"quick": 20, "paper": 200}
# Repetitions whose fits are made side by side.
N_TOGETHER = 40

_MEANS = {
    "FOU": {
        "least squares": (0.0091, 0.0090),
        "ICP": (0.020, 0.00001),
        "IRM": (0.0029, 0.0024),
    },
    "FOS": {
        "least squares": (0.0092, 0.0090),
        "ICP": (0.846, 0.0011),
        "IRM": (0.0042, 0.0035),
    },
    "FEU": {
        "least squares": (0.821, 0.821),
        "ICP": (1.0, 0.804),
        "IRM": (0.256, 0.333),
    },
    "FES": {
        "least squares": (0.823, 0.822),
        "ICP": (0.986, 0.103),
        "IRM": (0.257, 0.333),
    },
    "POU": {
        "least squares": (0.0190, 0.0179),
        "ICP": (0.970, 0.0),
        "IRM": (0.0152, 0.0142),
    },
    "POS": {
        "least squares": (0.0203, 0.0182),
        "ICP": (1.0, 0.0),
        "IRM": (0.0190, 0.0159),
    },
    "PEU": {"least squares": (0.774, 0.774), "ICP": (1.0, 0.0), "IRM": (0.215, 0.340)},
    "PES": {"least squares": (0.779, 0.774), "ICP": (1.0, 0.0), "IRM": (0.220, 0.340)},
}
PUBLISHED = {
    (setting, method): dict(zip(MEASURES, [(mean, None) for mean in pair], strict=True))
    for setting, methods in _MEANS.items()
    for method, pair in methods.items()
}
PUBLISHED |= {
    (setting, method): PUBLISHED[setting, "IRM"]
    for setting in _MEANS
    for method in ("IRM, selected", "IRM, reweighted", "IRM, bootstrapped")
}


def least_squares(tables, device):
    return [LinearRegression(fit_intercept=False).fit(X, y).coef_ for X, y, _ in tables]


def icp(tables, device):
    model = InvariantCausalPrediction(fit_intercept=False)
    with warnings.catch_warnings():
        # That no set is accepted; the error shows it.
        warnings.simplefilter("ignore", UserWarning)
        return [model.fit(*table).coef_ for table in tables]


def irm(tables, device):
    return irm_coefs(tables, [WEIGHT], device=device)[:, 0]


def irm_selected(tables, device):
    seen = [first_two(table) for table in tables]
    found = irm_coefs(seen, WEIGHTS, device=device)
    return [
        min(coefs, key=lambda coef: third_error(coef, table))
        for coefs, table in zip(found, tables, strict=True)
    ]


def first_two(table):
    """Return the rows of the first two environments."""
    seen = table[-1] != np.unique(table[-1])[-1]
    return [part[seen] for part in table]


def third_error(coef, table):
    """Return the mean squared error on the third environment."""
    X, y, groups = table
    third = groups == np.unique(groups)[-1]
    return mean_squared_error(y[third], X[third] @ coef)


def irm_reweighted(tables, device):
    scaled = tables
    for _ in range(N_FITS):
        found = irm_coefs(scaled, [REWEIGHTED_WEIGHT], device=device)[:, 0]
        scaled = [
            in_units_of_residuals(coef, table)
            for coef, table in zip(found, tables, strict=True)
        ]
    return found


def in_units_of_residuals(coef, table):
    """Return rows divided by the root mean square residual of their environment."""
    X, y, groups = table
    _, own, n_rows = np.unique(groups, return_inverse=True, return_counts=True)
    unit = np.sqrt(np.bincount(own, (y - X @ coef) ** 2) / n_rows)[own]
    return X / unit[:, None], y / unit, groups


def irm_bootstrapped(tables, device):
    samples = [
        resample(*table, stratify=table[-1], random_state=sample)
        for table in tables
        for sample in range(N_BOOTSTRAP)
    ]
    coefs = irm_coefs(samples, [BOOTSTRAP_WEIGHT], (100, 800), device)
    return [geometric_median(own) for own in np.split(coefs[:, 0], len(tables))]


def irm_coefs(tables, weights, n_iterations=(150, 1500), device="cpu"):
    """Return coefficients for each table and weight; all fits are made side by side."""
    Xs, ys, backs = zip(*(prepare(X, y) for X, y, _ in tables), strict=True)
    ends = np.cumsum([len(X) for X in Xs])
    n_before, max_iter = n_iterations
    model = IRMRegressor(
        hidden_layer_sizes=(),
        # Nearly least squares first: from 0 the weight would not find its way out.
        penalty_anneal_iters=n_before,
        alpha=0.0,
        normalize_y=False,
        learning_rate_init=0.1 / SCALE,
        batch_size=None,
        max_iter=max_iter,
        device=device,
    )
    # A split is a table; its score is what was found.
    search = BatchedGridSearchCV(
        model,
        {"penalty_weight": weights},
        cv=[(own, own) for own in np.split(np.arange(ends[-1]), ends[:-1])],
        scoring=coefficients,
        refit=False,
        error_score="raise",
    )
    groups = np.concatenate([own for *_, own in tables])
    with config_context(enable_metadata_routing=True):
        search.fit(np.concatenate(Xs), np.concatenate(ys), groups=groups)
    found = search.cv_results_
    return np.array(
        [
            back @ [found[f"split{split}_test_{k}"] for k in range(len(back))]
            for split, back in enumerate(backs)
        ]
    ).swapaxes(1, 2)


def coefficients(model, X, y):
    """Return the coefficients by number, in the form of scores."""
    return {str(number): value for number, value in enumerate(model.coef_)}


def prepare(X, y):
    """Return features and target to train on, and what turns coefficients back."""
    to_new = SCALE * np.linalg.inv(np.linalg.qr(X, mode="r") / np.sqrt(len(X)))
    unit = np.sqrt(np.mean(y**2))
    return X @ to_new, y / unit, to_new * unit


def geometric_median(points):
    """Return the point with the least sum of distances, by Weiszfeld's iterations."""
    center = np.median(points, axis=0)
    for _ in range(100):
        distances = np.linalg.norm(points - center, axis=1)
        center = np.average(points, axis=0, weights=1.0 / (distances + 1e-12))
    return center


METHODS = {
    "least squares": least_squares,
    "ICP": icp,
    "IRM": irm,
    "IRM, selected": irm_selected,
    "IRM, reweighted": irm_reweighted,
    "IRM, bootstrapped": irm_bootstrapped,
}
HEADLINES = [(s, m) for s in ("FEU", "FOU") for m in METHODS]
HEADLINE_MEASURES = list(MEASURES)


def jobs(scale: str) -> list[Job]:
    """Return every setting, method and seed."""
    seeds = range(FIRST_SEED, FIRST_SEED + N_REPETITIONS[scale])
    methods = [m for m in METHODS if scale == "paper" or m != "IRM, selected"]
    return [Job(s, m, seed) for s in _MEANS for m in methods for seed in seeds]


def run_together(jobs: list[Job], options: Options) -> list[Measures]:
    """Return both errors of each draw."""
    drawn = [
        make_irm_sem(job.setting, return_coef=True, random_state=job.seed)
        for job in jobs
    ]
    found = METHODS[jobs[0].method]([own[:3] for own in drawn], options.device)
    errors = [
        irm_sem_errors(coef, *truth)
        for coef, (_, _, _, *truth) in zip(found, drawn, strict=True)
    ]
    return [dict(zip(MEASURES, own, strict=True)) for own in errors]
