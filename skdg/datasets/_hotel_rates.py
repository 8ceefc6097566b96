# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Hotel bookings by market segment: the real data set that ships with skdg."""

import csv
import gzip
import io
from importlib import resources
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

_TARGET = "avg_price_per_room"
_DOMAIN = "market_segment"
_DATE = "arrival_date"
_FLOATS = {_TARGET, "arrival_date_num", "historical_adr"}
_CATEGORICAL = {
    "meal",
    "country",
    "distribution_channel",
    "reserved_room_type",
    "assigned_room_type",
    "agent",
    "company",
    "customer_type",
}


def _read(name: str) -> bytes:
    return (resources.files("skdg.datasets") / "data" / name).read_bytes()


def _read_columns() -> dict[str, np.ndarray]:
    """Return the columns of the shipped table as arrays of text, in their order."""
    text = gzip.decompress(_read("hotel_rates.csv.gz")).decode("ascii")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    columns = (np.array(column) for column in zip(*rows, strict=True))
    return dict(zip(header, columns, strict=True))


def _encode(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted labels of a column and its codes, -1 for an empty field."""
    labels = np.unique(column[column != ""])
    codes = np.searchsorted(labels, column)
    return labels, np.where(column == "", -1, codes)


def _import_pandas() -> ModuleType:
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "load_hotel_rates(as_frame=True) needs pandas. Install it with "
            '`pip install "skdg[study]"`, or pass as_frame=False.'
        ) from error
    return pandas


@validate_params(
    {"return_X_y": ["boolean"], "as_frame": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def load_hotel_rates(
    *, return_X_y: bool = False, as_frame: bool = True
) -> Bunch | tuple[Any, Any, Any]:
    """Load the prices of hotel bookings from five market segments (regression).

    ================= ====================================
    Samples total     15402
    Features          25: 17 numeric, 8 categorical
    Target            average price per room, 19.0 - 426.25
    Domains           5 market segments
    ================= ====================================

    The data ship with skdg; nothing is downloaded.

    Parameters
    ----------
    return_X_y : bool, default=False
        If True, return ``(data, target, groups)`` instead of a Bunch.

    as_frame : bool, default=True
        If True, the data are a pandas DataFrame with integer, float and categorical
        columns, and target and domains are pandas Series. If False, everything is a
        NumPy array, and pandas is not needed.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the following attributes. Only if
        `return_X_y=False`.

        data : {DataFrame, ndarray} of shape (15402, 25)
            The features. As an array: floats, where code i of a categorical feature
            stands for the entry i of its list in `categories`, and a missing value is
            nan.
        target : {Series, ndarray} of shape (15402,)
            The average price per room and night.
        groups : {Series, ndarray} of shape (15402,)
            The market segment, as text.
        frame : DataFrame of shape (15402, 28) or None
            Only if `as_frame=True`: the data, the target `avg_price_per_room`, the
            domain `market_segment`, and the day of arrival `arrival_date`.
        feature_names : list of str
            The columns of `data`.
        target_names : list of str
            The name of the target.
        categories : dict of str to list of str
            The labels of each categorical feature, sorted.
        DESCR : str
            Description, source and license of the data.

    data, target, groups : tuple
        The three attributes of these names. Only if `return_X_y=True`.

    See Also
    --------
    make_irm_sem : Generated data for regression with several domains.

    Notes
    -----
    The domain is not among the features, but some of them give it away, above all
    `agent`, `company`, `distribution_channel` and `customer_type`. Others, such as
    `assigned_room_type`, are only known when the guest arrives. `DESCR` lists what to
    leave out, depending on the question.

    The day of arrival is in `frame` only, since the feature `arrival_date_num` says the
    same as a number. Rows are in the order of arrival.

    The data are from [1]_, under the license CC BY 4.0, in the selection of the R
    package modeldata.

    References
    ----------
    .. [1] N. Antonio, A. de Almeida and L. Nunes, "Hotel booking demand datasets", Data
       in Brief 22, 41-49, 2019. https://doi.org/10.1016/j.dib.2018.11.126

    Examples
    --------
    >>> from skdg.datasets import load_hotel_rates
    >>> hotel = load_hotel_rates()
    >>> hotel.data.shape
    (15402, 25)
    >>> for segment, price in hotel.target.groupby(hotel.groups):
    ...     print(f"{segment:20} {len(price):5} {price.mean():6.1f}")
    corporate              900   53.8
    direct                3076  125.8
    groups                1789   69.1
    offline_travel_agent  2895   84.7
    online_travel_agent   6742  120.4
    """
    pandas = _import_pandas() if as_frame else None
    columns = _read_columns()
    feature_names = [name for name in columns if name not in {_TARGET, _DOMAIN, _DATE}]
    encoded = {name: _encode(columns[name]) for name in columns if name in _CATEGORICAL}

    frame = None
    if pandas is None:
        data = np.empty((len(columns[_TARGET]), len(feature_names)))
        for j, name in enumerate(feature_names):
            if name in encoded:
                codes = encoded[name][1]
                data[:, j] = np.where(codes < 0, np.nan, codes)
            else:
                data[:, j] = columns[name].astype(np.float64)
        target, groups = columns[_TARGET].astype(np.float64), columns[_DOMAIN]
    else:
        series = {}
        for name, column in columns.items():
            if name in encoded:
                labels, codes = encoded[name]
                series[name] = pandas.Categorical.from_codes(codes, labels.tolist())
            elif name == _DATE:
                series[name] = pandas.to_datetime(column.tolist(), format="%Y-%m-%d")
            elif name == _DOMAIN:
                series[name] = column.tolist()
            else:
                kind = np.float64 if name in _FLOATS else np.int64
                series[name] = column.astype(kind)
        frame = pandas.DataFrame(series)
        data, target, groups = frame[feature_names], frame[_TARGET], frame[_DOMAIN]

    if return_X_y:
        return data, target, groups
    return Bunch(
        data=data,
        target=target,
        groups=groups,
        frame=frame,
        feature_names=feature_names,
        target_names=[_TARGET],
        categories={name: labels.tolist() for name, (labels, _) in encoded.items()},
        DESCR=_read("hotel_rates.rst").decode("utf-8"),
    )
