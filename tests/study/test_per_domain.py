# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression

from skdg.study._per_domain import PerDomainClassifier, PerDomainRegressor

GROUPS = np.array(["a", "b", "a", "b", "b", "a", "a", "b"])
X = np.array([[0.0], [0.0], [1.0], [1.0], [2.0], [2.0], [4.0], [5.0]])
SLOPES = {"a": 2.0, "b": -3.0}
Y = 1.0 + np.array([SLOPES[g] for g in GROUPS]) * X[:, 0]


def test_each_domain_has_its_own_line_and_others_the_mean_line():
    model = PerDomainRegressor(LinearRegression()).fit(X, Y, groups=GROUPS)
    np.testing.assert_allclose(model.predict(X, groups=GROUPS), Y, atol=1e-12)
    np.testing.assert_allclose(model.predict(X), 1.0 - 0.5 * X[:, 0], atol=1e-12)
    some = model.predict([[2.0], [2.0], [2.0]], groups=["b", "new", "a"])
    np.testing.assert_allclose(some, [-5.0, 0.0, 5.0], atol=1e-12)


def test_probabilities_are_means_of_those_of_domains_and_one_class_is_an_answer():
    y = np.where(GROUPS == "b", "blue", np.where(X[:, 0] > 1, "red", "blue"))
    model = PerDomainClassifier(LogisticRegression()).fit(X, y, groups=GROUPS)
    assert model.classes_.tolist() == ["blue", "red"]
    alone = LogisticRegression().fit(X[GROUPS == "a"], y[GROUPS == "a"])
    red = alone.predict_proba(X)[:, 1]
    own = model.predict_proba(X, groups=GROUPS)[:, 1]
    np.testing.assert_allclose(own, np.where(GROUPS == "a", red, 0.0))
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], red / 2)
    assert model.predict(X, groups=GROUPS).tolist() == y.tolist()
    assert set(model.predict(X)) == {"blue"}  # no more than half a vote for red
