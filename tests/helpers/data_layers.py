"""Images as data layers prepare them: the nets, files and databases that real Caffe and netsurgery are given, and Caffe's answers.

python tests/helpers/data_layers.py fixtures/pixels/data_layers.npz        writes the answers of a Caffe that is here
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import databases
import live
import numpy as np
from PIL import Image

import netsurgery
from netsurgery import pycaffe, vision
from netsurgery.formats.preprocessing import from_net
from netsurgery.passes.deploy import deploy
from netsurgery.pycaffe.io import array_to_blobproto

Array = np.ndarray[Any, Any]
KINDS = ("ImageData", "Data", "MemoryData")
MEANS = {
    "mean image": 'mean_file: "{folder}/mean_{channels}.binaryproto" scale: 0.0125',
    "mean values": "{values} scale: 0.5",
    "none": "scale: 2",
}
CASES = [(kind, channels, mean) for kind in KINDS for channels in (3, 1) for mean in MEANS]
SIDES, CROP = (23, 26), 15
"""The size of images and of the mean image, and that of the crop."""
NET = """layer {{ name: "data" type: "{kind}" top: "data" top: "label"
  transform_param {{ crop_size: {crop} mirror: false {transform} }} {source} }}
layer {{ name: "y" type: "Power" bottom: "data" top: "y" }}"""


def key(kind: str, channels: int, mean: str) -> str:
    return f"{kind}/{channels}/{mean}"


def build(folder: Path, seed: int) -> None:
    """Two images as PNG, as JPEG, in databases; mean images."""
    rng = np.random.default_rng(seed)
    names = []
    for name in ("a", "b"):
        small = Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        grown = np.asarray(small.resize((37, 29), Image.Resampling.BICUBIC)).astype(int) + rng.integers(
            -9, 10, (29, 37, 3)
        )
        picture = Image.fromarray(grown.clip(0, 255).astype(np.uint8))
        picture.save(folder / f"{name}.png")
        picture.save(folder / f"{name}.jpg", quality=92, subsampling=0)  # colour planes as large as the image
        names += [folder / f"{name}.png", folder / f"{name}.jpg"]
    (folder / "list.txt").write_text("".join(f"{name} {k}\n" for k, name in enumerate(names)))
    for channels in (3, 1):
        mean = np.round(rng.uniform(60, 190, (1, channels, *SIDES)), 2)
        (folder / f"mean_{channels}.binaryproto").write_bytes(array_to_blobproto(mean).SerializeToString())
        databases.write_database("lmdb", folder / f"lmdb_{channels}", stored(channels), False)


def stored(channels: int) -> Array:
    """The pixels in the database, and for MemoryData."""
    return np.random.default_rng(channels).integers(0, 256, (2, channels, *SIDES), dtype=np.uint8)


def prototxt(folder: Path, kind: str, channels: int, mean: str) -> Path:
    """The net of a case, as a file in the folder."""
    values = " ".join(f"mean_value: {m}" for m in (104, 117.5, 123)[:channels])
    transform = MEANS[mean].format(folder=folder, channels=channels, values=values)
    height, width = SIDES
    source = {
        "ImageData": f'image_data_param {{ source: "{folder}/list.txt" batch_size: 4 new_height: {height} new_width: {width} '
        f"is_color: {'true' if channels == 3 else 'false'} }}",
        "Data": f'data_param {{ source: "{folder}/lmdb_{channels}" batch_size: 2 backend: LMDB }}',
        "MemoryData": f"memory_data_param {{ batch_size: 2 channels: {channels} height: {height} width: {width} }}",
    }[kind]
    path = folder / f"{kind}_{channels}_{mean.replace(' ', '_')}.prototxt"
    path.write_text(NET.format(kind=kind, crop=CROP, transform=transform, source=source))
    return path


def in_caffe(folder: Path) -> dict[str, Array]:
    """What the layers of real Caffe give, by `key`."""
    nets = [
        (prototxt(folder, *case), stored(case[1]).astype(np.float32) if case[0] == "MemoryData" else None)
        for case in CASES
    ]
    answers = live.sources_in_caffe(nets, folder / "caffe")
    return {key(*case): blobs["y"] for case, blobs in zip(CASES, answers, strict=True)}


def in_netsurgery(folder: Path, kind: str, channels: int, mean: str) -> Array:
    """What netsurgery's pycaffe gives."""
    net = pycaffe.Net(str(prototxt(folder, kind, channels, mean)), pycaffe.TEST)
    if kind == "MemoryData":
        net.set_input_arrays(stored(channels).astype(np.float32), np.zeros((2, 1, 1, 1), np.float32))
    net.forward()
    return np.array(net.blobs["y"].data)


def by_features(folder: Path, kind: str, channels: int, mean: str) -> Array:
    """What `features` makes of the list of images, or of the pixels in the database."""
    net = netsurgery.load(prototxt(folder, kind, channels, mean))
    images: list[Any] = [line.split()[0] for line in (folder / "list.txt").read_text().splitlines()]
    if kind == "Data":
        images = [image.transpose(1, 2, 0)[..., ::-1] for image in stored(channels)]
    net, done = deploy(net, {"data": (1, channels, CROP, CROP)}), from_net(net)
    return np.concatenate([vision.features(net, [image], ["y"], preprocessing=done)["y"] for image in images])


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        build(Path(name), 0)
        np.savez_compressed(sys.argv[1], **in_caffe(Path(name)))


if __name__ == "__main__":
    main()
