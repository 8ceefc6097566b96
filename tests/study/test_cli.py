# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import csv
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import skdg.study._compare
from skdg.study import main
from skdg.study._report import describe


@pytest.fixture
def cli(mixed_csv, capsys):
    """Run the command in this process on the small table."""

    def run(*arguments, quick=("dummy", "ridge"), path=mixed_csv):
        limits = ["--jobs", "1", "--estimators", ",".join(quick)] if quick else []
        status = main([str(path), *arguments, *limits])
        out, err = capsys.readouterr()
        return status, out, err

    return run


PRICE = ["--target", "price", "--domain", "region"]


def rows_of(out):
    """Return the cells of the result table by method."""
    *_, table = out.split("seconds\n")
    rows = [line.split() for line in table.split("in-domain:")[0].splitlines()[1:]]
    return {cells[0]: cells[1:] for cells in rows if cells}


def test_regression(cli, mixed, tmp_path):
    output = tmp_path / "scores.csv"
    status, out, err = cli(*PRICE, "--drop", "dear", "--output", str(output))
    assert (status, err) == (0, "")
    assert "homes.csv: 160 rows, 5 columns to predict from (2 numeric, 2 cat" in out
    assert "price (regression, " in out
    assert "region: east (40), north (40), south (40), west (40)" in out
    assert "RMSE in units of price (lower is better)" in out
    assert "8 of 8 fits done" in out
    assert "\x1b" not in out
    assert "\r" not in out
    assert " \n" not in out

    # The dummy predicts the mean of its training rows; scores are those of the file.
    with output.open(encoding="utf-8", newline="") as file:
        scores = [r for r in csv.DictReader(file) if r["method"] == "Dummy"]
    assert [r["domain"] for r in scores] == ["east", "north", "south", "west"]
    assert {r["metric"] for r in scores} == {"rmse"}
    unseen = [float(r["unseen"]) for r in scores]
    cells = rows_of(out)
    assert list(cells) == ["Ridge", "Dummy"]
    in_domain = np.mean([float(r["in_domain"]) for r in scores])
    worst = scores[int(np.argmax(unseen))]["domain"]
    expected = [f"{v:.2f}" for v in (in_domain, np.mean(unseen), max(unseen))]
    assert cells["Dummy"][:4] == [*expected, worst]
    spread = mixed["price"].groupby(mixed["region"]).std(ddof=0)
    assert (unseen >= spread.to_numpy()).all()


def test_classification_of_parquet(cli, mixed, tmp_path):
    path = tmp_path / "homes.parquet"
    mixed["dear"] = mixed["dear"].astype("category")
    mixed["sold"] = pd.to_datetime(mixed["sold"])
    mixed.drop(columns="price").to_parquet(path)
    status, out, _ = cli(
        *("--target", "dear", "--domain", "region", "--metric", "balanced_accuracy"),
        quick=("dummy", "logisticregression"),
        path=path,
    )
    assert status == 0
    assert "dear (classification, 2 classes: no, yes)" in out
    assert "balanced accuracy (higher is better)" in out
    cells = rows_of(out)
    assert list(cells) == ["LogisticRegression", "Dummy"]
    assert cells["Dummy"][:3] == ["0.500"] * 3
    assert float(cells["LogisticRegression"][1]) > 0.7


@pytest.mark.parametrize(("n", "last"), [(10, "i, j"), (11, r"i, j, \.\.\.")])
def test_no_more_than_ten_classes_are_named(n, last):
    table = SimpleNamespace(
        title="letters",
        task="classification",
        target_name="letter",
        target=np.array(list("abcdefghijk"[:n])),
        kinds={"size": "number"},
        domain_name="hand",
        domains=np.array(["left"] * n),
    )
    assert re.search(rf"{last}\)$", describe(table)["Target"])


def test_methods_of_all_kinds_and_the_last_sentence(cli):
    methods = ["HistGradientBoosting", "ERM", "IRM", "MultiTaskLinearSVR"]
    status, out, err = cli(*PRICE, "--max-domains", "3", quick=methods)
    assert (status, err) == (0, "")
    cells = rows_of(out)
    assert set(cells) == set(methods)
    assert all(len(row) == 5 for row in cells.values())
    last = " ".join(out.split("one processor each.")[1].split())
    assert "than ERM by" in last
    assert "than gradient boosting by" in last
    assert "in RMSE (mean over 3 domains ± its standard error)" in last


def test_same_seed_same_scores(cli):
    runs = [
        rows_of(cli(*PRICE, "--seed", seed, "--metric", "mae")[1])
        for seed in ("0", "0", "1")
    ]
    scores = [{name: cells[:4] for name, cells in run.items()} for run in runs]
    assert scores[0] == scores[1] != scores[2]


def test_notices(cli, mixed, tmp_path):
    mixed.loc[:4, "price"] = np.nan
    mixed.to_csv(tmp_path / "t.csv", index=False)
    _, out, _ = cli(*PRICE, "--max-domains", "3", path=tmp_path / "t.csv")
    assert "Note 5 of 160 rows left out, because price or region is missing." in out
    assert "Note The 3 largest of 4 domains are used" in out


def test_names_with_brackets_are_shown_as_they_are(cli, mixed, tmp_path):
    mixed = mixed.rename(columns={"price": "price [bold]", "region": "[red]"})
    mixed["[red]"] = "[/" + mixed["[red]"] + "]"
    mixed.to_csv(tmp_path / "t.csv", index=False)
    status, out, _ = cli(
        "--target", "price [bold]", "--domain", "[red]", path=tmp_path / "t.csv"
    )
    assert status == 0
    assert "RMSE in units of price [bold]" in out
    assert "[/north] (40)" in out
    assert rows_of(out)["Dummy"][3].startswith("[/")


def test_a_method_that_fails(cli, monkeypatch):
    def fail(self, X, y, sample_weight=None):
        raise ArithmeticError("no [way]")

    monkeypatch.setattr("sklearn.linear_model.Ridge.fit", fail)
    status, out, _ = cli(*PRICE)
    assert status == 0
    assert rows_of(out)["Ridge"][0] == "failed"
    assert (
        "Ridge failed on 4 of 4 domains. With east held out: ArithmeticError: no [way]"
        in out
    )


def test_interrupt(cli, monkeypatch, tmp_path):
    whole = skdg.study._compare.leave_one_domain_out

    def stopped(*arguments, **options):
        for number, outcome in enumerate(whole(*arguments, **options)):
            if number == 3:
                raise KeyboardInterrupt
            yield outcome

    monkeypatch.setattr("skdg.study._compare.leave_one_domain_out", stopped)
    output = tmp_path / "scores.csv"
    status, out, err = cli(*PRICE, "--output", str(output))
    assert (status, err) == (130, "")
    assert "Stopped after 3 of 8 fits." in out
    assert "Dummy (2/4)" in out
    assert "Ridge (1/4)" in out
    assert len(output.read_text(encoding="utf-8").splitlines()) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--target) and which says where a row came from (--domain). "),
        (["--target", "price"], "has the columns size, color, sold"),
        (["--target", "Price", "--domain", "region"], "Did you mean 'price'?"),
        (["--target", "price", "--domain", "Region"], "Did you mean 'region'?"),
        (["--target", "price", "--domain", "price"], "the same column"),
        (["--target", "sold", "--domain", "region"], "holds dates"),
        (["--target", "price", "--domain", "size"], "Is it the right column?"),
        ([*PRICE, "--metric", "accuracy"], "no metric for regression 'accuracy'"),
        ([*PRICE, "--drop", "collour"], "Did you mean 'color'?"),
        ([*PRICE, "--output", "no/such/folder/t.csv"], "cannot write no/such/folder"),
    ],
)
def test_mistakes(cli, arguments, words):
    status, out, err = cli(*arguments)
    assert status == 2
    assert out == ""
    assert err.startswith("python -m skdg: error: ")
    assert words in err
    assert err.count("\n") == 1


def test_unknown_estimator(cli):
    status, _, err = cli(*PRICE, quick=("rigde",))
    assert status == 2
    assert "no estimator 'rigde'. Did you mean 'Ridge'" in err


def test_no_such_file(capsys):
    assert main(["nowhere.csv", *PRICE]) == 2
    assert capsys.readouterr().err == (
        "python -m skdg: error: nowhere.csv does not exist.\n"
    )


def test_columns_without_a_table(capsys):
    assert main(PRICE) == 2
    assert "need a TABLE" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--jobs", "0"], ["--task", "ranking"], ["--max-rows", "few"]]
)
def test_bad_options(arguments, capsys):
    assert main(arguments) == 2
    assert f"argument {arguments[0]}: invalid" in capsys.readouterr().err


def test_help(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert "python -m skdg patients.csv --target readmitted --domain hospital" in out


def run_module(*arguments, code=None):
    command = ["-c", code] if code else ["-m", "skdg"]
    return subprocess.run(
        [sys.executable, *command, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )


def test_as_a_module_where_output_is_ascii(mixed_csv):
    quick = ["--jobs", "1", "--estimators", "ridge"]
    result = run_module(str(mixed_csv), *PRICE, *quick)
    assert (result.returncode, result.stderr) == (0, "")
    assert "Ridge" in result.stdout


def test_status_of_the_process():
    result = run_module("nowhere.csv")
    assert result.returncode == 2
    assert result.stderr == "python -m skdg: error: nowhere.csv does not exist.\n"


@pytest.mark.parametrize("missing", ["pandas", "rich", "skrub"])
def test_without_the_extra(missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None; from skdg.study import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    result = run_module("table.csv", code=code)
    assert result.returncode == 2
    assert f"this needs {missing}" in result.stderr
    assert 'pip install "skdg[study]"' in result.stderr
    assert "Traceback" not in result.stderr


def test_import_loads_nothing_heavy():
    code = (
        "import sys, skdg.study; "
        "sys.exit(bool({'pandas', 'rich', 'skrub', 'torch'} & set(sys.modules)))"
    )
    assert run_module(code=code).returncode == 0


def test_hotel_table_by_default(capsys, tmp_path):
    output = tmp_path / "scores.csv"
    assert main(["--estimators", "dummy", "--jobs", "1", "--output", str(output)]) == 0
    out = capsys.readouterr().out
    assert "hotel_rates: 15402 rows, 25 columns" in out
    assert "avg_price_per_room (regression, 19 to 426.25)" in out
    assert "corporate (900), direct (3076), groups (1789)" in out
    assert len(Path(output).read_text(encoding="utf-8").splitlines()) == 6


def test_the_table_is_not_written_over(cli, mixed, tmp_path):
    path = tmp_path / "table.csv"
    mixed.to_csv(path, index=False)
    before = path.read_bytes()
    status = main(
        [str(path), "--target", "price", "--domain", "region", "--output", str(path)]
    )
    assert status == 2
    assert path.read_bytes() == before
