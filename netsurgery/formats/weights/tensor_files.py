"""Weights as plain arrays: .npz (NumPy) and .safetensors, each blob under `layer:number`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...aliases import Array, StrPath
from ...errors import NetsurgeryError, Source, WeightsError
from ...files.arrays import read_npz, write_npz
from ...files.boundary import open_file, package, reading
from ...files.copy import copy_array
from ...files.mapped import require_unchanged
from ...files.output import replacing

SUFFIXES = (".npz", ".safetensors")


def write_tensors(path: StrPath, arrays: Mapping[str, Array]) -> None:
    """Writes the arrays as float32, whole or not at all, in the format that the name's ending says.

    Raises: NetsurgeryError for another ending, or if the file cannot be written.
    """
    name = os.fspath(path)
    if _suffix(name) == ".npz":
        require_unchanged(arrays.values())
        with replacing(name) as out:
            write_npz(out, {key: np.asarray(array, "<f4") for key, array in arrays.items()})
            require_unchanged(arrays.values())
    else:
        _write_safetensors(name, arrays)


def _write_safetensors(path: str, arrays: Mapping[str, Array]) -> None:
    """The format: length of the header, the header as JSON, the values one after the other.

    Source: https://github.com/huggingface/safetensors (README: Format)
    """
    header: dict[str, Any] = {}
    end = 0
    for key, array in arrays.items():
        start, end = end, end + 4 * array.size
        header[key] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False).encode("utf-8", "surrogateescape")
    text += b" " * (-len(text) % 8)
    with replacing(path) as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            copy_array(array, out)


def read_tensors(path: StrPath) -> dict[str, Array]:
    """The arrays of a .npz or .safetensors file.

    Raises: WeightsError if it is missing, damaged, or something else.
    """
    name = os.fspath(path)
    suffix = _suffix(name)
    expected = f"a {suffix} file of arrays"
    return read_npz(name, expected, WeightsError) if suffix == ".npz" else _read_safetensors(name, expected)


def _read_safetensors(path: str, expected: str) -> dict[str, Array]:
    with package("reading .safetensors needs the package safetensors", "netsurgery[safetensors]", source=Source(path)):
        from safetensors import numpy as tensors
    with open_file(path, expected, WeightsError), reading(path, expected, error=WeightsError):
        return dict(tensors.load_file(path))


def _suffix(path: str) -> str:
    for suffix in SUFFIXES:
        if path.endswith(suffix):
            return suffix
    raise NetsurgeryError(
        "is neither .npz nor .safetensors", source=Source(path), expected="a name that ends in one of the two"
    )
