# Authors: The skdg developers
# SPDX-License-Identifier: BSD-3-Clause
"""Weights of classes: what is wrong with them is said with the class and the value."""

import re

import numpy as np
import pytest

from skdg._class_weight import check_class_weight


@pytest.mark.parametrize(
    ("class_weight", "classes"),
    [
        (None, [0, 1]),
        ("balanced", [0, 1]),
        ({}, [0, 1]),
        ({0: 1, 1: 0.5}, np.array([0, 1])),
        ({0: 0, 1: 1e-300}, [0, 1]),
        ({0: 0}, [0, 1]),  # class 1 has no entry, hence weight 1
        ({1.0: 2}, np.array([0, 1])),
        ({np.int64(1): np.float32(2)}, np.array([0, 1])),
        ({np.str_("b"): 2}, np.array(["a", "b"])),
        ({"b": 2}, np.array(["a", "b"], dtype=object)),
        ({True: 2, False: 1}, np.array([False, True])),
        ({0: 1, 1: 2, 7: 3}, [0, 1]),  # a fold without class 7
    ],
)
def test_weights_that_are_in_order_pass(class_weight, classes):
    assert check_class_weight(class_weight, classes) is None


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({"a": -1.0}, "class 'a' must be a finite number >= 0, got -1.0"),
        ({"b": float("nan")}, "class 'b' must be a finite number >= 0, got nan"),
        ({"b": np.float64("inf")}, "class 'b' must be a finite number >= 0, got inf"),
        ({"b": "2"}, "class 'b' must be a finite number >= 0, got '2'"),
        ({"b": None}, "class 'b' must be a finite number >= 0, got None"),
        ({"b": [1.0]}, "class 'b' must be a finite number >= 0, got [1.0]"),
        ({"a": 1, "c": 3.0}, "a weight (3.0) for class 'c', which does not occur in y"),
        ({"b": 2, "c": 3}, "The classes are ['a', 'b']"),
        ({np.int64(0): 1}, "a weight (1) for class 0, which"),
        ({"a": 0, "b": 0.0}, "0 for each of the classes ['a', 'b']"),
    ],
)
def test_weights_that_are_not_are_named(class_weight, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_class_weight(class_weight, np.array(["a", "b"]))


def test_label_of_a_tuple_or_other_type_is_compared_and_not_unpacked():
    with pytest.raises(ValueError, match=r"class \('a', 'b'\), which does not occur"):
        check_class_weight({("a", "b"): 1}, ["a", "b"])
