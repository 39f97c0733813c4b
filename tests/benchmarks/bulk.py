"""How busy the commands over many images keep onnxruntime:

    python tests/benchmarks/bulk.py [--images 1000] [COMMAND ...]

Seeded JPEGs of 500 x 375 and AlexNet with weights made up (see nets.py). For each command: images a second, and the share of the time
from its first forward to its end in which onnxruntime worked. `heatmap` draws an overlay for each image.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nets
import numpy as np
from PIL import Image
from table import header, row

from netsurgery.cli import main as netsurgery
from netsurgery.vision.model import Model

PIXELS = ("--mean", "104,117,123")
COMMANDS: dict[str, tuple[str, ...]] = {
    "classify": ("classify", "NET", "WEIGHTS", "IMAGES", *PIXELS, "--json"),
    "features": ("features", "NET", "WEIGHTS", "IMAGES", *PIXELS, "--output", "fc7", "-o", "FOLDER/features.npz"),
    "heatmap": ("heatmap", "NET", "WEIGHTS", "IMAGES", *PIXELS, "--channel", "5", "-o", "FOLDER/maps"),
    "score": ("score", "NET", "WEIGHTS", "FOLDER/list.txt", *PIXELS, "--json"),
}


def images(folder: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (32, 12, 16, 3)).astype(np.uint8)
    for i in range(count):
        picture = Image.fromarray(np.roll(coarse[i % 32], i // 32, 1)).resize((500, 375), Image.Resampling.BICUBIC)
        picture.save(folder / f"{i:04}.jpg", quality=90)


def busy(arguments: list[str]) -> tuple[float, float]:
    """(seconds from the first forward to the end, seconds in onnxruntime)"""
    forwards: list[tuple[float, float]] = []
    plain = Model._run

    def timed(self: Model, batch: Any) -> Any:
        began = time.perf_counter()
        try:
            return plain(self, batch)
        finally:
            forwards.append((began, time.perf_counter()))

    Model._run = timed  # type: ignore[method-assign]
    sys.argv = ["netsurgery", *arguments]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            code = netsurgery()
    except SystemExit as error:
        code = error.code
    finally:
        Model._run = plain  # type: ignore[method-assign]
    if code:
        raise RuntimeError(f"{' '.join(arguments)} failed")
    end = time.perf_counter()
    return end - forwards[0][0], sum(b - a for a, b in forwards)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*", metavar="COMMAND", default=list(COMMANDS))
    parser.add_argument("--images", type=int, default=1000)
    asked = parser.parse_args()
    net, weights = nets.files("alexnet")
    header("Many images", "command", "images", "seconds", "images / s", "onnxruntime busy")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "images").mkdir()
        images(folder / "images", asked.images)
        names = sorted(path.name for path in (folder / "images").iterdir())
        (folder / "list.txt").write_text("".join(f"images/{name} {i % 1000}\n" for i, name in enumerate(names)))
        said = {"NET": str(net), "WEIGHTS": str(weights), "IMAGES": str(folder / "images")}
        for name in asked.commands:
            words = [said.get(word, word.replace("FOLDER", place)) for word in COMMANDS[name]]
            seconds, worked = busy(words)
            row(name, asked.images, f"{seconds:.1f}", f"{asked.images / seconds:.0f}", f"{worked / seconds:.1%}")


if __name__ == "__main__":
    main()
