# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Estimators as dataclasses inherit parameters, constraints and documentation."""

import copy
import inspect
import re
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import pytest
from numpydoc.docscrape import FunctionDoc
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    validate_parameter_constraints,
)

import skdg
from skdg._dataclass import estimator
from skdg._registry import ESTIMATORS
from skdg.base import DomainEstimator


@estimator
class Shared(DomainEstimator):
    """What all share, in words that only its own page shows.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty.

    max_iter : int, default=10
        Number of iterations,
        on two lines.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Weights.

    Notes
    -----
    Notes on what is shared.
    """

    alpha: float = 1.0
    max_iter: int = 10

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }


@estimator
class _Method(Shared):
    """Half of a method.

    Parameters
    ----------
    gamma : float, default=0.5
        Weight of the agreement.

    max_iter : int, default=20
        Number of meta-iterations.

    Notes
    -----
    Notes on the method.
    """

    gamma: float = 0.5
    max_iter: int = 20

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "gamma": [Interval(Real, 0, 1, closed="both")],
    }


@estimator
class Method(ClassifierMixin, _Method):
    """The method.

    Parameters
    ----------
    classes : str or None, default=None
        How classes are treated.

    Attributes
    ----------
    classes_ : ndarray
        The classes.

    Examples
    --------
    >>> 1 + 1
    2
    """

    classes: str | None = None

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "classes": [str, None],
        "alpha": [Interval(Real, 0, 1, closed="both")],
    }


def test_parameters_are_the_fields_along_the_class_tree():
    assert Method().get_params() == {
        "alpha": 1.0,
        "classes": None,
        "gamma": 0.5,
        "max_iter": 20,
    }
    assert Shared().get_params() == {"alpha": 1.0, "max_iter": 10}


def test_what_is_particular_comes_first_in_the_signature():
    first, *between, last = inspect.signature(Method).parameters
    assert (first, last) == ("classes", "alpha")
    assert set(between) == {"gamma", "max_iter"}
    assert list(inspect.signature(Shared).parameters) == ["alpha", "max_iter"]


def test_parameters_are_keyword_only():
    with pytest.raises(TypeError, match="positional"):
        Method(1.0)
    with pytest.raises(TypeError, match="beta"):
        Method(beta=1.0)


def test_values_are_stored_as_they_are():
    value = [object()]
    assert Method(classes=value).classes is value


def test_the_class_itself_is_returned_and_stays_an_estimator():
    assert Method.__name__ == "Method"
    assert issubclass(Method, BaseEstimator)
    assert repr(Method(gamma=0.25)) == "Method(gamma=0.25)"
    with config_context(print_changed_only=False):
        shown = repr(Method())
    for text in ("alpha=1.0", "classes=None", "gamma=0.5", "max_iter=20"):
        assert text in shown


def test_estimators_are_compared_and_hashed_by_identity():
    one, two = Method(), Method()
    assert one != two
    assert len({one, two}) == 2


def test_clone_and_copy():
    model = Method(gamma=0.1, classes="all")
    assert clone(model).get_params() == model.get_params()
    assert copy.deepcopy(model).get_params() == model.get_params()


def test_constraints_are_merged_and_the_nearest_class_wins():
    constraints = Method._parameter_constraints
    assert constraints.keys() == {"alpha", "classes", "gamma", "max_iter"}
    for params in ({"alpha": 2.0}, {"gamma": 2.0}, {"max_iter": 0}, {"classes": 1}):
        (name,) = params
        with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of Meth"):
            validate_parameter_constraints(
                constraints, Method(**params).get_params(), "Method"
            )
    # What a class narrows stays wide in its base, whose dictionary is its own.
    validate_parameter_constraints(Shared._parameter_constraints, {"alpha": 2.0}, "S")
    assert Shared._parameter_constraints.keys() == {"alpha", "max_iter"}


def test_documentation_is_completed_from_the_bases():
    doc = FunctionDoc(Method)
    assert doc["Summary"] == ["The method."]
    order = list(inspect.signature(Method).parameters)
    assert [entry.name for entry in doc["Parameters"]] == order
    described = {entry.name: " ".join(entry.desc) for entry in doc["Parameters"]}
    assert described["max_iter"] == "Number of meta-iterations."
    assert described["alpha"] == "Weight of the penalty."
    types = {entry.name: entry.type for entry in doc["Parameters"]}
    assert types["max_iter"] == "int, default=20"
    names = [entry.name for entry in doc["Attributes"]]
    of_base = {"domains_", "n_domains_", "n_features_in_", "feature_names_in_"}
    assert set(names) == {"coef_", "classes_", *of_base}
    assert len(names) == 6
    # Of a whole section, the nearest.
    assert doc["Notes"] == ["Notes on the method."]
    assert doc["Examples"] == [">>> 1 + 1", "2"]


def test_examples_of_another_class_are_none_of_its_own():
    @estimator
    class Derived(Method):
        """Another method."""

    doc = FunctionDoc(Derived)
    assert doc["Summary"] == ["Another method."]
    assert doc["Notes"] == ["Notes on the method."]
    assert not doc["Examples"]


def test_an_entry_on_several_lines_is_kept_whole():
    doc = FunctionDoc(Shared)
    described = {entry.name: entry.desc for entry in doc["Parameters"]}
    assert described["max_iter"] == ["Number of iterations,", "on two lines."]


def test_a_private_class_keeps_the_docstring_that_was_written():
    assert inspect.cleandoc(_Method.__doc__).startswith("Half of a method.")
    assert "alpha" not in _Method.__doc__


def test_a_section_stands_once():
    for title in ("Parameters", "Attributes", "Notes", "Examples"):
        assert len(re.findall(rf"^{title}\n-+$", Method.__doc__, re.MULTILINE)) == 1


# The public estimators


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_parameter_has_a_constraint_its_default_meets(name):
    cls = getattr(skdg, name)
    params = cls().get_params(deep=False)
    assert cls._parameter_constraints.keys() == params.keys()
    validate_parameter_constraints(cls._parameter_constraints, params, name)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_defaults_are_documented_as_they_are(name):
    cls = getattr(skdg, name)
    documented = {}
    for entry in FunctionDoc(cls)["Parameters"]:
        (default,) = re.findall(r"default=(.+)$", entry.type)
        documented[entry.name] = default
    signature = inspect.signature(cls).parameters
    assert list(documented) == list(signature)
    for parameter, text in documented.items():
        default = signature[parameter].default
        shown = eval(text, {"np": np})  # written as Python
        assert shown == default, parameter
        assert type(shown) is type(default), parameter


@pytest.mark.parametrize("name", ESTIMATORS)
def test_parameters_are_keyword_only_and_in_the_html(name):
    cls = getattr(skdg, name)
    kinds = {p.kind for p in inspect.signature(cls).parameters.values()}
    # As in scikit-learn, a meta-estimator may be given its estimator by position.
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert kinds - {inspect.Parameter.KEYWORD_ONLY} <= {positional}
    for parameter in inspect.signature(cls).parameters.values():
        assert (parameter.kind == positional) == (parameter.name == "estimator")
    html = cls()._repr_html_()
    for parameter in cls().get_params(deep=False):
        assert parameter in html


@pytest.mark.parametrize("name", ESTIMATORS)
def test_fitted_attributes_are_documented(name):
    cls = getattr(skdg, name)
    quick = {"hidden_layer_sizes": (), "max_iter": 2}
    known = cls().get_params(deep=False)
    model = cls(**{key: value for key, value in quick.items() if key in known})
    rng = np.random.RandomState(0)
    X, groups = rng.normal(size=(30, 3)), np.arange(30) % 3
    y = X[:, 0] if name.endswith(("Regressor", "SVR")) else (X[:, 0] > 0).astype(int)
    model.fit(X, y, groups=groups)
    public = {
        key for key in vars(model) if key.endswith("_") and not key.startswith("_")
    }
    assert public - known.keys() <= {e.name for e in FunctionDoc(cls)["Attributes"]}
