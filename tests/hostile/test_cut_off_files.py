"""Weights files that are cut off between the look at them and the read: an error that names the file, never the end of the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import netsurgery

ROOT = Path(__file__).parents[2]
CHANGED = "has changed since it was read: it has 4096 bytes"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere such a file still ends the process")

READS = """
import hashlib, mmap, os, shutil, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import netsurgery

prototxt, good, path = sys.argv[1:]


def weights():
    shutil.copy(good, path)
    blob = netsurgery.load(prototxt, path)["ip1"].weights[0]
    os.truncate(path, 4096)
    return blob


def threaded(blob):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: float(np.float64(blob).sum())).result()


for use in (
    lambda blob: float(blob.sum()),
    lambda blob: len(bytes(blob.data)),
    lambda blob: str(blob @ np.ones((blob.shape[1], 3), "f4")),
    lambda blob: hashlib.sha256(blob.data).hexdigest(),
    threaded,
):
    try:
        print("went on:", use(weights()))
    except netsurgery.WeightsError as error:
        print(type(error).__name__, error.problem, error.source, error.fix)
print("of others", flush=True)
with open(path, "rb") as file:
    foreign = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    os.truncate(path, 0)
    foreign[0]
"""


def test_a_read_where_the_file_has_ended_is_an_error(tmp_path: Path) -> None:
    digits, path = ROOT / "fixtures" / "digits", tmp_path / "x.caffemodel"
    words = [sys.executable, "-c", READS, str(digits / "deploy.prototxt"), str(digits / "digits.caffemodel"), str(path)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    fix = "load it again; to replace a file that is in use, write another one and rename it"
    line = f"WeightsError {CHANGED} {path} {fix}\n"
    assert (done.stdout, done.stderr) == (f"{line * 5}of others\n", "")
    assert done.returncode == -7  # SIGBUS: what is not ours is left as it was


COMMANDS = """
convert NET -o out.onnx
convert NET -o out.onnx --weights external
convert NET -o out.onnx --fp16
convert NET -o caffe2 --to caffe2
convert NET -o map.onnx --fully-convolutional
operate NET -o out.prototxt --rename ip1=fc
operate NET -o out.prototxt --fully-convolutional
operate NET --dump-weights out.npz
verify NET good.onnx
diff NET GOOD
filters NET conv2 -o out.png
heatmap NET IMAGE -o maps --channel argmax
features NET IMAGE --output ip1 -o out.npz
classify NET IMAGE
saliency NET IMAGE -o out.png
gradcam NET IMAGE -o out.png
dream NET IMAGE conv2 -o out.png --octaves 1 --steps 2
maximize NET --unit conv2:7 -o out.png --steps 2
scan NET IMAGE -o boxes
draw NET -o out.html
record NET -o out.npz
time NET --rounds 1
activations NET IMAGE conv2 -o out.png
patches NET IMAGE --unit conv2:3 -n 1 -o out.png
score NET list.txt
"""

CUT = """
import os, shutil, sys
from netsurgery.cli import main
from netsurgery.files import mapped
from netsurgery.formats import load

looks, prototxt, good, image = sys.argv[1:]
of_files = load._of_files


def cut(net, *rest):
    os.truncate("x.caffemodel", 4096)
    return of_files(net, *rest)


load._of_files = cut
if looks == "no":
    mapped.MappedFile.require_unchanged = lambda file: None
shutil.copy(image, "image.png")
with open("list.txt", "w") as file:
    print("image.png 3", file=file)
for words in sys.stdin.read().strip().splitlines():
    shutil.copy(good, "x.caffemodel")
    net = f"{prototxt} x.caffemodel"
    words = words.replace("NET", net).replace("GOOD", f"{prototxt} {good}").replace("IMAGE", "image.png")
    sys.argv = ["netsurgery", *words.split()]
    code = "went on"
    try:
        main()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    print("##", words.replace(net, "NET"), code, file=sys.stderr, flush=True)
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("looks", ["yes", "no"])
def test_every_command_says_that_its_weights_were_cut_off(tmp_path: Path, looks: str) -> None:
    pytest.importorskip("PIL")
    pytest.importorskip("torch")
    digits = ROOT / "fixtures" / "digits"
    net = [str(digits / "deploy.prototxt"), str(digits / "digits.caffemodel")]
    netsurgery.save_onnx(netsurgery.load(*net), tmp_path / "good.onnx")
    done = subprocess.run(
        [sys.executable, "-c", CUT, looks, *net, str(digits / "sample_3.png")],
        input=COMMANDS,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache"), "COLUMNS": "300"},
    )
    assert done.returncode == 0, done.stderr
    errors, count = "", 0
    for line in done.stderr.splitlines():
        if not line.startswith("## "):
            errors += f"{line}\n"
            continue
        problems = (CHANGED, "ends too early") if looks == "no" else (CHANGED,)  # the second is what a copy sees itself
        texts = [f"{tmp_path / 'x.caffemodel'}: {problem}\n" for problem in problems]
        assert line.endswith(" 2") and any(text in errors for text in texts), f"{errors}{line}"
        errors, count = "", count + 1
    assert count == len(COMMANDS.strip().splitlines())
    assert not list(tmp_path.rglob("*.part"))
