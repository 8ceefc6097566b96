# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Every public estimator passes all of scikit-learn's checks, in two modes."""

import json
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from sklearn.utils._param_validation import (
    InvalidParameterError,
    generate_invalid_param_val,
    make_constraint,
)
from sklearn.utils.estimator_checks import check_estimator

import skdg
from skdg._registry import ESTIMATORS

# The checks pass no groups.
pytestmark = pytest.mark.filterwarnings(
    "ignore::skdg.exceptions.SingleDomainWarning",
    # Checks of scikit-learn itself warn, for example about what they skip.
    "ignore::sklearn.exceptions.SkipTestWarning",
    "ignore::sklearn.exceptions.EstimatorCheckFailedWarning",
    "ignore::sklearn.exceptions.DataConversionWarning",
)

# scipy reads the variable when it is imported, hence a process of its own, which each
# worker keeps for all estimators. Networks train for 40 iterations in this mode, since
# neither routing nor the array API depends on how long they train.
_ARRAY_API = """
import json, sys, warnings
warnings.simplefilter("ignore")
from sklearn import set_config
from sklearn.utils.estimator_checks import check_estimator
import skdg
set_config(enable_metadata_routing=True)
names = ("check_name", "status", "exception")
for line in sys.stdin:
    estimator = getattr(skdg, line.strip())()
    if estimator.get_params().get("max_iter") == "auto":
        estimator.set_params(max_iter=40)
    results = check_estimator(estimator, on_fail=None)
    print(json.dumps([[str(result[name]) for name in names] for result in results]))
    sys.stdout.flush()
"""


@pytest.fixture(scope="session")
def array_api_process():
    with subprocess.Popen(
        [sys.executable, "-c", _ARRAY_API],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.stdin.close()


def run_checks(name):
    results = check_estimator(getattr(skdg, name)(), on_fail=None)
    return [(r["check_name"], r["status"], str(r["exception"])) for r in results]


# Checks of array API input are among those of the second mode, for all estimators.
@pytest.mark.parametrize("mode", ["routing off", "routing on, SCIPY_ARRAY_API=1"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_all_checks_pass(name, mode, record_property, array_api_process):
    if mode == "routing off":
        results = run_checks(name)
    else:
        print(name, file=array_api_process.stdin, flush=True)
        results = json.loads(array_api_process.stdout.readline())
    counts = Counter(status for _, status, _ in results)
    skips = sorted({f"{c}: {e}" for c, status, e in results if status == "skipped"})
    record_property(
        "scikit-learn checks", {"mode": mode, "counts": dict(counts), "skips": skips}
    )
    problems = [
        f"{check} {status}: {exception}"
        for check, status, exception in results
        if status not in ("passed", "skipped")
    ]
    assert not problems, "\n".join(problems)
    assert counts["passed"] > 40
    # The one check that is skipped runs where the variable is set.
    assert counts["skipped"] == (mode == "routing off")


@pytest.mark.parametrize("name", ESTIMATORS)
def test_each_parameter_is_validated(name):
    estimator = getattr(skdg, name)()
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(20, 3)), rng.randint(2, size=20)
    constraints = estimator._parameter_constraints
    assert constraints.keys() == estimator.get_params(deep=False).keys()
    for parameter, allowed in constraints.items():
        values = [object()]
        for constraint in map(make_constraint, allowed):
            try:
                values.append(generate_invalid_param_val(constraint))
            except NotImplementedError:
                continue
        for value in values:
            # Invalid for one constraint, a value may satisfy another.
            if any(make_constraint(c).is_satisfied_by(value) for c in allowed):
                continue
            wrong = getattr(skdg, name)(**{parameter: value})
            with pytest.raises(InvalidParameterError, match=f"'{parameter}' parameter"):
                wrong.fit(X, y)
