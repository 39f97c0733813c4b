"""Random small nets, as Caffe would accept them, with weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from netsurgery.formats.load import from_text
from netsurgery.net import Net


def with_random_weights(net: Net, seed: int = 0) -> Net:
    """The net with numbers for every blob that its layers want: small ones, statistics positive."""
    rng = np.random.default_rng(seed)
    shapes = net.shapes()
    layers = []
    for layer in net.layers:
        wanted = layer.kind.weight_shapes([shapes[b] for b in layer.bottoms])
        blobs = [rng.normal(0, 0.3, w).astype(np.float32) for w in wanted]
        if layer.type == "BatchNorm":
            blobs[1:3] = [np.abs(blobs[1]) + np.float32(0.5), np.ones(1, np.float32)]
        layers.append(replace(layer, weights=tuple(blobs)))
    return net.with_layers(layers)


@st.composite
def small_nets(draw: st.DrawFn) -> Net:
    """Convolutions, pools, activations in place and not, branches that meet again, BatchNorm with Scale, InnerProducts."""
    net = from_text(draw(texts()))
    return with_random_weights(net, draw(st.integers(0, 1000)))


@st.composite
def texts(draw: st.DrawFn) -> str:
    """The prototxt of such a net."""
    shape = (1, draw(st.integers(1, 4)), draw(st.integers(5, 9)), draw(st.integers(5, 9)))
    dims = " ".join(f"dim: {n}" for n in shape)
    lines = [
        'name: "small"',
        f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}',
    ]
    shapes: dict[str, tuple[int, ...]] = {"data": shape}
    read = {"data": 0}

    def add(kind: str, bottoms: list[str], params: str, out: tuple[int, ...], in_place: bool = False) -> None:
        name = f"{kind.lower()}{len(lines)}"
        top = bottoms[0] if in_place else name
        for b in bottoms:
            read[b] += 1
        wires = " ".join([*(f'bottom: "{b}"' for b in bottoms), f'top: "{top}"'])
        comment = draw(st.sampled_from(["", "", "# a comment\n"]))
        lines.append(f'{comment}layer {{ name: "{name}" type: "{kind}" {wires} {params} }}')
        shapes[top] = out
        read[top] = 0

    for _ in range(draw(st.integers(1, 7))):
        bottom = draw(st.sampled_from(sorted(shapes)))
        n, c, *rest = shapes[bottom]
        may = read[bottom] == 0 and bottom != "data"
        ops = ["ReLU", "TanH", "Dropout", "InnerProduct", "Norm", "Eltwise", "Concat"]
        op = draw(st.sampled_from([*ops, "Convolution", "Pooling"] if len(rest) == 2 and min(rest) >= 3 else ops))
        if op in ("ReLU", "TanH", "Dropout"):
            params = "relu_param { negative_slope: 0.1 }" if op == "ReLU" and draw(st.booleans()) else ""
            add(op, [bottom], params, shapes[bottom], may and draw(st.booleans()))
        elif op == "Norm":
            in_place = may and draw(st.booleans())
            add("BatchNorm", [bottom], "batch_norm_param { use_global_stats: true }", shapes[bottom], in_place)
            top = bottom if in_place else f"batchnorm{len(lines) - 1}"
            add("Scale", [top], "scale_param { bias_term: true }", shapes[bottom], True)
        elif op == "InnerProduct":
            k = draw(st.integers(1, 4))
            add(op, [bottom], f"inner_product_param {{ num_output: {k} }}", (n, k))
        elif op == "Convolution":
            kernel, pad, group = draw(st.integers(1, 3)), draw(st.integers(0, 1)), draw(st.sampled_from([1, c]))
            out = tuple(x + 2 * pad - kernel + 1 for x in rest)
            params = f"num_output: {2 * c} kernel_size: {kernel} pad: {pad} group: {group}"
            add(op, [bottom], f"convolution_param {{ {params} }}", (n, 2 * c, *out))
        elif op == "Pooling":
            kind = draw(st.sampled_from(["MAX", "AVE"]))
            out = tuple(x - 1 for x in rest)
            add(op, [bottom], f"pooling_param {{ pool: {kind} kernel_size: 2 stride: 1 }}", (n, c, *out))
        else:
            alike = [b for b in sorted(shapes) if shapes[b] == shapes[bottom] and b != bottom]
            if not alike:
                continue
            other = draw(st.sampled_from(alike))
            out = shapes[bottom] if op == "Eltwise" else (n, 2 * c, *rest)
            add(op, [bottom, other], "", out)
    return "\n".join(lines) + "\n"
