# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""The driver of the published experiments, and a small part of each of them."""

import csv
import types

import numpy as np
import pytest
from sklearn.svm import LinearSVR

from benchmarks.reproduce import EXPERIMENTS, _driver, _pages, _tables
from benchmarks.reproduce.__main__ import main
from benchmarks.reproduce._driver import Job, Options
from benchmarks.reproduce._unit_test_methods import irm_sets


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """An experiment whose measure is its seed, and which can be told to fail."""
    module = types.SimpleNamespace(
        TITLE="A toy",
        SOURCE="nobody",
        MEASURES={"value": "value", "other": "other"},
        PUBLISHED={("one", "A"): {"value": (1.0, 0.5)}},
        ran=[],
        fails_at=None,
    )
    module.jobs = lambda scale: [
        Job("one", method, seed) for seed in range(3) for method in ("A", "B")
    ]

    def run(job, options):
        if job == module.fails_at:
            raise RuntimeError("stopped here")
        module.ran.append(job)
        measures = {"value": job.seed + (job.method == "B") * 10.0}
        return measures | ({"other": 0.5} if job.method == "B" else {})

    module.run = run
    monkeypatch.setattr(_driver, "load", lambda name: module)
    monkeypatch.setattr(_tables, "load", lambda name: module)
    monkeypatch.setattr(_driver, "RESULTS", tmp_path / "results")
    return module


QUICK = Options("quick")


def test_every_finished_job_is_on_disk_when_one_fails(toy):
    toy.fails_at = Job("one", "B", 1)
    with pytest.raises(RuntimeError, match="stopped here"):
        list(_driver.run("toy", QUICK))
    assert list(_driver.read("toy", "quick")) == toy.jobs("quick")[:3]


def test_resumed_results_are_those_of_an_undisturbed_run(toy):
    list(_driver.run("toy", QUICK))
    undisturbed = _driver.read("toy", "quick")
    toy.fails_at = Job("one", "A", 2)
    with pytest.raises(RuntimeError):
        list(_driver.run("toy", QUICK))
    assert len(_driver.read("toy", "quick")) == 4
    toy.fails_at, toy.ran = None, []
    steps = list(_driver.run("toy", QUICK, resume=True))
    assert toy.ran == toy.jobs("quick")[4:]
    assert [step[:2] for step in steps] == [(5, 6), (6, 6)]
    assert _driver.read("toy", "quick") == undisturbed


def test_rows_are_in_the_order_of_the_jobs(toy):
    list(_driver.run("toy", QUICK))
    file = _driver.results_file("toy", "quick")
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    list(_driver.run("toy", QUICK, resume=True))
    rows = list(csv.DictReader(file.read_text().splitlines()))
    jobs = [Job(r["setting"], r["method"], int(r["seed"])) for r in rows]
    assert list(dict.fromkeys(jobs)) == toy.jobs("quick")


def test_a_line_has_mean_deviation_and_what_was_published(toy):
    list(_driver.run("toy", QUICK))
    a, b = _tables.lines("toy", "quick")
    assert a == ("one", "A", 3, [("1.0 ± 1.0", "1.0 ± 0.5"), ("", "")])
    assert b == ("one", "B", 3, [("11.0 ± 1.0", ""), ("0.5 ± 0", "")])


def test_jobs_that_run_at_once_differ_in_their_seeds_alone(toy):
    batches = []

    def run_together(jobs, options):
        batches.append(jobs)
        return [toy.run(job, options) for job in jobs]

    list(_driver.run("toy", QUICK))
    one_by_one = _driver.read("toy", "quick")
    toy.N_TOGETHER, toy.run_together = 2, run_together
    steps = list(_driver.run("toy", QUICK))
    a, b = ([Job("one", method, seed) for seed in range(3)] for method in "AB")
    assert batches == [a[:2], b[:2], a[2:], b[2:]]
    assert [step[:2] for step in steps] == [(2, 6), (4, 6), (5, 6), (6, 6)]
    assert _driver.read("toy", "quick") == one_by_one


@pytest.mark.parametrize("name", [n for n in EXPERIMENTS if n != "school"])
def test_networks_are_trained_on_the_device_of_the_command_line(name):
    # The device is refused by the first network that is to be trained there.
    module = _driver.load(name)
    methods = ("ERM", "IRM")
    job = next(job for job in module.jobs("quick") if job.method in methods)
    elsewhere = Options("quick", device="no device")
    with pytest.raises(ValueError, match="no device"):
        _driver.measures_of(module, [job], elsewhere)


def test_draws_beside_others_are_those_by_themselves():
    module = _driver.load("irm-sem")
    jobs = [Job("FEU", "IRM", seed) for seed in range(3)]
    together = module.run_together(jobs, QUICK)
    for job, ours in zip(jobs, together, strict=True):
        (alone,) = module.run_together([job], QUICK)
        assert ours == pytest.approx(alone, rel=1e-5)


def test_an_unknown_experiment_is_refused_by_name(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["reproduce", "colored-mnits"])
    with pytest.raises(SystemExit):
        main()
    assert "no experiment is called 'colored-mnits'" in capsys.readouterr().err


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_was_published_belongs_to_what_is_run(name):
    module = _driver.load(name)
    run = {(job.setting, job.method) for job in module.jobs("paper")}
    assert set(module.PUBLISHED) <= run
    for measures in module.PUBLISHED.values():
        assert set(measures) <= set(module.MEASURES)
    for scale in ("quick", "paper"):
        jobs = module.jobs(scale)
        assert len(set(jobs)) == len(jobs)


@pytest.fixture
def options(tmp_path):
    """Quick runs; a small table of the form of the school data, which do not ship."""
    rng = np.random.default_rng(0)
    file = tmp_path / "school.npz"
    X = rng.standard_normal((72, 3))
    groups = np.repeat(np.arange(6), 12)
    np.savez(file, X=X, y=X[:, 0] + rng.standard_normal(72) + groups, groups=groups)
    return Options("quick", school=file)


def test_data_that_are_needed_are_asked_for(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["reproduce", "school"])
    with pytest.raises(SystemExit):
        main()
    assert "school needs --school FILE" in capsys.readouterr().err
    module = _driver.load("school")
    with pytest.raises(ValueError, match="pass --school FILE"):
        module.run(module.jobs("quick")[0], QUICK)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_another_seed_gives_other_numbers(name, options):
    module = _driver.load(name)
    first = module.jobs("quick")[0]
    other = next(
        job for job in module.jobs("quick")[1:] if job == first._replace(seed=job.seed)
    )
    (ours,), (theirs,), (again,) = (
        _driver.measures_of(module, [job], options) for job in (first, other, first)
    )
    assert set(ours) <= set(module.MEASURES)
    assert all(np.isfinite(list(ours.values())))
    assert ours == again
    assert ours != theirs


@pytest.mark.parametrize("method", ["ERM", "IDGM", "Fish"])
def test_fish_linear_gives_the_published_accuracies(method):
    module = _driver.load("fish-linear")
    ours = module.run(Job(module.EXACT, method, 0), QUICK)
    for measure in ("seen", "unseen"):
        published, _ = module.PUBLISHED[module.EXACT, method][measure]
        assert ours[measure] == pytest.approx(published)


def test_erm_tends_to_the_log_odds_of_the_first_feature():
    module = _driver.load("fish-linear")
    gaps = []
    for iterations in (300, 3000, 10_000):
        ours = module.run(Job(f"{iterations} iterations", "ERM", 0), QUICK)
        gaps.append(ours["first"] + ours["offset"] - np.log(3 / 7))
    assert gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[2] < 0.1


@pytest.mark.filterwarnings("ignore::skdg.exceptions.SingleDomainWarning")
def test_the_pooled_machine_of_the_schools_is_one_machine():
    module = _driver.load("school")
    rng = np.random.default_rng(0)
    X, C = rng.standard_normal((40, 2)), 0.3
    y = X @ [1.0, -2.0] + rng.standard_normal(40)
    same = np.zeros(40)
    ours = module.make_svr(C, "pooled", 2).fit(X, y, groups=same)
    one = LinearSVR(
        C=C, epsilon=module.EPSILON, fit_intercept=False, tol=1e-10, max_iter=10**6
    ).fit(X, y)
    predicted = ours.predict(X, groups=same)
    np.testing.assert_allclose(predicted, one.predict(X), atol=1e-5)


def test_the_readme_has_what_the_results_give():
    readme = _pages.README.read_text(encoding="utf-8")
    assert _pages.with_evidence(readme) == readme


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_results_are_those_of_all_jobs(name):
    assert _pages.scales(name) == ["paper", "quick"]
    for scale in _pages.scales(name):
        values = _driver.read(name, scale)
        assert set(values) == set(_driver.load(name).jobs(scale))
        assert all(np.isfinite(list(own.values())).all() for own in values.values())


def test_steps_cost_what_they_are_meant_to():
    with (_driver.RESULTS / "step_cost.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["aim"]]
    assert len(rows) == 15
    assert not {r["method"] for r in rows if float(r["ratio"]) > float(r["aim"])}


def test_schools_are_explained_as_well_as_published():
    module, results = _driver.load("school"), _driver.read("school", "paper")
    found = [
        measures["explained"]
        for job, measures in results.items()
        if (job.setting, job.method) == (module.LEAST_SQUARES, "selected")
    ]
    assert len(found) == 10
    assert np.mean(found) >= max(m["explained"][0] for m in module.PUBLISHED.values())


def test_the_scales_of_the_schools_are_the_nearest():
    module = _driver.load("school")
    with (_driver.RESULTS / "school_scales.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    nearest = min(rows, key=lambda row: float(row["root mean square"]))
    assert (nearest["features"], nearest["train"]) == ("standardized", "0.75")
    assert [nearest[power] for power in "pqr"] == ["-1", "0", "0"]
    scales = float(nearest["shared"]), float(nearest["own"])
    assert scales == (module.SHARED, module.OWN)


def test_a_page_has_each_line_of_the_results_and_what_explains_them(monkeypatch, toy):
    toy.__doc__ = "A toy.\n\nWhat it is.\n"
    list(_driver.run("toy", QUICK))
    monkeypatch.setattr(_pages, "load", lambda name: toy)
    monkeypatch.setattr(_pages, "files_with_results", lambda: {"toy_quick.csv"})
    page = _pages.page("toy")
    assert page.startswith("A toy\n=====\n\nWhat it is.\n\nPublished: nobody.\n")
    assert "6 runs of" in page
    assert "--scale quick" in page
    assert "paper" not in page
    # The other measure was not published, and has no column for it.
    table = page.split(":widths: auto\n\n")[1]
    cells = [line[7:] for line in table.splitlines() if line]
    header = ["setting", "method", "runs", "value", "published", "other"]
    first = ["one", "A", "3", "1.0 ± 1.0", "1.0 ± 0.5", ""]
    assert cells == [*header, *first, "one", "B", "3", "11.0 ± 1.0", "", "0.5 ± 0"]


def test_irm_is_as_published_in_the_unit_tests_with_the_authors_sets():
    # The smallest weights and their step sizes, as the page has them.
    sets = [(own["penalty_weight"], own["learning_rate_init"]) for own in irm_sets(3)]
    found = np.array(sorted(sets)[:4])
    np.testing.assert_allclose(found[:, 0], [6, 21, 24, 27], atol=0.5)
    np.testing.assert_allclose(found[:2, 1], [1.6e-4, 1.2e-4], rtol=0.05)
    assert sets[0] == (pytest.approx(27.0), 1e-3)
    values = _driver.read("linear-unit-tests", "paper")
    errors = [
        measures["selected"]
        for job, measures in values.items()
        if job[:2] == ("Example1, 3 domains", "IRM")
    ]
    assert len(errors) == 10
    assert abs(np.mean(errors) - 11.15) < 2 * np.std(errors) / np.sqrt(10)


def test_the_page_has_what_an_offset_in_the_penalty_does():
    with (_driver.RESULTS / "unit_test_offsets.csv").open(encoding="utf-8") as file:
        rows = {tuple(row.values())[:6]: row for row in csv.DictReader(file)}
    assert len(rows) == 32

    def cell(problem, n_domains, dummy, *protocol, name="error"):
        return rows[problem, n_domains, dummy, *protocol][name]

    published = ("as they are", "as published", "10000")
    standardized = ("standardized", "as published", "10000")
    pairs = [
        [cell(problem, "10", *own) for problem in ("Example3", "Example3s")]
        for own in (
            ("affine", *published),
            ("scalar", *published),
            ("affine", "as they are", "0", "10000"),
        )
    ]
    (plain, scrambled), (plain_alone, scrambled_alone), without_decay = pairs
    departures = {
        cell(problem, "10", "affine", *published, name="departure")
        for problem in ("Example3", "Example3s")
    }
    three = cell("Example3", "3", "affine", *published)
    scaled = cell("Example3", "3", "affine", *standardized)
    page = " ".join(_driver.load("linear-unit-tests").__doc__.split())
    for claim in (
        f"the error is {plain} with the offset and {plain_alone} without, on Example "
        f"3s {scrambled} and {scrambled_alone}, published 0.014 for both",
        f"Without any decay it is {without_decay[0]} and {without_decay[1]}.",
        f"until the probabilities are {departures.pop()} from a half",
        f"With three domains the error is {three} there",
        f"on standardized features it is {scaled},",
    ):
        assert claim in page
    assert not departures  # both are alike
    assert plain == scrambled == "0.014"
