"""Where blobs look: AlexNet's known figures, and windows found by changing single pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from windows import data, layer, window

import netsurgery
from netsurgery import geometry
from netsurgery.errors import ShapeError
from netsurgery.formats.load import from_text
from netsurgery.net import Net


@st.composite
def nets(draw: st.DrawFn) -> tuple[str, str]:
    """Windows of every kind, one behind the other; and the last blob."""
    text, blob = data(draw(st.integers(9, 13)), draw(st.integers(9, 13))), "data"
    for i in range(draw(st.integers(1, 4))):
        types = ["Convolution", "Pooling", "Deconvolution", "Crop", "Inception", "CropCenter", "Upsample", "LRN"]
        if "Deconvolution" in text:
            types.remove("LRN")  # of the zeros that it may leave LRN makes zeros, whatever is around
        type, name = draw(st.sampled_from(types)), f"b{i}"
        kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        size = f"kernel_size: {kernel} stride: {stride} pad: {draw(st.integers(0, kernel - 1))}"
        if type in ("Convolution", "Deconvolution"):
            more = window(name, type, blob, f"{size} dilation: {draw(st.integers(1, 3))}")
        elif type == "Pooling":  # windows do not lie outside, where an average is 0 / 0
            more = window(name, type, blob, size.replace(f"stride: {stride}", f"stride: {min(stride, kernel)}"))
        elif type == "Crop":
            offset = draw(st.integers(0, 3))
            more = window(f"{name}s", "Convolution", blob, "kernel_size: 4")
            more += layer(name, "Crop", f"{blob} {name}s", f"crop_param {{ axis: 2 offset: {offset} }}")
        elif type == "Inception":
            more = window(
                f"{name}l", "Convolution", blob, f"kernel_size: {2 * kernel + 1} pad: {kernel} stride: {stride}"
            )
            more += window(f"{name}r", "Convolution", blob, f"kernel_size: 1 stride: {stride}")
            more += layer(name, "Eltwise", f"{name}l {name}r")
        elif type == "LRN":
            more = layer(name, "LRN", blob, "lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 }")
        elif type == "CropCenter":
            sizes = " ".join(f"crop_size: {n}" for n in (0, 0, 1, 2))
            more = layer(name, "CropCenter", blob, f"crop_center_param {{ {sizes} }}")
        else:
            more = layer(name, "Upsample", blob, "upsample_param { scale: 2 }")
        try:
            shape = from_text(text + more).shapes()[name]
        except ShapeError:  # the map is too small for that
            break
        if max(n or 0 for n in shape) > 40:
            break
        text, blob = text + more, name
    return text, blob


def all_ones(net: Net) -> Net:
    """The net with weights of 1: a change of a pixel is felt wherever it is seen."""
    shapes = net.shapes()
    layers = []
    for x in net.layers:
        wanted = x.kind.weight_shapes([shapes[b] for b in x.bottoms])
        layers.append(replace(x, weights=tuple(np.ones(w, np.float32) for w in wanted)))
    return net.with_layers(layers)


@settings(max_examples=50, deadline=None)
@given(nets())
def test_a_window_is_what_changes_the_position(made: tuple[str, str]) -> None:
    text, blob = made
    net = all_ones(from_text(text))
    found = geometry(net, blob)
    h, w = found.declared
    image = np.random.default_rng(0).uniform(1, 2, (1, 1, h, w))
    changed = np.repeat(image, h * w, axis=0)
    changed[np.arange(h * w), 0, np.arange(h * w) // w, np.arange(h * w) % w] += 1
    before = netsurgery.run(net, {"data": image}, [blob], dtype=np.float64)[blob]
    after = netsurgery.run(net, {"data": changed}, [blob], dtype=np.float64)[blob]
    felt = (np.abs(after - before) > 1e-9 * np.abs(before))[:, 0].reshape(h, w, *before.shape[2:])
    for i, j in np.ndindex(*before.shape[2:]):
        rows, columns = np.nonzero(felt[:, :, i, j])
        windows = found.window(i, j)
        if not len(rows):
            assert not all(windows)
            continue
        assert windows == (range(rows.min(), rows.max() + 1), range(columns.min(), columns.max() + 1))
        for seen, at, field, stride, offset in zip(
            windows, (i, j), found.receptive_field, found.stride, found.offset, strict=True
        ):
            assert field is not None and stride is not None and offset is not None
            assert len(seen) <= field
            if isinstance(stride, int) and stride and "Deconvolution" not in text and "Upsample" not in text:
                assert seen[0] >= at * stride + offset and seen[-1] < at * stride + offset + field


@settings(max_examples=30, deadline=None)
@given(nets(), st.integers(1, 6))
def test_sizes_are_all_that_give_so_many_positions(made: tuple[str, str], positions: int) -> None:
    text, blob = made
    found = geometry(from_text(text), blob)
    for axis, sizes in enumerate(found.sizes(positions)):
        for size in range(1, 60):
            full = [size if a == axis else n for a, n in enumerate(found.declared)]
            try:
                count = found.output_size(*full)[axis]
            except ShapeError:
                count = 0
            assert (count == positions) == (sizes is not None and size in sizes)
