"""Small nets at the edges of what layers take, each with the numbers that real Caffe gave for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cases
import numpy as np
import pytest

import netsurgery
from netsurgery.formats.load import from_text

Array = np.ndarray[Any, Any]
LOWEST = float(np.finfo(np.float32).min)
NAN = float("nan")


@dataclass(frozen=True)
class Case:
    """The layers of a net, its inputs, and what Caffe made of them."""

    name: str
    layers: str
    feeds: dict[str, Array]
    want: dict[str, Array]
    opsets: Sequence[int] = (17, 21)
    only_run: bool = False
    weights: dict[str, list[Array]] = field(default_factory=dict)

    def net(self) -> netsurgery.Net:
        inputs = "".join(
            f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims(x)} }} }} }}\n'
            for name, x in self.feeds.items()
        )
        net = from_text(inputs + self.layers, "net.prototxt")
        for name, blobs in self.weights.items():
            net = net.with_weights(name, *blobs)
        return net


def dims(x: Array) -> str:
    return " ".join(f"dim: {n}" for n in x.shape)


def blob(numbers: Any, *shape: int) -> Array:
    return np.array(numbers, np.float32).reshape(shape)


def pool(params: str, tops: Sequence[str] = ("y",)) -> str:
    names = " ".join(f'top: "{top}"' for top in tops)
    return f'layer {{ name: "pool" type: "Pooling" bottom: "x" {names} pooling_param {{ {params} }} }}'


COLUMN = blob([1, 2, 3, 4, 5], 1, 1, 5, 1)
CASES = [
    Case(
        "the mask of global pooling",
        pool("pool: MAX global_pooling: true", ("y", "mask")),
        {"x": blob([1, 5, 5, 3, -1, -2, -3, -1], 1, 2, 2, 2)},
        {"y": blob([5, -1], 1, 2, 1, 1), "mask": blob([1, 0], 1, 2, 1, 1)},
    ),
    Case(
        "a greatest value behind the image",
        pool("pool: MAX kernel_h: 1 kernel_w: 1 stride_h: 3 stride_w: 1"),
        {"x": COLUMN},
        {"y": blob([1, 4, LOWEST], 1, 1, 3, 1)},
    ),
    Case(
        "an average right behind the image",
        pool("pool: AVE kernel_h: 1 kernel_w: 1 stride_h: 2 stride_w: 1"),
        {"x": COLUMN[:, :, :4]},
        {"y": blob([1, 3, NAN], 1, 1, 3, 1)},
    ),
    Case(
        "an average further behind the image",
        pool("pool: AVE kernel_h: 1 kernel_w: 1 stride_h: 3 stride_w: 1"),
        {"x": COLUMN},
        {"y": blob([1, 4, 0], 1, 1, 3, 1)},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_run_gives_caffes_numbers(case: Case) -> None:
    for dtype in (np.float32, np.float64):
        got = netsurgery.run(case.net(), case.feeds, dtype=dtype)
        for name, want in case.want.items():
            assert not cases.difference(got[name], want), (name, got[name], want)


@pytest.mark.parametrize("static", [False, True], ids=["free sizes", "fixed sizes"])
@pytest.mark.parametrize("case", [case for case in CASES if not case.only_run], ids=lambda case: case.name)
def test_onnx_gives_caffes_numbers(case: Case, static: bool) -> None:
    for opset in case.opsets:
        model = netsurgery.to_onnx(case.net(), opset=opset, static=static, outputs=list(case.want))
        session = cases.session(model.SerializeToString())
        feeds = {i.name: case.feeds[i.name] for i in session.get_inputs()}
        for name, got in zip(case.want, session.run(None, feeds), strict=True):
            assert not cases.difference(got, case.want[name]), (opset, name, got, case.want[name])
