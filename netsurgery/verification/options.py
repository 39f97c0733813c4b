"""What goes into both models, and how they are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..options import File, Flag, Kind, Limits, Many, Number, Pairs, Shape, Size, choice, option, whole

if TYPE_CHECKING:
    import os

    from .feeds import Range

INPUTS = "What goes in"
COMPARING = "Comparing"


@dataclass(frozen=True)
class Inputs:
    """What goes in: see `netsurgery.verify`."""

    sizes: Sequence[int | Sequence[int]] = option(
        (),
        Many(
            "HEIGHTxWIDTH, such as 300x420, or one number for both",
            "HEIGHTxWIDTH",
            'sizes of images: [227, "451x300"]',
            of=Size(),
        ),
        "size",
        "An image size, such as 300x420, or 227. Repeatable.",
        panel=INPUTS,
    )
    batches: Sequence[int] = option(
        (), Many("a list of positive numbers", of=whole(1)), "batch", "A number of images. Repeatable.", panel=INPUTS
    )
    images: Sequence[str | os.PathLike[str]] = option(
        (),
        Many("paths of images or folders", of=File()),
        "image",
        "An image, or a folder of images, in place of random ones. Repeatable.",
        panel=INPUTS,
    )
    arrays: Mapping[str, Any] = option(
        {},
        Pairs(
            "paths of arrays: BLOB=FILE.npy, or one FILE.npz",
            "BLOB=FILE",
            'paths of arrays: { data = "x.npy" }, or one .npz',
            of=File(),
            nameless=True,
        ),
        "input",
        "An array in place of random numbers: data=x.npy, data=x.npz, or x.npz. Repeatable.",
        panel=INPUTS,
        old="inputs",
    )
    ranges: Mapping[str, Range | Sequence[float]] = option(
        {},
        Pairs(
            "BLOB=LOW,HIGH, such as data=0,255", "BLOB=LOW,HIGH", "limits of pixels: { data = [0, 255] }", of=Limits()
        ),
        "range",
        "What the pixels that go in lie between, such as data=0,1. Default: as the net says. Repeatable.",
        panel=INPUTS,
    )
    seed: int = option(0, whole(0), "seed", "The seed of random numbers.")
    shapes: Sequence[Mapping[str, Sequence[int]]] = option(
        (),
        Many("shapes of inputs: [{ data = [1, 3, 227, 227] }]", of=Pairs(of=Shape())),
        "",
        "Whole shapes of inputs, in a manifest; on the command line --input-shape.",
        key="shapes",
    )


@dataclass(frozen=True)
class Opinion(Kind):
    """netsurgery, caffe ..., or the path of recorded numbers."""

    def read(self, value: Any, folder: Path) -> str:
        return str(folder / value) if value.endswith(".npz") else str(value)


@dataclass(frozen=True)
class Comparing:
    """Whose numbers are right, which blobs count, and how close they must be: see `netsurgery.verify`."""

    against: Sequence[str] = option(
        (),
        Many("netsurgery, caffe, caffe2, opencv, onnx, or a path that ends in .npz", "WHOM", of=Opinion()),
        "against",
        "Whose numbers are right: netsurgery, caffe, caffe2, opencv, onnx, or FILE.npz. Repeatable. Default: netsurgery.",
        panel=COMPARING,
    )
    runtime: str | None = option(
        None,
        choice("onnxruntime", "netsurgery", "caffe2", "openvino", "opencv", "torch", "mnn", "tract", "web"),
        "in",
        "What runs the model. Default: by the model.",
        panel=COMPARING,
        key="runtime",
    )
    outputs: Sequence[str] | None = option(
        None,
        Many("names of blobs", "BLOB"),
        "output",
        "A blob that counts, in place of the net's outputs. Repeatable.",
        panel=COMPARING,
    )
    names: Mapping[str, str] | None = option(
        None,
        Pairs("BLOB=NAME, such as prob=output_0", "BLOB=NAME", 'names: { prob = "output_0" }'),
        "map",
        "What the model calls a blob of the net. Repeatable.",
        panel=COMPARING,
    )
    inner: bool | None = option(
        None,
        Flag(negative="outputs-only"),
        "every-blob",
        "Compare blobs between. Default: if netsurgery wrote the model.",
        panel=COMPARING,
    )
    rtol: float | None = option(
        None,
        Number("a number from 0 on", least=0),
        "rtol",
        "Allowed error, as a share of a blob's largest value. Default: 1e-4.",
        panel=COMPARING,
    )
    atol: float | None = option(
        None, Number("a number from 0 on", least=0), "atol", "Allowed error besides. Default: 1e-9.", panel=COMPARING
    )
    timeout: float | None = option(
        None,
        Number("a number of seconds, 0 for no limit", least=0),
        "timeout",
        "Seconds that an ONNX model may take for a run, in a process of its own; 0: no limit. Default: 600.",
        panel=COMPARING,
    )
