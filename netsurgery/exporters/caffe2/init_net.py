"""The net that fills parameters in, written piece by piece: the values go from where they lie into the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO

import numpy as np

from ..._proto.caffe2 import BOOL, FLOAT, INT64, new
from ...files.copy import copy_array
from ...files.wire import BYTES, put_bytes, put_tag, put_varint
from ..builder import Array

CONSTANT_SIZE = 64
"""From so many equal numbers on a fill of one number is written."""

# Numbers of fields on the wire: NetDef.name and op, OperatorDef.output, type and arg, Argument.name, i, f, floats and ints.
_NET_NAME, _OP, _OUTPUT, _TYPE, _ARG = 1, 2, 2, 4, 5
_ARGUMENT_NAME, _FLOATS, _INTS = 1, 5, 6
_FILLS = {"f": "GivenTensorFill", "i": "GivenTensorInt64Fill", "b": "GivenTensorBoolFill"}
_DTYPES = {"f": FLOAT, "i": INT64, "b": BOOL}


def write_init(out: BinaryIO, name: str, parameters: Mapping[str, Array]) -> None:
    """Writes the net that fills parameters in, their values straight from where they lie."""
    for head, array in fills(name, parameters):
        out.write(head)
        if array is not None:
            copy_array(array, out)


def init_bytes(name: str, parameters: Mapping[str, Array]) -> Iterator[bytes]:
    """The same as bytes."""
    for head, array in fills(name, parameters):
        yield head
        if array is not None:
            yield np.ascontiguousarray(array, "<f4").tobytes()


def fills(name: str, parameters: Mapping[str, Array]) -> Iterator[tuple[bytes, Array | None]]:
    """The init net piece by piece: bytes, and the float32 values that follow them."""
    yield put_bytes(_NET_NAME, f"{name}_init".encode()), None
    for blob, array in parameters.items():
        yield _fill(blob, array)
    outputs = new("NetDef")
    outputs.type = "simple"
    outputs.external_output.extend(parameters)
    yield outputs.SerializeToString(), None


def _fill(name: str, array: Array) -> tuple[bytes, Array | None]:
    """The operator that fills a parameter in, up to its values where these are float32 and many."""
    op = new("OperatorDef")
    op.output.append(name)
    op.arg.add(name="shape", ints=array.shape)
    kind = array.dtype.kind
    if array.size >= CONSTANT_SIZE and (array.flat[:16] == array.flat[0]).all() and (array == array.flat[0]).all():
        op.type = "ConstantFill"
        if kind == "f":
            op.arg.add(name="value", f=float(array.flat[0]))
        else:
            op.arg.add(name="value", i=int(array.flat[0]))
            op.arg.add(name="dtype", i=_DTYPES[kind])
        return put_bytes(_OP, op.SerializeToString(deterministic=True)), None
    op.type = _FILLS[kind]
    if kind != "f":
        op.arg.add(name="values", ints=[int(v) for v in array.ravel().tolist()])
        return put_bytes(_OP, op.SerializeToString(deterministic=True)), None
    values = put_bytes(_ARGUMENT_NAME, b"values") + put_tag(_FLOATS, BYTES) + put_varint(4 * array.size)
    argument = put_tag(_ARG, BYTES) + put_varint(len(values) + 4 * array.size) + values
    body = op.SerializeToString(deterministic=True) + argument
    return put_tag(_OP, BYTES) + put_varint(len(body) + 4 * array.size) + body, array
