"""Take the weights of a net out into a file of plain arrays, and put them back.

conv1: W (96, 3, 11, 11), b (96)      dump_weights(net, "w.npz"):      w.npz: conv1:0 (96, 3, 11, 11), conv1:1 (96)
"""

from __future__ import annotations

import os

from ..aliases import StrPath
from ..errors import Source, WeightsError
from ..formats.weights.tensor_files import read_tensors, write_tensors
from ..net import Net
from ._weights import as_float32, with_blobs


def dump_weights(net: Net, path: StrPath) -> Net:
    """Writes every blob as array `layer:number` into a .npz or .safetensors file, whole or not at all; gives the net as it is.

    Raises: NetsurgeryError for another ending, or if the file cannot be written.
    """
    write_tensors(path, {f"{layer.name}:{i}": w for layer in net.layers for i, w in enumerate(layer.weights)})
    return net


def load_weights(net: Net, path: StrPath) -> Net:
    """The net with the arrays `layer:number` of a .npz or .safetensors file as its blobs; those not in the file stay.

    Raises: WeightsError for an array of another name, or one that does not fit.
    """
    blobs = {}
    for key, array in read_tensors(path).items():
        name, colon, number = key.rpartition(":")
        if not colon or not number.isascii() or not number.isdigit() or name not in net:
            raise WeightsError(
                f"array '{key}' is no blob of the net",
                source=Source(os.fspath(path)),
                expected="arrays named layer:number, such as conv1:0",
            )
        blobs[name, int(number)] = as_float32(array, net[name], int(number))
    return with_blobs(net, blobs)
