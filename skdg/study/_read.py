# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Read a table from a file."""

from pathlib import Path

import pandas as pd

from skdg.study._errors import StudyError, require_packages


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV or Parquet file.

    Parameters
    ----------
    path : str or Path
        A file whose name ends in .csv, .tsv or .txt, also compressed (.gz, .bz2, .xz,
        .zip, .zst), or in .parquet or .pq.

    Returns
    -------
    DataFrame
        The table, with column names as text.

    Raises
    ------
    StudyError
        If there is no such file, or it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise StudyError(f"{path} {what}.")
    endings = [ending.lower() for ending in path.suffixes]
    while endings and endings[-1] in {".gz", ".bz2", ".xz", ".zip", ".zst"}:
        endings.pop()
    ending = endings[-1] if endings else ""
    try:
        if ending in {".parquet", ".pq"}:
            require_packages(["pyarrow"])
            frame = pd.read_parquet(path)
        elif ending in {".csv", ".tsv", ".txt"}:
            frame = _read_text(path)
        else:
            raise StudyError(
                f"cannot tell the format of {path}: its name should end in .csv, .tsv, "
                f".parquet or .pq."
            )
    except StudyError:
        raise
    except UnicodeDecodeError as error:
        raise StudyError(
            f"{path} is not text in UTF-8 ({error.reason} at byte {error.start}). Save "
            f"it as UTF-8, or as Parquet."
        ) from None
    except Exception as error:  # whatever the readers of pandas raise
        reason = str(error).strip().splitlines()[0] if str(error) else repr(error)
        raise StudyError(f"cannot read {path}: {reason}") from None
    if frame.empty:
        raise StudyError(f"{path} has no rows.")
    frame.columns = [str(name) for name in frame.columns]
    return frame.loc[:, ~frame.columns.duplicated()].reset_index(drop=True)


def _read_text(path: Path) -> pd.DataFrame:
    """Read a table from text, separated by commas, or else by semicolons or tabs."""
    frame = pd.read_csv(path, low_memory=False)
    if frame.shape[1] == 1:
        for separator in (";", "\t"):
            if separator in str(frame.columns[0]):
                return pd.read_csv(path, sep=separator, low_memory=False)
    return frame
