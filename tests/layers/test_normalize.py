"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/normalize.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import agree, make, numbers, one

import netsurgery


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5), (2, 4, 5, 3)])
def test_normalize_of_any_rank(shape: tuple[int, ...]) -> None:
    x, scale = numbers(*shape), numbers(4)
    behind = (1,) * (len(shape) - 2)
    net = make(one("Normalize", "norm_param { channel_shared: false eps: 0.5 }"), [scale], x=shape)
    (tops,) = agree(net, {"x": x})
    norm = np.sqrt((x**2).sum(tuple(range(1, x.ndim)), keepdims=True) + 0.5)
    np.testing.assert_allclose(tops["y"], x / norm * scale.reshape(-1, *behind), rtol=1e-5)
    net = make(one("Normalize", 'normalize_param { normalize_type: "L1" }', tops=("y", "norm")), x=shape)
    (tops,) = agree(net, {"x": x})
    norm = (np.abs(x).sum(1, keepdims=True) + 1e-6).reshape(shape[0], 1, *shape[2:], *[1] * (4 - len(shape)))
    np.testing.assert_allclose(tops["norm"], norm, rtol=1e-5)
    np.testing.assert_allclose(tops["y"], x.reshape(*shape, *[1] * (4 - len(shape))) / norm, rtol=1e-5)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("shape", [(1, 4, 5), (1, 4, 5, 3), (3, 4, 2, 6)])
def test_a_matrix_product_sums_over_channels(shape: tuple[int, ...], shared: bool) -> None:
    """ReduceSum takes long over the channels of a single item; `--plain` keeps it."""
    fields = f"across_spatial: false channel_shared: {str(shared).lower()} eps: 0.5"
    scale = numbers(*() if shared else (4,))
    net = make(one("Normalize", f"norm_param {{ {fields} }}"), [scale], x=shape)
    x, other = numbers(*shape), numbers(2, 4, *(7 for _ in shape[2:]))
    for tops, v in zip(agree(net, {"x": x}, {"x": other}), (x, other), strict=True):
        y = v / np.sqrt((v**2).sum(1, keepdims=True) + 0.5) * scale.reshape(-1, *(1,) * (len(shape) - 2))
        np.testing.assert_allclose(tops["y"], y, rtol=1e-5)
    for plain, kind in ((False, "MatMul"), (True, "ReduceSum")):
        kinds = {n.op_type for n in netsurgery.to_onnx(net, plain=plain, static=True).graph.node}
        assert kinds & {"MatMul", "ReduceSum"} == {kind}
