# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def mixed():
    """A small table with columns of all types, missing values and four domains."""
    rng = np.random.default_rng(0)
    n = 160
    region = rng.permutation(np.repeat(["north", "south", "east", "west"], n // 4))
    size = rng.normal(size=n)
    color = rng.choice(["red", "green", "blue"], size=n)
    price = 100 + 10 * size + 5 * (color == "red") + rng.normal(size=n)
    return pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, size),
            "color": pd.Series(color).mask(rng.random(n) < 0.1),
            "sold": pd.date_range("2023-11-05", periods=n, freq="D").strftime(
                "%Y-%m-%d"
            ),
            "new": rng.random(n) < 0.5,
            "rooms": rng.integers(1, 6, size=n),
            "region": region,
            "price": price,
            "dear": np.where(price > 100, "yes", "no"),
        }
    )


@pytest.fixture
def mixed_csv(mixed, tmp_path):
    path = tmp_path / "homes.csv"
    mixed.to_csv(path, index=False)
    return path
