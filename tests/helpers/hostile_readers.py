"""Every reader of files, what it is fed, and a process that feeds it: `python hostile_readers.py READER SEED COUNT [FOLDER]`.

The process may take 2 GB of memory, and 5 s of CPU for each file; it prints, as JSON, how many files it read and what came of them. What
raises anything but an error of ours is a fault: the file is left in FOLDER.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MEMORY, SECONDS = 2 << 30, 5.0
Files = list[bytes]
Damage = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Reader:
    """corpus: sound files, each with those that belong to it; read: from a folder, under these names; damage: that of the format."""

    names: tuple[str, ...]
    corpus: Callable[[], list[Files]]
    read: Callable[[list[str]], object]
    damage: Sequence[Damage] = ()
    text: bool = False
    size: int = 6000
    """Larger files than this are left out of the corpus."""


def fixtures() -> Path:
    return Path(__file__).parents[2] / "fixtures"


@cache
def _cases() -> list[tuple[bytes, bytes]]:
    """(prototxt, caffemodel) of small cases."""
    found = []
    for path in sorted(fixtures().rglob("net.prototxt")):
        weights = path.with_name("net.caffemodel")
        if path.stat().st_size < 3000 and weights.exists() and weights.stat().st_size < 6000:
            found.append((path.read_bytes(), weights.read_bytes()))
    return found


def _prototxts() -> list[Files]:
    return [[path.read_bytes()] for path in sorted(fixtures().rglob("*.prototxt")) if path.stat().st_size < 3000]


def _hdf5() -> list[Files]:
    import h5py
    import numpy as np

    found = []
    for name, options in (("plain", {}), ("packed", {"compression": "gzip", "chunks": True}), ("old", {})):
        out = io.BytesIO()
        with h5py.File(out, "w", libver="earliest" if name != "old" else "latest") as file:
            for layer in ("conv", "a/b"):
                group = file.create_group(f"data/{layer}")
                group.create_dataset("0", data=np.arange(6, dtype="<f4").reshape(1, 1, 2, 3), **options)
                group.create_dataset("1", data=np.arange(3, dtype="<f8"), **options)
        found.append([out.getvalue()])
    return found


@cache
def _netdefs() -> list[tuple[bytes, bytes]]:
    """(init, predict) of nets as other tools wrote them, and as netsurgery does."""
    import netdefs

    import netsurgery

    found = []
    with tempfile.TemporaryDirectory() as folder:
        for sample in netdefs.SAMPLES.values():
            init, predict = sample.save(Path(folder))
            found.append((init.read_bytes(), predict.read_bytes()))
        for path in sorted(fixtures().rglob("net.prototxt"))[::6]:
            weights = path.with_name("net.caffemodel")
            with contextlib.suppress(netsurgery.NetsurgeryError):
                net = netsurgery.load(path, weights if weights.exists() else None)
                netsurgery.save_caffe2(net, Path(folder))
                both = [(Path(folder) / f"{name}_net.pb").read_bytes() for name in ("init", "predict")]
                if sum(map(len, both)) < 6000:
                    found.append((both[0], both[1]))
    return found


def _netdef_texts() -> list[Files]:
    from google.protobuf import text_format

    from netsurgery._proto.caffe2 import new

    found = []
    for pair in _netdefs():
        texts = []
        for data in pair:
            net = new("NetDef")
            net.ParseFromString(data)
            texts.append(text_format.MessageToString(net).encode())
        found.append(texts)
    return found


def _onnx() -> list[Files]:
    import netsurgery

    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        for prototxt in sorted(fixtures().rglob("net.prototxt"))[::5]:
            weights = prototxt.with_name("net.caffemodel")
            with contextlib.suppress(netsurgery.NetsurgeryError):
                net = netsurgery.load(prototxt, weights if weights.exists() else None)
                netsurgery.save_onnx(net, path, weights="external" if len(found) % 3 == 1 else "embed")
                if path.stat().st_size < 6000:
                    found.append([path.read_bytes()])
    return found


def _npz() -> list[Files]:
    found = [[path.read_bytes()] for path in sorted(fixtures().rglob("runs.npz")) if path.stat().st_size < 5000]
    return [*found, [_saved_npz()]]


def _saved_npz() -> bytes:
    import numpy as np

    out = io.BytesIO()
    record = np.array(json.dumps({"computed_by": "x", "versions": {"a": "1"}, "sha256": {}, "by_interpreter": []}))
    arrays = {"0/in/data": np.zeros((1, 3), "f4"), "0/out/prob": np.ones((1, 3), "f4"), "conv:0": np.ones(3, "<f8")}
    np.savez(out, netsurgery=record, **arrays)
    return out.getvalue()


def _npy() -> list[Files]:
    import numpy as np

    found = []
    for array in (np.zeros((3, 4, 4), "f4"), np.asfortranarray(np.ones((2, 5), "f8")), np.arange(3), np.float32(1)):
        out = io.BytesIO()
        np.save(out, array)
        found.append([out.getvalue()])
    return found


def _safetensors() -> list[Files]:
    import numpy as np
    from safetensors.numpy import save

    arrays = {"conv:0": np.zeros((2, 3), "f4"), "conv:1": np.ones(3, "f2"), "a:0": np.arange(3)}
    return [[save(arrays)], [save({"x:0": np.ones(2, "f4")}, {"format": "np"})]]


MANIFESTS = (
    b'[[model]]\nprototxt = "a.prototxt"\nweights = "a.caffemodel"\nonnx = "a.onnx"\nfully_convolutional = true\n'
    b'size = [227, "451x300"]\nbatch = [1, 2]\nrtol = 1e-4\nsha256 = { weights = "8f", onnx = "07" }\n',
    b'[[model]]\nprototxt = "b.prototxt"\nname = "b"\nonnx = "b.onnx"\nset = { classes = 3 }\nagainst = ["caffe", "x.npz"]\n'
    b'[[model]]\nprototxt = "c.prototxt"\nonnx = "c.onnx"\n[model.shapes]\ndata = [1, 3, 4, 4]\n',
)


def _means() -> list[Files]:
    import numpy as np

    from netsurgery.vision.mean import to_binaryproto

    ours = [[to_binaryproto(np.ones(shape, "f4"))] for shape in ((3, 4, 4), (3,), (1, 5, 5))]
    return ours + [
        [path.read_bytes()] for path in sorted(fixtures().rglob("*.binaryproto")) if path.stat().st_size < 6000
    ]


def _images() -> list[Files]:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    found = []
    for mode, shape in (("RGB", (9, 7, 3)), ("L", (8, 8)), ("RGBA", (6, 5, 4))):
        picture = Image.fromarray(rng.integers(0, 255, shape, np.uint8), mode)
        for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "ICO"):
            out = io.BytesIO()
            with contextlib.suppress(OSError, KeyError):  # not every kind has every mode
                (picture.convert("RGB") if kind in ("JPEG", "PPM") and mode == "RGBA" else picture).save(out, kind)
                found.append([out.getvalue()])
    return found


def _read_prototxt(files: list[str]) -> None:
    import netsurgery

    netsurgery.load(files[0]).shapes()


def _read_weights(files: list[str]) -> None:
    import netsurgery

    netsurgery.load(*files)
    if files[-1].endswith(".caffemodel"):
        with contextlib.suppress(netsurgery.NetsurgeryError):
            netsurgery.load(files[-1])


def _read_netdef(files: list[str]) -> None:
    import netsurgery

    netsurgery.load(*files, input_shapes=None).shapes()


def _read_netdef_with_shape(files: list[str]) -> None:
    import netsurgery

    try:
        _read_netdef(files)
    except netsurgery.ShapeError:
        netsurgery.load(*files, input_shapes={"x": (2, 3, 7, 8)}).shapes()


def _read_onnx(files: list[str]) -> None:
    from netsurgery.formats.options import Reading
    from netsurgery.passes.options import Surgery
    from netsurgery.verification.environment import metadata
    from netsurgery.verification.options import Comparing
    from netsurgery.verification.recorded_options import as_recorded, compared_as_recorded
    from netsurgery.verification.runtimes.onnxruntime import open_model

    model = open_model(files[0])
    " ".join([*model.inputs, *model.outputs, *model.blobs, str(model.is_ours)])
    metadata(files[0])
    as_recorded(Path(files[0]), Reading(), Surgery())
    compared_as_recorded(Path(files[0]), Comparing())


def _read_npz(files: list[str]) -> None:
    import netsurgery
    from netsurgery.formats.weights.tensor_files import read_tensors
    from netsurgery.verification.runtimes.recorded import open_opinion

    with contextlib.suppress(netsurgery.NetsurgeryError):
        read_tensors(files[0])
    opinion = open_opinion(files[0])
    " ".join([*opinion.inputs, *opinion.outputs, opinion.name, *opinion.versions.values(), opinion.voucher("x")])


def _read_npy(files: list[str]) -> None:
    import netsurgery
    from netsurgery.files.arrays import read_arrays
    from netsurgery.formats.preprocessing import Preprocessing, read_mean

    with contextlib.suppress(netsurgery.NetsurgeryError):
        read_arrays(files[0])
    mean = read_mean(files[0])
    with contextlib.suppress(netsurgery.NetsurgeryError):
        Preprocessing(mean)


def _read_safetensors(files: list[str]) -> None:
    from netsurgery.formats.weights.tensor_files import read_tensors

    read_tensors(files[0])


def _read_manifest(files: list[str]) -> None:
    import netsurgery
    from netsurgery.formats.manifest import read_manifest
    from netsurgery.verification.entries import entries_of
    from netsurgery.verification.files import task_of

    for model in read_manifest(files[0]):
        with contextlib.suppress(netsurgery.NetsurgeryError):
            entries_of(model)
        task_of(model)


def _read_mean(files: list[str]) -> None:
    import netsurgery
    from netsurgery.formats.preprocessing import Preprocessing, read_mean

    mean = read_mean(files[0])
    with contextlib.suppress(netsurgery.NetsurgeryError):
        Preprocessing(mean).mean_for(3)


def _read_labels(files: list[str]) -> None:
    from netsurgery.vision.labels import read_labels

    " ".join(read_labels(files[0]))


def _read_image(files: list[str]) -> None:
    import netsurgery
    from netsurgery.files.images import read_gray, read_image

    with contextlib.suppress(netsurgery.NetsurgeryError):
        read_gray(files[0])
    read_image(files[0])


def readers() -> dict[str, Reader]:
    import damage

    message = damage.damaged_message
    labels = [[b"tabby cat\ndog\n\xc3\xa9t\xc3\xa9\n"], [b"n01440764 tench, Tinca tinca\nn01443537 goldfish\ncat"]]
    return {
        "prototxt": Reader(("net.prototxt",), _prototxts, _read_prototxt, (damage.with_number,), text=True),
        "caffemodel": Reader(
            ("net.prototxt", "net.caffemodel"), lambda: [list(c) for c in _cases()], _read_weights, (message,)
        ),
        "hdf5": Reader(("net.prototxt", "net.caffemodel.h5"), lambda: [[CONV, *f] for f in _hdf5()], _read_weights, (), size=20_000),
        "netdef": Reader(
            ("init_net.pb", "predict_net.pb"), lambda: [list(n) for n in _netdefs()], _read_netdef_with_shape, (message,)
        ),
        "netdef_text": Reader(
            ("init_net.pbtxt", "predict_net.pbtxt"), _netdef_texts, _read_netdef_with_shape, (damage.with_number,), text=True, size=20_000,
        ),
        "onnx": Reader(("model.onnx",), _onnx, _read_onnx, (message,)),
        "npz": Reader(("x.npz",), _npz, _read_npz, (damage.damaged_zip,)),
        "npy": Reader(("x.npy",), _npy, _read_npy, (damage.damaged_npy,)),
        "safetensors": Reader(("x.safetensors",), _safetensors, _read_safetensors, (damage.damaged_safetensors,)),
        "manifest": Reader(("models.toml",), lambda: [[m] for m in MANIFESTS], _read_manifest, (damage.with_number,), text=True),
        "mean": Reader(("mean.binaryproto",), _means, _read_mean, (message,)),
        "labels": Reader(("labels.txt",), lambda: labels, _read_labels, (), text=True),
        "image": Reader(("image.png",), _images, _read_image, (damage.damaged_png,)),
    }  # fmt: skip


CONV = b"""input: "x" input_dim: 1 input_dim: 1 input_dim: 4 input_dim: 5
layer { name: "conv" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 1 kernel_h: 2 kernel_w: 3 } }
"""


class Slow(BaseException):
    """A file took more CPU than it may."""


READING = [False]


def _slow(number: int, frame: object) -> None:
    if READING[0]:
        raise Slow


def feed(name: str, seed: int, count: int, keep: str = "") -> dict[str, object]:
    """Reads that many damaged files. What came of them, by kind of error; faults, the first of each kind with where it is from."""
    from damage import damaged

    from netsurgery import NetsurgeryError

    reader = readers()[name]
    corpus = [files for files in reader.corpus() if max(map(len, files)) <= reader.size]
    assert corpus, name
    others = [[files[i] for files in corpus] for i in range(len(reader.names))]
    rng = random.Random(f"{name} {seed}")
    outcomes: Counter[str] = Counter()
    faults: dict[str, str] = {}
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        paths = [os.path.join(folder, file) for file in reader.names]
        for _ in range(count):
            files = list(rng.choice(corpus))
            at = len(files) - 1 if rng.random() < 0.7 else rng.randrange(len(files))
            if reader.damage and rng.random() < 0.5:
                files[at] = rng.choice(reader.damage)(files[at], rng)
            else:
                files[at] = damaged(files[at], others[at], rng, reader.text and at == len(files) - 1)
            for path, data in zip(paths, files, strict=True):
                with open(path, "wb") as file:
                    file.write(data)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            READING[0] = True
            try:
                reader.read(paths)
                outcome = "read"
            except NetsurgeryError as error:
                outcome = type(error).__name__
                if "not enough memory" in str(error):
                    outcome = "fault: more memory than it may take"
                    faults.setdefault(outcome, str(error))
                if folder not in str(error) and not _is_placed(error):
                    outcome = "fault: an error without the file's name"
                    faults.setdefault(outcome, str(error))
            except (Exception, Slow) as failure:
                last = traceback.extract_tb(failure.__traceback__)[-1]
                outcome = f"fault: {type(failure).__name__} at {Path(last.filename).name}:{last.lineno}"
                if outcome not in faults:
                    faults[outcome] = "".join(traceback.format_exception(failure)[-6:])[-2000:]
                    if keep:
                        for path, data in zip(paths, files, strict=True):
                            Path(keep, f"{name}-{seed}-{len(faults)}-{os.path.basename(path)}").write_bytes(data)
            finally:
                READING[0] = False
                signal.setitimer(signal.ITIMER_PROF, 0)
            outcomes[outcome] += 1
    seconds = round(time.perf_counter() - began, 1)
    return {"reader": name, "count": count, "seconds": seconds, "outcomes": dict(outcomes), "faults": faults}


def _is_placed(error: Exception) -> bool:
    """Whether an error need not name the file: it is about a net that was read, or lists layers."""
    return (
        bool(getattr(error, "layer", "")) or bool(getattr(error, "errors", ())) or type(error).__name__ == "ShapeError"
    )


def main() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, _slow)
    warnings.simplefilter("error", RuntimeWarning)
    name, seed, count, *keep = sys.argv[1:]
    print(json.dumps(feed(name, int(seed), int(count), *keep)))


if __name__ == "__main__":
    main()
