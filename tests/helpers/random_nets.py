"""Random whole nets of some depth, as Caffe accepts them: images through convolutions, pools, branches that meet again, in place and not,
ends of vectors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from netsurgery.errors import NetsurgeryError
from netsurgery.formats.load import from_text

Rng = np.random.Generator

ACTIVATIONS = ("ReLU", "TanH", "Sigmoid", "ELU", "AbsVal", "BNLL", "Dropout", "PReLU", "Swish")
SAME_SIZE = ("LRN", "BatchNorm", "Scale", "Bias", "MVN", "Power", "Exp", "Softmax", "Split")


@dataclass
class Growing:
    """A net that is being made: its lines, and the shape of every blob that may still be read."""

    rng: Rng
    lines: list[str] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)

    def add(self, type: str, bottoms: list[str], params: str = "", tops: int = 1, in_place: bool = False) -> None:
        """Adds a layer, unless the net would no longer be one."""
        number = len(self.lines)
        name = f"{type.lower()}{number}"
        written = [bottoms[0]] if in_place else [name] if tops == 1 else [f"{name}_{i}" for i in range(tops)]
        wires = " ".join([*(f'bottom: "{b}"' for b in bottoms), *(f'top: "{t}"' for t in written)])
        line = f'layer {{ name: "{name}" type: "{type}" {wires} {params} }}'
        try:
            shapes = from_text("\n".join([*self.lines, line])).shapes()
        except NetsurgeryError:
            return
        if any(not isinstance(n, int) or n < 1 for shape in shapes.values() for n in shape):
            return
        self.lines.append(line)
        for bottom in bottoms:
            self.reads[bottom] = self.reads.get(bottom, 0) + 1
        for top in written:
            self.shapes[top] = tuple(n for n in shapes[top] if isinstance(n, int))
            self.reads[top] = 0

    def blob(self, rank: int | None = None) -> str | None:
        """A blob to go on from: most often one that nobody read so far."""
        fits = [b for b, s in self.shapes.items() if rank is None or len(s) == rank]
        fresh = [b for b in fits if not self.reads[b]]
        choice = fresh if fresh and self.rng.random() < 0.8 else fits
        return str(self.rng.choice(choice)) if choice else None


def whole_net(rng: Rng, least: int = 5, most: int = 15) -> str:
    """The prototxt of a net of so many layers."""
    shape = (int(rng.integers(1, 3)), int(rng.integers(1, 4)), *(int(n) for n in rng.integers(6, 17, 2)))
    net = Growing(rng)
    net.lines.append(
        f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {" ".join(f"dim: {n}" for n in shape)} }} }} }}'
    )
    net.shapes["data"] = shape
    net.reads["data"] = 0
    count, tries = int(rng.integers(least, most + 1)), 0
    while len(net.lines) <= count and tries < 200:
        tries += 1
        grow(net)
    return "\n".join(net.lines) + "\n"


def grow(net: Growing) -> None:
    rng = net.rng
    image = net.blob(4)
    kind = int(rng.integers(10))
    if kind < 3 and image:
        type = "Deconvolution" if rng.random() < 0.15 else "Convolution"
        group = 2 if net.shapes[image][1] % 2 == 0 and rng.random() < 0.2 else 1
        params = (
            f"convolution_param {{ num_output: {2 * rng.integers(1, 5)} kernel_size: {rng.integers(1, 4)} pad: {rng.integers(0, 2)} "
            f"stride: {rng.integers(1, 3)} group: {group} }}"
        )
        net.add(type, [image], params)
    elif kind == 3 and image:
        pool = "MAX" if rng.random() < 0.5 else "AVE"
        window = f"kernel_size: {rng.integers(2, 4)} stride: {rng.integers(1, 3)} pad: {rng.integers(0, 2)}"
        net.add("Pooling", [image], f"pooling_param {{ pool: {pool} {window} }}")
    elif kind < 6 and (blob := net.blob()):
        alone = net.reads[blob] == 0 and blob != "data"
        net.add(str(rng.choice(ACTIVATIONS)), [blob], in_place=bool(alone and rng.random() < 0.7))
    elif kind == 6 and image:
        type = str(rng.choice(SAME_SIZE))
        params = (
            "exp_param { scale: 0.2 }"
            if type == "Exp"
            else "scale_param { bias_term: true }"
            if type == "Scale"
            else ""
        )
        net.add(type, [image], params, 2 if type == "Split" else 1)
    elif kind == 7:
        pairs = [(a, b) for a in net.shapes for b in net.shapes if a < b and net.shapes[a] == net.shapes[b]]
        if pairs:
            a, b = pairs[int(rng.integers(len(pairs)))]
            net.add("Eltwise", [a, b], f"eltwise_param {{ operation: {rng.choice(['SUM', 'PROD', 'MAX'])} }}")
    elif kind == 8 and image:
        like = [
            b
            for b, s in net.shapes.items()
            if len(s) == 4 and s[0] == net.shapes[image][0] and s[2:] == net.shapes[image][2:]
        ]
        net.add("Concat", [image, str(rng.choice(like))])
    elif blob := net.blob():
        if rng.random() < 0.5:
            net.add("InnerProduct", [blob], f"inner_product_param {{ num_output: {rng.integers(2, 7)} }}")
        elif rng.random() < 0.5:
            net.add("Flatten", [blob])
        else:
            net.add("Reshape", [blob], "reshape_param { shape { dim: 0 dim: -1 } }")
