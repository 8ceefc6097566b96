# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
import hashlib

import numpy as np
import pytest

from skdg.datasets import (
    make_cdsprites,
    make_colored_digits,
    make_fish_linear,
    make_irm_sem,
    make_linear_unit_test,
)

GENERATORS = {
    "fish": make_fish_linear,
    "sem": lambda **kwargs: make_irm_sem("PES", 30, return_coef=True, **kwargs),
    "digits": make_colored_digits,
    "sprites": lambda **kwargs: make_cdsprites(
        10, n_domains=2, image_size=16, **kwargs
    ),
    **{
        name: lambda name=name, **kwargs: make_linear_unit_test(
            name, 30, n_domains=4, shuffle_spurious=True, **kwargs
        )
        for name in ("Example1", "Example2s", "Example3s")
    },
}


def digest(arrays):
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()


@pytest.fixture(params=list(GENERATORS))
def generate(request):
    return GENERATORS[request.param]


def test_same_seed_same_bytes(generate):
    assert digest(generate(random_state=3)) == digest(generate(random_state=3))
    assert digest(generate(random_state=3)) != digest(generate(random_state=4))
    instance = np.random.RandomState(3)
    assert digest(generate(random_state=instance)) == digest(generate(random_state=3))
    assert digest(generate(random_state=instance)) != digest(generate(random_state=3))


def test_no_seed_gives_new_data_and_spares_the_global_generator(generate):
    before = np.random.get_state()  # noqa: NPY002
    assert digest(generate()) != digest(generate())
    generate(random_state=0)
    after = np.random.get_state()  # noqa: NPY002
    for found, kept in zip(after, before, strict=True):
        np.testing.assert_array_equal(found, kept)


def test_bad_random_state(generate):
    with pytest.raises(ValueError, match="'random_state' parameter"):
        generate(random_state="seed")
