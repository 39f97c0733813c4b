"""What nets become in Caffe2, kept as text in fixtures/caffe2: one case for each layer type, the one of the shortest text.

python tests/helpers/caffe2_golden.py          writes the files anew; what changed is to be looked at, and run in Caffe2
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cases
from google.protobuf import text_format
from small_nets import with_random_weights

import netsurgery
from netsurgery._proto.caffe2 import new
from netsurgery.errors import UnsupportedLayersError
from netsurgery.exporters.caffe2.export import Caffe2Net
from netsurgery.formats.load import from_text

GOLDEN = cases.FIXTURES / "caffe2"
PARAMETER = "# "

# Layers for which no numbers of Caffe's exist (they say so themselves: "by formula").
BY_FORMULA = {
    "bilinear_interpolation": 'layer { name: "y" type: "BilinearInterpolation" bottom: "x" top: "y"'
    " bilinear_interpolation_param { interpolation_factor: 2 } }",
    "brelu": 'layer { name: "y" type: "BReLU" bottom: "x" top: "y" brelu_param { maxval: 0.5 } }',
    "convolution_fused": 'layer { name: "y" type: "Convolution" bottom: "x" top: "y"'
    " convolution_param { num_output: 2 kernel_size: 1 relu: true } }",
    "exp_max": 'layer { name: "y" type: "ExpMax" bottom: "x" top: "y" expmax_param { base: 2 shift: 1 } }',
    "gelu": 'layer { name: "y" type: "GELU" bottom: "x" top: "y" }',
    "grid": 'layer { name: "y" type: "Grid" bottom: "x" top: "y" }',
    "group_norm": 'layer { name: "y" type: "GroupNorm" bottom: "x" top: "y" group_norm_param { group: 2 } }',
    "hard_sigmoid": 'layer { name: "y" type: "HardSigmoid" bottom: "x" top: "y" }',
    "hard_swish": 'layer { name: "y" type: "HardSwish" bottom: "x" top: "y" }',
    "insanity": 'layer { name: "y" type: "Insanity" bottom: "x" top: "y" }',
    "mat_mul": 'layer { name: "y" type: "MatMul" bottom: "x" bottom: "x" top: "y" matmul_param { transpose_b: true } }',
    "merge_crop": 'layer { name: "y" type: "MergeCrop" bottom: "x" bottom: "x" top: "y" }',
    "neg_square": 'layer { name: "y" type: "NegSquare" bottom: "x" top: "y" }',
    "norm_l2": 'layer { name: "y" type: "NormL2" bottom: "x" top: "y" }',
    "soft_truncation": 'layer { name: "y" type: "SoftTruncation" bottom: "x" top: "y" }',
    "crelu": 'layer { name: "y" type: "CReLU" bottom: "x" top: "y" }',
    "imresize": 'layer { name: "y" type: "ImResize" bottom: "x" top: "y" imresize_param { factor: 2 } }',
    "infogainloss": 'layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 1 dim: 3 dim: 4 } } }'
    ' layer { name: "h" type: "Input" top: "h" input_param { shape { dim: 2 dim: 2 } } }'
    ' layer { name: "y" type: "InfogainLoss" bottom: "x" bottom: "label" bottom: "h" top: "y" }',
    "maskpooling": 'layer { name: "m" type: "Input" top: "m" input_param { shape { dim: 1 dim: 1 dim: 3 dim: 4 } } }'
    ' layer { name: "y" type: "MaskPooling" bottom: "x" bottom: "m" top: "y" }',
    "mish": 'layer { name: "y" type: "Mish" bottom: "x" top: "y" }',
    "nms": 'layer { name: "y" type: "Nms" bottom: "x" top: "y" nms_param { num_parts: 1 max_peaks: 2 threshold: 0.1 } }',
    "pool_in_a_name": 'layer { name: "Pool5" type: "Pooling" bottom: "x" top: "y"'
    " pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }"
    ' layer { name: "GlobalPool" type: "Pooling" bottom: "y" top: "z" pooling_param { pool: AVE global_pooling: true } }',
    "selu": 'layer { name: "y" type: "SeLU" bottom: "x" top: "y" }',
    "spatial_dropout_of_enet": 'layer { name: "y" type: "Python" bottom: "x" top: "y" python_param {'
    ' module: "spatial_dropout" layer: "SpatialDropoutLayer" param_str: "{\'p\': 0.1}" } }',
}
INPUT = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 4 } } } '


def nets(name: str = "") -> dict[str, list[netsurgery.Net]]:
    """For each name, or for one, the nets, of which the one of the shortest text is kept; those that have no form in Caffe2 are left
    out."""
    by_name: dict[str, list[netsurgery.Net]] = {}
    for case in cases.find("conformance", "conformance-forks"):
        own = case.parent.relative_to(cases.FIXTURES).as_posix().replace("/", "_")
        if name not in ("", own) or case.parent.name in ("nets", "surgery") or cases.name(case) in cases.NOT_IN_CAFFE2:
            continue
        net = cases.load(case)
        if has_operators(net):
            by_name.setdefault(own, []).append(net)
    for formula, text in BY_FORMULA.items():
        if name in ("", f"by_formula_{formula}"):
            by_name[f"by_formula_{formula}"] = [with_random_weights(from_text(INPUT + text))]
    return by_name


def has_operators(net: netsurgery.Net) -> bool:
    """Whether every layer has a form in Caffe2."""
    try:
        netsurgery.to_caffe2(net)
    except UnsupportedLayersError:
        return False
    return True


def as_text(made: Caffe2Net) -> str:
    """The predict net, an operator a line, behind the names and shapes of the parameters."""
    lines = [f"{PARAMETER}{line}" for line in parameters(made)]
    net: Any = new("NetDef")
    net.CopyFrom(made.predict)
    lines += [f"op {{ {text_format.MessageToString(op, as_one_line=True)} }}" for op in net.op]
    net.ClearField("op")
    return "\n".join([*lines, text_format.MessageToString(net)])


def parameters(made: Caffe2Net) -> list[str]:
    return [f"{name} {array.dtype} {'x'.join(map(str, array.shape))}" for name, array in made.parameters.items()]


def from_golden(path: Path) -> tuple[Any, list[str]]:
    """The predict net that a file holds, and its parameters."""
    text = path.read_text(encoding="utf-8")
    held = [line.removeprefix(PARAMETER) for line in text.splitlines() if line.startswith(PARAMETER)]
    return text_format.Parse(text, new("NetDef")), held


def main() -> int:
    GOLDEN.mkdir(exist_ok=True)
    for path in GOLDEN.glob("*.pbtxt"):
        path.unlink()
    for name, several in nets().items():
        texts = sorted((as_text(netsurgery.to_caffe2(net)) for net in several), key=len)
        (GOLDEN / f"{name}.pbtxt").write_text(texts[0], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
