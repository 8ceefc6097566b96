# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import io
import json
from concurrent.futures import BrokenExecutor

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy.stats import ttest_rel

from skdg.study import StudyResult, main
from skdg.study._fit import Fit
from skdg.study._study_report import show_summary, study_progress
from skdg.study._words import digits

PRICE = ["--target", "price", "--domain", "region"]


@pytest.fixture
def study(mixed_csv, capsys, tmp_path):
    """Run the command in this process on the small table."""

    def run(
        *arguments, path=mixed_csv, names="ridge,erm", output=tmp_path / "out", jobs=1
    ):
        limits = ["--estimators", names, "--candidates", "2", "--seeds", "2"]
        folder = ["--output", str(output), "--jobs", str(jobs)]
        status = main(["study", str(path), *limits, *folder, *arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def frame_of(folder):
    # Missing scores and empty errors look the same in the file.
    return pd.read_csv(folder / "fits.csv", keep_default_na=False)


def test_a_study_from_a_file(study, mixed, tmp_path):
    status, out, err = study(*PRICE, "--drop", "dear")
    assert (status, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert any(line.startswith("Target price (regression, ") for line in lines)
    assert "Numeric size, rooms" in lines
    assert "Categorical color, new" in lines
    assert "Date sold" in lines
    assert "32 fits, 1 at a time." in lines
    assert any(line.startswith("32 of 32 fits done, 0:") for line in lines)
    assert any("passed, 0:00:00 left; last ERM without west" in line for line in lines)
    assert "RMSE (lower is better), by training-domain" in lines
    # The price is linear in the columns.
    assert "On unseen domains better than ERM by more than chance explains" in out

    folder = tmp_path / "out"
    frame = frame_of(folder)
    assert len(frame) == 2 * 4 * 2 * 2
    assert set(frame["domain"]) == {"north", "south", "east", "west"}
    summary = pd.read_csv(folder / "summary.csv", index_col=["rule", "estimator"])
    row = next(line.split() for line in lines if line.startswith("Ridge "))
    unseen = summary.loc[("training-domain", "Ridge"), "unseen"]
    assert float(row[1]) == pytest.approx(-unseen, rel=1e-3)
    chosen = frame[(frame["estimator"] == "Ridge") & frame["selected"]]
    assert len(chosen) == 8
    assert unseen == pytest.approx(pd.to_numeric(chosen["unseen"]).mean(), rel=1e-12)
    # Four domains are too few for ranks, so p is that of Student's test.
    assert summary.loc[("training-domain", "Ridge"), "p"] not in (0.125, 0.25)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<dt>Domains</dt><dd>region: east (40), north (40)" in page
    assert page.count("<img ") == 2


def test_three_estimators_on_six_domains_need_students_test(study, mixed, tmp_path):
    # Twice the smallest p of the signed-rank test, 2 / 2^6, is 0.0625.
    mixed["region"] = np.resize(list("abcdef"), 160)
    mixed.to_csv(tmp_path / "t.csv", index=False)
    names = "ridge,dummy,erm"
    assert study(*PRICE, path=tmp_path / "t.csv", names=names)[0] == 0
    frame = pd.read_csv(tmp_path / "out" / "fits.csv")
    chosen = frame[frame["selected"]].groupby(["estimator", "domain"])["unseen"].mean()
    summary = pd.read_csv(tmp_path / "out" / "summary.csv", index_col="estimator")
    for name in ("Ridge", "Dummy"):
        p = ttest_rel(chosen[name], chosen["ERM"]).pvalue
        assert summary.loc[name, "p"] == pytest.approx(p, rel=1e-9)


def test_classification_with_all_rules(study, tmp_path):
    status, out, _ = study(
        *("--target", "dear", "--domain", "region", "--drop", "price"),
        *("--selection", "training-domain,leave-one-domain-out,oracle"),
        *("--metric", "balanced_accuracy", "--seeds", "1"),
        names="dummy,logisticregression,perdomainlogisticregression,multitasklinearsvc",
    )
    assert status == 0
    assert "dear (classification, 2 classes: no, yes)" in out
    for rule in ("training-domain", "leave-one-domain-out", "oracle"):
        assert f"balanced accuracy (higher is better), by {rule}" in out
    assert out.count("CHEATING") == 1
    frame = frame_of(tmp_path / "out")
    assert set(frame["error"]) == {""}
    dummy = frame[frame["estimator"] == "Dummy"]
    assert set(dummy["unseen"].astype(float)) == {0.5}
    better = frame[frame["estimator"] == "LogisticRegression"]
    assert better["unseen"].astype(float).max() > 0.7


def test_domains_and_fits_that_are_missing_are_counted(study, tmp_path):
    # Bern has a single class, from which alone nothing can be learned.
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(size=120),
            "hospital": np.repeat(["Bern", "Chur", "Zug"], 40),
            "ill": rng.choice(["no", "yes"], size=120),
        }
    )
    frame.loc[frame["hospital"] == "Bern", "ill"] = "no"
    frame.to_csv(tmp_path / "t.csv", index=False)
    status, out, _ = study(
        *("--target", "ill", "--domain", "hospital", "--metric", "f1_macro"),
        *("--selection", "leave-one-domain-out,oracle", "--seeds", "1"),
        path=tmp_path / "t.csv",
        names="logisticregression,erm",
    )
    assert status == 0
    out = " ".join(out.split())
    first, second = out.split("by leave-one-domain-out ")[1].split(", by oracle")
    # Of the two candidates each without Chur and Zug failed.
    assert "LogisticRegression (1/3)" in first
    assert "LogisticRegression (2)" in first
    assert "(1/3)" not in second
    assert "failed, first without Chur and Zug: ValueError: " in out
    summary = pd.read_csv(tmp_path / "out" / "summary.csv", index_col=[0, 1])
    columns = ["n_domains", "n_unselected", "n_failed"]
    counts = {key: summary.loc[key, columns].tolist() for key in summary.index}
    assert counts["leave-one-domain-out", "LogisticRegression"] == [1, 2, 2]
    assert counts["oracle", "LogisticRegression"] == [3, 0, 0]


def test_interrupted_and_resumed_from_the_command_line(study, monkeypatch, tmp_path):
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert study(*PRICE, output=whole)[0] == 0
    write = Console.print

    def stop(self, *objects, **options):
        if objects and "3 of 32 fits" in str(objects[0]):
            raise KeyboardInterrupt
        return write(self, *objects, **options)

    monkeypatch.setattr("skdg.study._study_report._LOG_EVERY", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Console, "print", stop)
        status, out, err = study(*PRICE, output=part)
    assert (status, err) == (130, "")
    assert f"Stopped. 3 fits are kept in {part}" in out.replace("\n", " ")
    assert not (part / "fits.csv").exists()

    status, _, err = study(*PRICE, output=part)
    assert status == 2
    assert "holds a study already, with 3 fits done. Go on with it by --resume" in err
    status, _, err = study(*PRICE, "--metric", "mae", "--resume", output=part)
    assert status == 2
    assert "scoring (neg_root_mean_squared_error there, neg_mean_absolute_error" in err
    status, out, _ = study(*PRICE, "--resume", output=part, jobs=2)
    assert status == 0
    assert "32 fits, 2 at a time. 3 of them are done already." in out
    pd.testing.assert_frame_equal(
        frame_of(part).drop(columns="seconds"),
        frame_of(whole).drop(columns="seconds"),
        check_exact=True,
    )


def test_resume_of_nothing_starts(study, tmp_path):
    assert study(*PRICE, "--resume", names="dummy")[0] == 0
    manifest = json.loads((tmp_path / "out" / "study.json").read_text(encoding="utf-8"))
    assert list(manifest["estimators"]) == ["Dummy"]


@pytest.mark.parametrize(
    ("arguments", "change", "words"),
    [
        (["--target", "prise", "--domain", "region"], {}, "Did you mean 'price'?"),
        (["--target", "price", "--domain", "religion"], {}, "Did you mean 'region'?"),
        (PRICE, {"region": "north"}, "holds the single value 'north'"),
        (PRICE, {"region": ["lone"] * 3 + ["n"] * 80 + ["s"] * 77}, "--drop-small"),
        (PRICE, {"region": ["lone"] * 3 + ["n"] * 80 + ["s"] * 77}, "20 rows, too few"),
        (PRICE, {"region": np.arange(160) // 10}, "Is it the right column?"),
        (
            PRICE,
            {"price": [np.nan] * 5 + [1.5] * 155},
            "no value in 5 of 160 rows,",
        ),
        (PRICE, {"price": [np.nan] * 5 + [1.5] * 155}, "--drop-missing"),
        (PRICE, {"region": [None] + ["n", "s", "e"] * 53}, "first in row 1. Fill in"),
        (PRICE, {"price": 7.0}, "'price' is 7.0 in all rows"),
        ([*PRICE, "--selection", "best"], {}, "no rule of selection 'best'"),
        ([*PRICE, "--metric", "accuracy"], {}, "no metric for regression 'accuracy'"),
    ],
)
def test_mistakes(study, mixed, tmp_path, arguments, change, words):
    mixed.assign(**change).to_csv(tmp_path / "t.csv", index=False)
    status, out, err = study(*arguments, path=tmp_path / "t.csv")
    assert (status, out) == (2, "")
    assert err.startswith("python -m skdg: error: ")
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_rows_and_domains_are_left_out_when_told(study, mixed, tmp_path):
    mixed.loc[:4, "price"] = np.nan
    mixed.loc[mixed.index[-4:], "region"] = "tiny"
    mixed.to_csv(tmp_path / "t.csv", index=False)
    status, out, _ = study(
        *PRICE, "--drop-missing", "--drop-small", path=tmp_path / "t.csv", names="dummy"
    )
    assert status == 0
    assert "Note 5 of 160 rows left out, because price or region is missing." in out
    assert "Domains with fewer than 20 rows left out (1): tiny." in out


def test_a_folder_that_cannot_be_written(study, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    status, _, err = study(*PRICE, output=tmp_path / "file" / "out")
    assert status == 2
    assert "cannot write to" in err


def test_fits_of_an_unknown_study_are_refused(study, tmp_path):
    (tmp_path / "out" / "fits").mkdir(parents=True)
    (tmp_path / "out" / "fits" / "one.json").write_text("{}", encoding="utf-8")
    status, _, err = study(*PRICE, names="dummy")
    assert status == 2
    assert "study.json is missing or damaged" in err


def test_a_study_in_which_all_fails_says_so(study, monkeypatch, tmp_path):
    def fail(self, X, y, sample_weight=None):
        raise ArithmeticError("no [way]")

    monkeypatch.setattr("sklearn.linear_model.Ridge.fit", fail)
    status, out, err = study(*PRICE, names="ridge")
    assert status == 1
    assert "Ridge failed, first without east: ArithmeticError: no [way]" in out
    assert "no fit came to its end" in err


def test_processes_that_die_leave_what_is_done_and_a_word(study, monkeypatch, tmp_path):
    class Broken:
        def __init__(self, **options):
            pass

        def __call__(self, tasks):
            function, arguments, options = next(iter(tasks))
            yield function(*arguments, **options)
            raise BrokenExecutor

    monkeypatch.setattr("skdg.study._schedule.Parallel", Broken)
    with pytest.warns(RuntimeWarning, match="A worker was lost"):
        status, _, err = study(*PRICE, "--seeds", "1", names="dummy")
    assert status == 0  # each time one fit came to its end
    assert err == ""

    class Dead(Broken):
        def __call__(self, tasks):
            raise BrokenExecutor

    monkeypatch.setattr("skdg.study._schedule.Parallel", Dead)
    status, _, err = study(*PRICE, names="dummy", output=tmp_path / "dead")
    assert status == 2
    assert "a worker process died, perhaps for want of memory" in err
    assert "0 fits are kept" in err


def test_progress_on_a_terminal_tells_each_fit_and_the_time_left():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    row = {"estimator": "[ERM]", "held_out": ["north"], "seed": 0, "candidate": 3}
    with study_progress(console, 2) as callback:
        callback(4, 10, None)
        callback(5, 10, row)
    shown = screen.getvalue()
    assert "[ERM] without north, seed 0, candidate 3" in shown
    assert "5/10" in shown
    assert "left:" in shown


@pytest.mark.parametrize("width", [80, 110])
def test_no_digit_is_cut_off_where_there_is_little_room(width):
    names = ["MultiTaskLinearRegressor", "ERM"]
    rows = {
        Fit(name, (d,), seed, 0): {
            "in_domain": -10000.0 - d,
            "unseen": [-20000.0 - 7 * d - seed - 10 * place],
            "seconds": 1.0,
            "parameters": {},
            "error": "",
        }
        for place, name in enumerate(names)
        for d in range(6)
        for seed in range(2)
    }
    domains = np.array([f"a domain of some length, {d}" for d in range(6)])
    scoring = "neg_root_mean_squared_error"
    result = StudyResult(rows, domains, names, ["training-domain"], scoring)
    screen = io.StringIO()
    show_summary(Console(file=screen, width=width), result, "wilcoxon")
    lines = screen.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    shown = next(line.split() for line in lines if line.startswith(f" {names[0]}"))
    part = result.summary().loc[("training-domain", names[0])]
    for value, count in (
        (-part["unseen"], 4),
        (part["se_domains"], 2),
        (-part["worst"], 4),
        (-part["in_domain"], 4),
        (part["gain"], 2),
        (part["p_holm"], 2),
    ):
        assert digits(value, count) in shown


def test_help(capsys):
    assert main(["study", "--help"]) == 0
    out = capsys.readouterr().out
    assert "python -m skdg study patients.csv --target readmitted" in out
    assert "--resume" in out


def test_the_table_is_not_written_over(study, mixed_csv, tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    table = folder / "summary.csv"
    table.write_bytes(mixed_csv.read_bytes())
    status, _, err = study(*PRICE, path=table, output=folder)
    assert status == 2
    assert "holds no study, but summary.csv, which would be written over" in err
    (folder / "study.json").write_text("{}", encoding="utf-8")
    status, _, err = study(*PRICE, "--resume", path=table, output=folder)
    assert status == 2
    assert "summary.csv is the table itself, and would be written over" in err
    assert table.read_bytes() == mixed_csv.read_bytes()


def test_a_result_that_cannot_be_written_is_no_loss(study, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(StudyResult, "to_html", full)
    status, _, err = study(*PRICE, "--drop", "dear", names="ridge")
    assert status == 2
    assert "cannot write to" in err
    assert "No space left on device. What is done is kept" in err
    assert list((tmp_path / "out" / "fits").glob("*.json"))


def test_a_study_needs_a_rule(study, tmp_path):
    status, _, err = study(*PRICE, "--drop", "dear", "--selection", ",")
    assert status == 2
    assert "selection is empty; choose among training-domain" in err
    assert not (tmp_path / "out").exists()
