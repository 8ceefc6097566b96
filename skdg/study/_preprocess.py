# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""From columns of all types to the numbers that every method gets."""

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
            f"date {name}",
            make_pipeline(
                DatetimeEncoder(add_weekday=True, periodic_encoding="circular"),
                SimpleImputer(strategy="median", keep_empty_features=True),
                StandardScaler(),
            ),
            name,
        )
        for name in named("date")
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
