"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/parameter.py."""

from __future__ import annotations

import numpy as np
from one_layer import SUM, agree, dims, make, numbers, one


def test_a_parameter_is_part_of_the_model() -> None:
    value = numbers(1, 2, 3, 3)
    net = make(
        one("Parameter", f"parameter_param {{ shape {{ {dims(value.shape)} }} }}", ()) + SUM, [value], x=(1, 1, 3, 3)
    )
    x = numbers(1, 5, 3, 3)
    (got,) = agree(net, {"x": x})
    np.testing.assert_array_equal(got["s"], np.concatenate([x, value], 1))
