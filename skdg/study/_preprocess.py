# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""From columns of all types to the numbers that every method gets."""

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from skrub import DatetimeEncoder

# A category must be in this many training rows to get a column of its own; the others,
# and those that only the held-out domain has, share one.
_MIN_ROWS = 10
_MAX_CATEGORIES = 40


def make_preprocessor(kinds: dict[str, str]) -> ColumnTransformer:
    """Return the transformer of a table, to be fitted on training rows alone.

    Parameters
    ----------
    kinds : dict of str to {"number", "category", "date"}
        The kind of each column.

    Returns
    -------
    ColumnTransformer
        Numbers: the median for missing values, with a column that marks them; then mean
        0 and standard deviation 1. Categories: one column each, rare ones together, a
        missing value as a category. Dates: the year, the seconds, and the time of the
        year, of the week and of the day as points on a circle, then as numbers.
    """

    def named(kind: str) -> list[str]:
        return [name for name, its_kind in kinds.items() if its_kind == kind]

    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    categories = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=_MIN_ROWS,
        max_categories=_MAX_CATEGORIES,
        sparse_output=False,
    )
    # The encoder of dates takes one column at a time, and makes several of it; so what
    # marks a missing date stands apart.
    dates = [
        (
            f"date {number}",  # a name of the table may hold what none here may
            make_pipeline(
                _date_encoder(),
                SimpleImputer(strategy="median", keep_empty_features=True),
                StandardScaler(),
            ),
            name,
        )
        for number, name in enumerate(named("date"))
    ]
    missing = make_pipeline(
        FunctionTransformer(pd.isna, feature_names_out="one-to-one"), StandardScaler()
    )
    return ColumnTransformer(
        [
            ("numbers", numbers, named("number")),
            ("categories", categories, named("category")),
            *dates,
            ("missing dates", missing, named("date")),
        ],
        sparse_threshold=0.0,
    )


def encode_columns(
    features: pd.DataFrame, kinds: dict[str, str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Write all columns as numbers, one block that processes can share.

    What is learned from values is still left to the preprocessor, which takes the
    result as it takes the table.

    Parameters
    ----------
    features : DataFrame
        Columns of floats, text or dates.

    kinds : dict of str to {"number", "category", "date"}
        The kind of each.

    Returns
    -------
    encoded : DataFrame of float64
        Numbers as they are; categories as their positions in alphabetical order; dates
        as the parts that `make_preprocessor` makes of them, under names that no other
        column has. Missing values are nan.

    kinds : dict of str to {"number", "category"}
        The kind of each of its columns.
    """
    columns: dict[str, np.ndarray] = {}
    encoded_kinds: dict[str, str] = {}
    for name, kind in kinds.items():
        if kind == "date":
            parts = _date_encoder().fit_transform(features[name])
            for part in parts.columns:
                own = part
                while own in columns or own in kinds:
                    own += "_"
                columns[own] = parts[part].to_numpy(dtype=float)
                encoded_kinds[own] = "number"
            continue
        if kind == "category":
            codes, _ = pd.factorize(features[name], sort=True)
            columns[name] = np.where(codes < 0, np.nan, codes)
        else:
            columns[name] = features[name].to_numpy(dtype=float)
        encoded_kinds[name] = kind
    block = np.column_stack(list(columns.values()))
    return pd.DataFrame(block, columns=list(columns)), encoded_kinds


def _date_encoder() -> DatetimeEncoder:
    return DatetimeEncoder(add_weekday=True, periodic_encoding="circular")
