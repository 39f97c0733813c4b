"""What files may ask for: memory is not taken first, and the limits can be lifted."""

from __future__ import annotations

import gc
import itertools
import struct
import subprocess
import sys
import threading
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from little_memory import little_memory

import netsurgery
from netsurgery import NetsurgeryError, vision
from netsurgery.files.arrays import read_arrays
from netsurgery.files.urls import read_url
from netsurgery.formats.load import from_text
from netsurgery.formats.prototxt.text import parse
from netsurgery.formats.prototxt.typed import resolve
from netsurgery.limits import Limits, lift, limits

INPUT = 'input: "x" input_dim: 1 input_dim: 2 input_dim: 4 input_dim: 4 '


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(NetsurgeryError) as caught:
        call()
    return str(caught.value)


@pytest.fixture
def lifted(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    if find_spec("PIL"):
        monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", Limits.pixels)  # it is lifted as well, for the whole process
    return lambda text: monkeypatch.setenv("NETSURGERY_LIMITS", text)


def test_limits_are_lifted_by_words(lifted: Callable[[str], None]) -> None:
    assert limits() == Limits()
    lifted("pixels=5e9, values=12")
    assert (limits().pixels, limits().values, limits().seconds) == (5_000_000_000, 12, Limits().seconds)
    lifted("off")
    assert limits().values == limits().download == sys.maxsize
    for word in ("pixels", "pixels=0", "pixels=x", "colours=3", "pixels=nan", "pixels=1e99"):
        lifted(word)
        assert refusal(limits) == (
            f"NETSURGERY_LIMITS says '{word}'\n"
            "  expected: off, or NAME=NUMBER with one of: values, fields, unpacked, ratio, pixels, download, seconds"
        )


NETS = {
    "resample": (
        'layer { name: "r" type: "Resample" bottom: "x" top: "y" '
        "resample_param { width: 2147483647 height: 4 type: LINEAR } }",
        "'r' (Resample): top 'y' of shape 1x2x4x2147483647",
    ),
    "dummy": (
        'layer { name: "d" type: "DummyData" top: "y" dummy_data_param { shape { dim: 100000 dim: 100000 } } }',
        "'d' (DummyData): top 'y' of shape 100000x100000",
    ),
    "mask": (
        'layer { name: "p" type: "Pooling" bottom: "z" top: "y" top: "m" pooling_param { kernel_size: 2 } } '
        'input: "z" input_dim: 1 input_dim: 1 input_dim: 100000 input_dim: 100000',
        "'input' (Input): input 'z' of shape 1x1x100000x100000",
    ),
    "correlation": (
        'layer { name: "c" type: "Correlation" bottom: "x" bottom: "x" top: "y" correlation_param { pad: 2000000 '
        "kernel_size: 1 max_displacement: 2000000 stride_1: 1 stride_2: 1 } }",
        "'c' (Correlation): top 'y' of shape 1x16000008000001x4x4",
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_blobs_that_no_memory_holds_are_refused(name: str) -> None:
    text, problem = NETS[name]
    net = from_text(INPUT + text, "net.prototxt")
    for use in (net.shapes, lambda: netsurgery.to_onnx(net)):
        with little_memory():
            assert refusal(use) == (
                f"net.prototxt:1: layer {problem}\n  expected: at most 2147483647 values\n  fix: {lift('values')}"
            )


def test_what_an_interpreter_has_no_memory_for_is_an_error_of_the_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    net = from_text(INPUT + 'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }', "net.prototxt")

    def forward(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(type(net["r"].kind), "forward", forward)
    assert refusal(lambda: netsurgery.run(net, {"x": np.zeros((1, 2, 4, 4))})) == (
        "net.prototxt:1: layer 'r' (ReLU): needs more memory than there is\n"
        "  fix: a smaller input, or fewer images at a time"
    )


def bomb(path: Path, size: int) -> Path:
    """An archive of one array of zeros."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({size // 4},), }}".encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as member:
        member.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
        for _ in range(size // (1 << 20)):
            member.write(bytes(1 << 20))
    return path


def test_archives_that_unpack_to_too_much_are_refused(tmp_path: Path, lifted: Callable[[str], None]) -> None:
    path = bomb(tmp_path / "x.npz", 24 << 20)
    assert path.stat().st_size < 50_000
    assert read_arrays(path)["x"].size == 6 << 20
    lifted("unpacked=1e6")
    with little_memory():
        assert refusal(lambda: read_arrays(path)) == (
            f"{path}: unpacks to 25165897 bytes\n  expected: at most 1000000 bytes\n  fix: {lift('unpacked')}"
        )


def png(width: int, height: int) -> bytes:
    """A picture of one colour that is said to be that large."""
    chunks = (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(1 << 20)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in (*chunks, (b"IEND", b""))
    )


@pytest.mark.filterwarnings("error")
def test_pictures_of_too_many_pixels_are_refused(tmp_path: Path, lifted: Callable[[str], None]) -> None:
    path = tmp_path / "bomb.png"
    for width, height in ((60_000, 60_000), (10_000, 10_000)):  # Pillow refuses the one, and warns of the other
        path.write_bytes(png(width, height))
        with little_memory():
            assert refusal(lambda: vision.read_image(path)) == (
                f"{path}: is an image of too many pixels\n  expected: at most 89478485 pixels\n  fix: {lift('pixels')}"
            )
    path.write_bytes(png(2000, 1000))
    assert vision.read_image(path).shape == (1000, 2000, 3)
    lifted("pixels=1e6")
    assert refusal(lambda: vision.read_image(path)).startswith(f"{path}: is an image of too many pixels\n")


def test_chunks_that_are_said_to_be_large_take_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    data = png(20, 10)
    path.write_bytes(data[:33] + struct.pack(">I", 2**31 - 1) + b"iCCP" + data[33:])
    with little_memory():
        assert refusal(lambda: vision.read_image(path)).startswith(f"{path}: cannot be read: ")


def test_a_tree_takes_at_most_ten_times_its_text() -> None:
    block = """layer {{
  name: "conv{0}"
  type: "Convolution"
  bottom: "data{0}"
  top: "conv{0}"
  param {{
    lr_mult: 1
    decay_mult: 1
  }}
  param {{
    lr_mult: 2
    decay_mult: 0
  }}
  convolution_param {{
    num_output: 256
    pad: 1
    kernel_size: 3
    weight_filler {{
      type: "gaussian"
      std: 0.01
    }}
    bias_filler {{
      type: "constant"
      value: 0.2
    }}
  }}
}}
"""
    text = "".join(map(block.format, range(400))).encode()
    resolve(parse(text, "net.prototxt"), "NetParameter")  # what stays from the first time is no tree
    for read in (lambda: parse(text, "net.prototxt"), lambda: resolve(parse(text, "net.prototxt"), "NetParameter")):
        tracemalloc.start()
        tree = read()
        gc.collect()  # tuples that are kept to be used again, too
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert len(tree.fields) == 400
        assert size < 10 * len(text)


def test_texts_of_endless_fields_are_refused(lifted: Callable[[str], None]) -> None:
    lifted("fields=1000")
    assert refusal(lambda: parse(b"a: [" + b"1," * 5000 + b"1]", "net.prototxt")) == (
        f"net.prototxt:1: more than 1000 fields\n  expected: a net\n  fix: {lift('fields')}"
    )


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path in ("/file", "/ftp"):
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd" if self.path == "/file" else "ftp://127.0.0.1/x")
            self.end_headers()
            return
        self.send_response(302 if self.path == "/twice" else 200)
        self.send_header("Location", "/once")
        self.end_headers()
        self.wfile.write(b"x" * 100_000)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    httpd = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_redirects_lead_to_the_web_alone(server: str, lifted: Callable[[str], None]) -> None:
    assert len(read_url(f"{server}/twice")) == 100_000
    assert "file:///etc/passwd" in refusal(lambda: read_url(f"{server}/file"))
    assert refusal(lambda: read_url(f"{server}/ftp")) == (
        f"{server}/ftp: leads to 'ftp://127.0.0.1/x'\n  expected: a redirect to http or https"
    )
    lifted("download=1000")
    assert refusal(lambda: read_url(f"{server}/x")) == (
        f"{server}/x: is too large\n  expected: at most 1000 bytes\n  fix: {lift('download')}"
    )


def test_a_server_that_sends_drop_by_drop_is_not_waited_for(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(step=40)  # seconds that pass between two looks at it
    monkeypatch.setattr("netsurgery.files.urls.time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert refusal(lambda: read_url(f"{server}/x")) == (
        f"{server}/x: takes too long\n  expected: at most 60 s\n  fix: {lift('seconds')}"
    )


@pytest.mark.parametrize("url", ["ftp://x/a.png", "dir://x", "zip://a.png::http://x/y.zip", "github://a/b", "://x"])
def test_schemes_that_are_not_read_are_refused(url: str) -> None:
    scheme = url.split("://", maxsplit=1)[0]
    text = f"{url}: URLs of {scheme}:// are not read\n  expected: a URL that begins with http, https, s3, gs, az, file"
    assert refusal(lambda: vision.read_image(url)) == text
    assert refusal(lambda: vision.find_images([url])) == text


def test_what_a_scheme_needs_is_named() -> None:
    code = "import netsurgery.vision as v; v.read_image('az://a/b.png')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "az://a/b.png: URLs of az:// need the package adlfs\n  fix: pip install adlfs" in done.stderr
