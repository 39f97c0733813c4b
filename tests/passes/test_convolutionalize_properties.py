"""InnerProduct read as Convolution: the numbers of hand-converted nets in real Caffe, the old net on every window, and every refusal."""

from __future__ import annotations

import cases
import numpy as np
from fully_convolutional import data, layer, same_on_windows
from hypothesis import given, settings
from hypothesis import strategies as st
from small_nets import with_random_weights

import netsurgery
from netsurgery import convolutionalize
from netsurgery.formats.load import from_text


@st.composite
def classifiers(draw: st.DrawFn) -> tuple[str, str]:
    """An unpadded net that ends in InnerProducts, in which no pooling window is clipped; and its last blob."""
    sizes = [draw(st.integers(8, 14)), draw(st.integers(8, 14))]
    lines = [data(1, draw(st.integers(1, 3)), *sizes)]
    blob = "data"

    def add(type: str, params: str = "", in_place: bool = False, bottoms: str = "") -> None:
        nonlocal blob
        top = blob if in_place else f"b{len(lines)}"
        lines.append(layer(f"l{len(lines)}", type, bottoms or blob, top, params))
        blob = top

    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["conv", "pool", "act", "lrn", "inception"]))
        kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 2))
        span = kernel
        if kind == "conv":
            dilation = draw(st.integers(1, 2))
            span = dilation * (kernel - 1) + 1
            params = f"num_output: 3 kernel_size: {kernel} stride: {stride} dilation: {dilation}"
        if kind in ("conv", "pool", "inception") and min(sizes) < span + 2:
            continue
        if kind == "conv":
            add("Convolution", f"convolution_param {{ {params} }}")
            sizes = [(n - span) // stride + 1 for n in sizes]
        elif kind == "pool":
            stride = stride if all((n - kernel) % stride == 0 for n in sizes) else 1
            stride = min(stride, kernel)
            pool = draw(st.sampled_from(["MAX", "AVE"]))
            add("Pooling", f"pooling_param {{ pool: {pool} kernel_size: {kernel} stride: {stride} }}")
            sizes = [(n - kernel) // stride + 1 for n in sizes]
        elif kind == "inception":
            bottom = blob
            add("Convolution", f"convolution_param {{ num_output: 2 kernel_size: {kernel} }}")
            left, blob = blob, bottom
            add("Pooling", f"pooling_param {{ pool: MAX kernel_size: {kernel} stride: 1 }}")
            add("Concat", bottoms=f"{left} {blob}")
            sizes = [n - kernel + 1 for n in sizes]
        elif kind == "lrn":
            add("LRN", "lrn_param { local_size: 3 alpha: 0.5 }")
        elif blob != "data":
            add(draw(st.sampled_from(["ReLU", "TanH", "PReLU"])), in_place=True)
    if draw(st.booleans()):
        add(
            draw(st.sampled_from(["Flatten", "Reshape"])),
            "flatten_param { axis: 1 } reshape_param { shape { dim: 0 dim: -1 } }",
        )
    for _ in range(draw(st.integers(1, 3))):
        options = draw(st.sampled_from(["", "transpose: true", "bias_term: false"]))
        add("InnerProduct", f"inner_product_param {{ num_output: {draw(st.integers(1, 4))} {options} }}")
        act = draw(st.sampled_from(["", "ReLU", "Sigmoid", "PReLU", "BatchNorm", "Scale", "Dropout", "Softmax"]))
        if act:
            add(act, in_place=True)
    return "".join(lines), blob


@settings(max_examples=80, deadline=None)
@given(classifiers(), st.integers(0, 100), st.integers(0, 7), st.integers(0, 7))
def test_a_position_of_the_map_is_the_old_net_on_its_window(
    made: tuple[str, str], seed: int, down: int, right: int
) -> None:
    text, blob = made
    before = with_random_weights(from_text(text), seed)
    same_on_windows(before, convolutionalize(before), blob, (down, right))


@settings(max_examples=15, deadline=None)
@given(classifiers(), st.integers(0, 100))
def test_one_export_runs_at_the_declared_and_at_a_larger_size(made: tuple[str, str], seed: int) -> None:
    text, blob = made
    after = convolutionalize(with_random_weights(from_text(text), seed))
    session = cases.session(netsurgery.to_onnx(after).SerializeToString())
    n, c, h, w = after.inputs["data"] or ()
    for shape in ((n, c, h, w), (2, c, h + 5, w + 3)):
        feed = {"data": np.random.default_rng(seed).normal(size=shape).astype(np.float32)}
        (got,) = session.run([blob], feed)
        want = netsurgery.run(after, feed, [blob])[blob]
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
