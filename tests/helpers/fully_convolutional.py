"""Nets with InnerProduct layers, and what their fully convolutional form is held to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from small_nets import with_random_weights

import netsurgery
from netsurgery.errors import RewriteError
from netsurgery.formats.load import from_text
from netsurgery.net import Net


def wire(bottoms: str, top: str) -> str:
    return " ".join([*(f'bottom: "{b}"' for b in bottoms.split()), *(f'top: "{t}"' for t in top.split())])


def layer(name: str, type: str, bottoms: str, top: str, params: str = "") -> str:
    return f'layer {{ name: "{name}" type: "{type}" {wire(bottoms, top)} {params} }}\n'


def data(*shape: int, name: str = "data") -> str:
    dims = " ".join(f"dim: {n}" for n in shape)
    return layer(name, "Input", "", name, f"input_param {{ shape {{ {dims} }} }}")


def conv(name: str, bottom: str, n: int, kernel: int = 3, **fields: int) -> str:
    more = "".join(f" {k}: {v}" for k, v in fields.items())
    return layer(
        name, "Convolution", bottom, name, f"convolution_param {{ num_output: {n} kernel_size: {kernel}{more} }}"
    )


def fc(name: str, bottom: str, n: int, more: str = "", params: str = "") -> str:
    return layer(name, "InnerProduct", bottom, name, f"{params} inner_product_param {{ num_output: {n} {more} }}")


def net(*layers: str) -> Net:
    """With weights, from lines of which errors say the number."""
    return with_random_weights(from_text("".join(layers), "net.prototxt"))


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(RewriteError) as error:
        call()
    return str(error.value)


def same_at_declared_size(old: Net, new: Net) -> None:
    """Every blob that both have holds the same numbers for each item."""
    rng = np.random.default_rng(1)
    feeds = {name: rng.normal(size=shape) for name, shape in old.inputs.items() if shape}
    want = netsurgery.run(old, feeds, dtype=np.float64)
    got = netsurgery.run(new, {k: v.reshape(new.inputs[k] or ()) for k, v in feeds.items()}, dtype=np.float64)
    common = [blob for blob in want if blob in got]
    assert set(old.outputs) <= set(common)
    for blob in common:
        np.testing.assert_allclose(got[blob].reshape(want[blob].shape), want[blob], rtol=1e-9, atol=1e-12, err_msg=blob)


def same_on_windows(old: Net, new: Net, blob: str, more: tuple[int, int] = (7, 5), one_by_one: bool = False) -> None:
    """At every position whose window of the declared size is inside a larger image, the map holds what the old net gives on it."""
    ((name, shape),) = old.inputs.items()
    assert shape
    _, c, h, w = shape
    image = np.random.default_rng(2).normal(size=(1, c, h + more[0], w + more[1]))
    got = netsurgery.run(new, {name: image}, [blob], dtype=np.float64)[blob]
    rows, columns = (int(s) for s in netsurgery.geometry(new, blob).stride if s is not None)
    places = [
        (i, j)
        for i in range(got.shape[2])
        for j in range(got.shape[3])
        if i * rows + h <= image.shape[2] and j * columns + w <= image.shape[3]
    ]
    assert len(places) >= (1 + more[0] // rows) * (1 + more[1] // columns)
    windows = np.concatenate([image[:, :, i * rows : i * rows + h, j * columns : j * columns + w] for i, j in places])
    batches = windows[:, None] if one_by_one else [windows]
    want = np.concatenate([netsurgery.run(old, {name: batch}, [blob], dtype=np.float64)[blob] for batch in batches])
    for (i, j), value in zip(places, want, strict=True):
        np.testing.assert_allclose(got[0, :, i, j], value.ravel(), rtol=1e-9, atol=1e-12, err_msg=f"{i}, {j}")


SHARED = "param { name: 'w' } param { name: 'b' }"
