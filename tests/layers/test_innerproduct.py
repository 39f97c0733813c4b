"""What the cases of fixtures/ lack: matrices as they lie in files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from one_layer import make, numbers, one

import netsurgery
from netsurgery.interpreter import run_layer
from netsurgery.layers.core.tiles import CACHE, side_by_side

K, OUTPUTS = 300, CACHE // 4 // 300 + 50
"""More than stays in a cache: the matrix goes part by part."""


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("kind", ["odd address", "half", "double"])
def test_matrices_are_cast_part_by_part(transpose: bool, kind: str) -> None:
    shape = (K, OUTPUTS) if transpose else (OUTPUTS, K)
    params = f"inner_product_param {{ num_output: {OUTPUTS} transpose: {str(transpose).lower()} }}"
    matrix, bias = numbers(*shape).astype(np.float16), numbers(OUTPUTS)
    net = make(one("InnerProduct", params), [matrix.astype(np.float32), bias], x=(2, K))
    whole = netsurgery.run(net, {"x": numbers(2, K)}, ["x", "y"], np.float64)
    layer = net["y"]
    stored = {
        "odd address": np.frombuffer(b"?" + matrix.astype(np.float32).tobytes(), np.float32, offset=1).reshape(shape),
        "half": matrix,
        "double": matrix.astype(np.float64),
    }[kind]
    assert kind != "odd address" or not stored.flags.aligned
    object.__setattr__(layer, "weights", (stored, bias))
    seen: list[Any] = []
    with side_by_side(seen.append):
        (top,) = run_layer(layer, [np.float32(whole["x"])], np.float32)
    np.testing.assert_allclose(top, whole["y"], rtol=1e-5, atol=1e-4)
    assert sum(part.size for part in seen) == matrix.size
