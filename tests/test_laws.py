# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Laws that hold whatever the method, for every estimator of the registry.

A new estimator is covered by its line there. Where a law does not hold by design, the
tables below say so, by the name of the method.
"""

import numpy as np
import pytest
import torch

import skdg
from skdg._registry import ESTIMATORS
from skdg._training.estimators import NetworkEstimator

# Parameters that weigh a penalty, and what the history calls that penalty.
WEIGHTS = {
    "penalty_weight": "penalty",
    "gamma": "penalty",
    "bottleneck_weight": "bottleneck",
}
# Their penalty looks into each domain by itself, so one domain has it as well.
WITHIN_DOMAINS = {"IRM", "IBERM", "IBIRM", "SpectralDecoupling"}
# The weight before `penalty_anneal_iters`, unless a smaller one follows; 0 for others.
WHILE_ANNEALING = {"IRM": 1.0, "IBIRM": 1.0, "VREx": 1.0}
# What they draw at random goes to domains by their order: another order, another draw.
DRAWS_BY_DOMAIN = {"Fish", "Mixup", "CausIRL", "DANN", "CDANN"}
# What they draw at random goes to rows.
DRAWS_BY_ROW = {"Mixup", "CausIRL"}
# What they make of a domain depends on its number of rows: they add up the losses of
# all rows (support vector machines, anchor regression, the learner of DomainRobust),
# weigh the rows of a class (CDANN), estimate a covariance without bias (CORAL) or test
# hypotheses (InvariantCausalPrediction).
COUNTS_ROWS = {"MultiTaskLinear", "Anchor", "DomainRobust", "CDANN", "CORAL"}
COUNTS_ROWS |= {"InvariantCausalPrediction"}
# Parameters with which no statistic of the rows is taken for a constant.
SETTINGS = {"MMD": {"bandwidth": "published"}}

NAMES = list(ESTIMATORS)
NETWORKS = [name for name in NAMES if issubclass(getattr(skdg, name), NetworkEstimator)]
PENALIZED = [
    name for name in NETWORKS if set(WEIGHTS) & set(getattr(skdg, name)().get_params())
]
LABELS = np.array(["m", "z", "a"])


def method(name):
    """The name of a method, the same for classification and regression."""
    for ending in ("Classifier", "Regressor", "Regression", "SVC", "SVR"):
        name = name.removesuffix(ending)
    return name


def except_for(names, *tables):
    """Leave out the methods for which a law does not hold."""
    return [name for name in names if not any(method(name) in t for t in tables)]


def erm_like(name):
    """The name of ERM for the same task."""
    return "ERM" + name[len(method(name)) :]


def weights_of(model):
    """The parameters of a model that weigh a penalty."""
    return [name for name in WEIGHTS if name in model.get_params()]


def make_model(name, **kw):
    """Make an estimator; parameters that it does not have are left out."""
    model = getattr(skdg, name)()
    kw = {"hidden_layer_sizes": (4,), "activation": "tanh", "random_state": 0} | kw
    kw = {"max_iter": 15, "batch_size": None} | kw
    known = model.get_params()
    return model.set_params(**{k: v for k, v in kw.items() if k in known})


def wants_classes(name):
    return getattr(skdg, name)().__sklearn_tags__().estimator_type != "regressor"


def make_data(name, n=36, n_classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X, groups = rng.normal(size=(n, 3)), rng.integers(0, 3, n)
    signal = X @ [1.0, -1.0, 0.5] + 0.5 * groups + 0.3 * rng.normal(size=n)
    if wants_classes(name):
        edges = np.quantile(signal, np.arange(1, n_classes) / n_classes)
        return X, np.digitize(signal, edges), groups
    return X, signal, groups


X_NEW = np.random.default_rng(1).normal(size=(20, 3))


def response(model):
    """What a fitted model says of new rows, before it is rounded to a class."""
    for name in ("decision_function", "predict_proba", "predict", "transform"):
        if hasattr(model, name):
            return getattr(model, name)(X_NEW)
    raise AssertionError(f"{type(model).__name__} says nothing of new rows")


def assert_same_model(name, model, other):
    """Compare to rounding; solvers with a tolerance of their own, to theirs."""
    rtol = 1e-8 if name in NETWORKS else 1e-5
    a, b = response(model), response(other)
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max())


def assert_same_bits(model, other):
    np.testing.assert_array_equal(response(model), response(other))
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(model, name), getattr(other, name), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("hidden", [(), (4,)], ids=len)
@pytest.mark.parametrize("name", PENALIZED)
def test_weight_0_is_erm_bit_for_bit(name, hidden, batch_size, n_classes):
    X, y, groups = make_data(name, n_classes=n_classes)
    kw = {"hidden_layer_sizes": hidden, "batch_size": batch_size}
    model = make_model(name, **kw)
    model.set_params(**dict.fromkeys(weights_of(model), 0.0))
    model.fit(X, y, groups=groups)
    baseline = make_model(erm_like(name), **kw).fit(X, y, groups=groups)
    assert_same_bits(model, baseline)
    # A penalty that is not at work is not in the history.
    assert set(model.history_) == {"risk"}
    np.testing.assert_array_equal(model.history_["risk"], baseline.history_["risk"])


@pytest.mark.parametrize("name", PENALIZED)
def test_each_weight_matters(name):
    X, y, groups = make_data(name)
    baseline = make_model(erm_like(name)).fit(X, y, groups=groups)
    for weight in weights_of(make_model(name)):
        others = dict.fromkeys(weights_of(make_model(name)), 0.0)
        model = make_model(name, **(others | {weight: 0.1}))
        model.fit(X, y, groups=groups)
        assert set(model.history_) == {"risk", WEIGHTS[weight]}
        assert model.history_[WEIGHTS[weight]].shape == (15,)
        assert np.abs(response(model) - response(baseline)).max() > 1e-5


@pytest.mark.parametrize("weight", [0.5, 4.0])
@pytest.mark.parametrize(
    "name",
    [n for n in PENALIZED if hasattr(getattr(skdg, n)(), "penalty_anneal_iters")],
)
def test_weight_while_annealing(name, weight):
    X, y, groups = make_data(name)
    weights = dict.fromkeys(weights_of(make_model(name)), weight)
    model = make_model(name, **weights, penalty_anneal_iters=15)
    before = min(weight, WHILE_ANNEALING.get(method(name), 0.0))
    expected = make_model(erm_like(name))
    if before:
        others = dict.fromkeys(weights, 0.0)
        expected = make_model(name, **(others | {"penalty_weight": before}))
    assert_same_model(
        name, model.fit(X, y, groups=groups), expected.fit(X, y, groups=groups)
    )


@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("name", NAMES)
def test_renaming_domains_changes_nothing(name, batch_size):
    X, y, groups = make_data(name)
    kw = {"batch_size": batch_size}
    model = make_model(name, **kw).fit(X, y, groups=groups)
    renamed = make_model(name, **kw).fit(X, y, groups=LABELS[groups])
    assert renamed.domains_.tolist() == sorted(LABELS)
    if name not in NETWORKS:
        assert_same_model(name, renamed, model)
        return
    assert_same_bits(renamed, model)
    for key, values in model.history_.items():
        expected = values[:, np.argsort(LABELS)] if values.ndim == 2 else values
        np.testing.assert_array_equal(renamed.history_[key], expected)


@pytest.mark.parametrize("name", except_for(NAMES, DRAWS_BY_ROW))
def test_order_of_rows_within_domains_does_not_matter(name):
    X, y, groups = make_data(name)
    model = make_model(name).fit(X, y, groups=groups)
    rng, order = np.random.default_rng(2), np.arange(len(X))
    for domain in range(3):
        own = np.flatnonzero(groups == domain)
        order[own] = rng.permutation(own)
    other = make_model(name).fit(X[order], y[order], groups=groups)
    assert_same_model(name, other, model)


@pytest.mark.parametrize("name", except_for(NAMES, DRAWS_BY_DOMAIN, DRAWS_BY_ROW))
def test_order_of_domains_does_not_matter(name):
    X, y, groups = make_data(name)
    model = make_model(name).fit(X, y, groups=groups)
    for order in ([2, 0, 1], [1, 2, 0]):
        rows = np.concatenate([np.flatnonzero(groups == e) for e in order])
        other = make_model(name).fit(X[rows], y[rows], groups=groups[rows])
        assert_same_model(name, other, model)
        if name in NETWORKS:
            np.testing.assert_allclose(
                other.history_["risk"], model.history_["risk"], rtol=1e-8
            )


# Of the way that ERM would go, Fish goes a part.
@pytest.mark.parametrize("name", except_for(NETWORKS, {"Fish"}))
@pytest.mark.filterwarnings("ignore::skdg.SingleDomainWarning")
def test_one_domain_has_nothing_between_domains(name):
    X, y, _ = make_data(name)
    model = make_model(name)
    model.set_params(**dict.fromkeys(weights_of(model), 0.5)).fit(X, y)
    baseline = make_model(erm_like(name)).fit(X, y)
    if method(name) in WITHIN_DOMAINS:
        assert all(model.history_[WEIGHTS[w]].all() for w in weights_of(model))
        assert np.abs(response(model) - response(baseline)).max() > 1e-5
    else:
        assert all(not model.history_[WEIGHTS[w]].any() for w in weights_of(model))
        assert_same_model(name, model, baseline)


@pytest.mark.parametrize("copies", [2, 5])
@pytest.mark.parametrize("name", except_for(NAMES, DRAWS_BY_ROW, COUNTS_ROWS))
def test_repeating_all_rows_of_a_domain_changes_nothing(name, copies):
    X, y, groups = make_data(name)
    kw = SETTINGS.get(method(name), {})
    model = make_model(name, **kw).fit(X, y, groups=groups)
    times = np.where(groups == groups[0], copies, 1)
    other = make_model(name, **kw).fit(
        *(values.repeat(times, axis=0) for values in (X, y)),
        groups=groups.repeat(times),
    )
    assert_same_model(name, other, model)


class Recorder:
    """Stand in for an optimizer: keep the gradient, leave the parameters."""

    def apply(self, gradient, scale=1.0):
        self.gradient, self.scale = gradient.clone(), scale


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("hidden", [(), (4,)], ids=len)
@pytest.mark.parametrize("weight", [0.3, 4.0])
@pytest.mark.parametrize("name", PENALIZED)
def test_step_agrees_with_finite_differences(name, weight, hidden, n_classes):
    X, y, groups = make_data(name, n_classes=n_classes)
    model = make_model(
        name, hidden_layer_sizes=hidden, **SETTINGS.get(method(name), {})
    )
    weights = dict.fromkeys(weights_of(model), weight)
    model.set_params(**weights)
    sample_weight = np.random.default_rng(3).uniform(0.5, 2.0, len(X))
    encoded = model._encode_domains(X, groups)
    data = model._validate(X, y, sample_weight, *encoded)
    network = model._make_network(data, None, np.random.RandomState(0), 0)
    rng = np.random.default_rng(4)
    start = torch.tensor(rng.normal(scale=0.7, size=len(network.parameters)))

    def advance(parameters):
        """Return the objective and its gradient, as one step of training has them."""
        network.parameters.copy_(parameters)
        step, recorder = model._make_step(np.random.RandomState(5)), Recorder()
        record = step.advance(network, data.rows, data.targets.loss, recorder, 0)
        assert torch.equal(network.parameters, parameters)
        assert len(step.penalty_names) == len(weights)
        total = record.risks.mean() + weight * sum(record.penalties)
        return recorder.scale * total.item(), recorder.gradient

    _, gradient = advance(start)
    for _ in range(8):
        direction = torch.tensor(rng.normal(size=len(start)))
        direction /= direction.norm()
        (up, _), (down, _) = (advance(start + s * direction) for s in (1e-5, -1e-5))
        expected = (up - down) / 2e-5
        np.testing.assert_allclose(
            gradient @ direction, expected, rtol=1e-6, atol=1e-7 * gradient.norm()
        )
