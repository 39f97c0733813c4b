"""Work grows with the net, not with its square: nets of twice the size make twice the calls. (Calls are counted, not seconds.)"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType

import pytest

import netsurgery
from netsurgery import passes
from netsurgery.formats.load import from_text

DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 64 dim: 64 } } }\n'


def one(type: str, name: str, bottom: str, top: str, more: str = "") -> str:
    return f'layer {{ name: "{name}" type: "{type}" bottom: "{bottom}" top: "{top}" {more} }}\n'


def split(n: int) -> str:
    tops = " ".join(f'top: "s{i}"' for i in range(n))
    bottoms = " ".join(f'bottom: "s{i}"' for i in range(n))
    both = f'layer {{ name: "split" type: "Split" bottom: "data" {tops} }} layer {{ name: "sum" type: "Eltwise" {bottoms} top: "sum" }}'
    return DATA + both


def readers(n: int) -> str:
    return DATA + "".join(one("ReLU", f"r{i}", "data", f"r{i}") for i in range(n))


def in_place(n: int) -> str:
    return DATA + "".join(one("ReLU", f"r{i}", "data", "data") for i in range(n))


def in_place_of_one_name(n: int) -> str:
    return DATA + "".join(one("ReLU", "r", "data", "data") for i in range(n))


def dropouts(n: int) -> str:
    return (
        DATA + one("ReLU", "r", "data", "d0") + "".join(one("Dropout", f"r{i}", f"d{i}", f"d{i + 1}") for i in range(n))
    )


def left_out(n: int) -> str:
    rule = "include { phase: TRAIN }"
    return readers(n) + "".join(one("ReLU", f"t{i}", "data", f"t{i}", rule) for i in range(n))


def equal_inputs(n: int) -> str:
    inputs = "".join(DATA.replace('"data"', f'"d{i}"') for i in range(n))
    return (
        inputs
        + f'layer {{ name: "sum" type: "Eltwise" {" ".join(f"bottom: {chr(34)}d{i}{chr(34)}" for i in range(n))} top: "sum" }}'
    )


def padded_poolings(n: int) -> str:
    padded = "pooling_param { kernel_size: 3 stride: 2 pad: 1 }"
    larger = "convolution_param { num_output: 2 kernel_size: 2 stride: 2 }"
    pairs = (
        one("Pooling", f"p{i}", f"d{i}", f"p{i}", padded) + one("Deconvolution", f"u{i}", f"p{i}", f"d{i + 1}", larger)
        for i in range(n // 2)
    )
    return DATA.replace('top: "data"', 'top: "d0"') + "".join(pairs)


NETS = (split, readers, in_place, in_place_of_one_name, dropouts, left_out, equal_inputs, padded_poolings)


def steps(work: Callable[[], object]) -> int:
    """Lines of the package that run: what a loop inside a function does is counted, as a call of it is."""
    count = 0
    folder = netsurgery.__path__[0]
    ours: dict[CodeType, bool] = {}

    def line(frame: object, event: str, argument: object) -> object:
        nonlocal count
        count += 1
        return line

    def call(frame: object, event: str, argument: object) -> object:
        code = frame.f_code  # type: ignore[attr-defined]
        if code not in ours:
            ours[code] = code.co_filename.startswith(folder)
        return line if ours[code] else None

    sys.settrace(call)
    try:
        work()
    finally:
        sys.settrace(None)
    return count


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_steps_grow_as_the_net_does(net: Callable[[int], str]) -> None:
    def work(n: int) -> None:
        read = passes.initialize(from_text(net(n)))
        netsurgery.to_onnx(read)
        netsurgery.to_prototxt(read)
        netsurgery.diff(read, read)

    work(4)  # imports
    assert steps(lambda: work(160)) < 5 * steps(lambda: work(40))
