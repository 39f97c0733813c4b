"""caffe.io gives what real pycaffe gave, refuses what it refused, and works in the same memory."""

from __future__ import annotations

import subprocess
import sys

import cases
import numpy as np
import pytest

from netsurgery.pycaffe import io
from netsurgery.pycaffe.proto import caffe_pb2

FOLDER = cases.FIXTURES / "pycaffe-io"
TRANSFORMED = cases.FIXTURES / "preprocessing" / "transformer.npz"
with np.load(FOLDER / "expected.npz") as _recorded:
    EXPECTED = dict(_recorded)
LOADED = [key for key in EXPECTED if key.startswith("load/")]
RESIZED = [key for key in EXPECTED if key.startswith("resize/")]
PREPARED = sorted({key.split("/")[0] for key in np.load(TRANSFORMED).files} - {"oversample", "centre"})


def error(got: np.ndarray, want: np.ndarray) -> float:
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    return float(np.abs(got - want).max() / np.abs(want).max())


@pytest.mark.parametrize("key", LOADED)
def test_pictures_are_loaded_as_pycaffe_does(key: str) -> None:
    assert len(LOADED) == 18
    _, file, kind = key.split("/")
    assert error(io.load_image(str(FOLDER / file), kind == "color"), EXPECTED[key]) < 1e-6


def test_pictures_come_from_open_files_and_paths_too() -> None:
    with open(FOLDER / "rgb.png", "rb") as file:
        assert np.array_equal(io.load_image(file), io.load_image(FOLDER / "rgb.png"))


def test_what_is_no_picture_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        io.load_image("there-is-no.png")
    with pytest.raises(OSError, match="cannot identify image file"):
        io.load_image(str(FOLDER / "record.py"))


@pytest.mark.parametrize("key", RESIZED)
def test_pictures_are_resized_as_pycaffe_does(key: str) -> None:
    assert len(RESIZED) == 90
    _, kind, size, order = key.split("/")
    image = {"three": EXPECTED["image"][..., :3], "four": EXPECTED["image"], "whole": EXPECTED["whole"]}[kind]
    height, width = (int(n) for n in size.split("x"))
    got = io.resize_image(image, (height, width), int(order))
    if kind == "whole":
        # whole numbers are rounded, and what lies between two may fall to either
        assert np.abs(got - EXPECTED[key]).max() <= 1
        assert np.mean(got != EXPECTED[key]) < 0.01
    else:
        assert error(got, EXPECTED[key]) < 1e-6
        assert error(io.resize_image(image + np.eye(6, 8)[..., None] * 0.1, (height, width), int(order)), EXPECTED[key])


def test_an_image_of_one_value_stays_that() -> None:
    assert np.array_equal(io.resize_image(np.full((5, 5, 3), 7.5), (3, 4)), np.full((3, 4, 3), 7.5, np.float32))


def test_an_order_that_is_none_is_refused() -> None:
    for channels in (3, 4):
        with pytest.raises(ValueError, match="order 6 is not one of 0 to 5"):
            io.resize_image(np.eye(4)[..., None].repeat(channels, 2), (3, 3), 6)


@pytest.mark.parametrize("case", PREPARED)
def test_the_transformer_prepares_as_pycaffe_does(case: str) -> None:
    assert len(PREPARED) == 8
    with np.load(TRANSFORMED) as recorded:
        image, want = recorded[f"{case}/image"].copy(), recorded[f"{case}/out"]
        raw_scale, scale, swapped = recorded[f"{case}/parameters"].tolist()
        mean = recorded.get(f"{case}/mean")
    transformer = io.Transformer({"data": (1, *want.shape)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_raw_scale("data", raw_scale)
    transformer.set_input_scale("data", scale)
    if swapped:
        transformer.set_channel_swap("data", (2, 1, 0))
    if mean is not None:
        transformer.set_mean("data", mean)
    got = transformer.preprocess("data", image.copy())
    assert error(got, want) < 1e-6
    if image.shape[:2] == want.shape[1:]:
        assert np.abs(transformer.deprocess("data", got[None]) - image).max() < 1e-5
    transformer.set_input_scale("data", scale * 1.01)
    assert error(transformer.preprocess("data", image.copy()), want) > 1e-3


def test_an_image_that_fits_is_worked_on_in_place_unless_channels_are_swapped() -> None:
    transformer = io.Transformer({"data": (1, 3, 4, 5)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_raw_scale("data", 255)
    image = np.ones((4, 5, 3), np.float32)
    transformer.preprocess("data", image)
    assert (image == 255).all()
    transformer.set_channel_swap("data", (2, 1, 0))
    transformer.preprocess("data", image)
    assert (image == 255).all()


def test_the_transformer_refuses_what_pycaffe_refuses() -> None:
    transformer = io.Transformer({"data": (1, 3, 4, 5)})
    refusals = {
        "nope is not one of the net inputs": lambda: transformer.preprocess("nope", np.zeros((4, 5, 3))),
        "orders 3 axes": lambda: transformer.set_transpose("data", (1, 0)),
        "orders its 3 channels": lambda: transformer.set_channel_swap("data", (1, 0)),
    }
    for text, refused in refusals.items():
        with pytest.raises(Exception, match=text) as caught:
            refused()
        assert caught.type is Exception
    for mean in (np.zeros(4), np.zeros((1, 3, 4, 5)), np.zeros((3, 3))):
        with pytest.raises(ValueError):
            transformer.set_mean("data", mean)


def test_ten_crops_are_those_of_pycaffe() -> None:
    with np.load(TRANSFORMED) as recorded:
        image, want = recorded["oversample/image"], recorded["oversample/out"]
    assert np.array_equal(io.oversample([image, image[::-1]], (11, 12))[:10], want)
    with pytest.raises(ValueError):
        io.oversample([image], (17, 12))


def test_arrays_go_to_messages_and_back() -> None:
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7
    blob = caffe_pb2.BlobProto.FromString(io.array_to_blobproto(array, diff=array[::-1]).SerializeToString())
    assert np.array_equal(io.blobproto_to_array(blob), array)
    assert np.array_equal(io.blobproto_to_array(blob, return_diff=True), array[::-1])
    blob.num = 1
    with pytest.raises(ValueError):  # one legacy field, and the shape does not count any more
        io.blobproto_to_array(blob)
    several = io.blobprotovector_str_to_arraylist(io.arraylist_to_blobprotovector_str([array, array[0, 0]]))
    assert [a.shape for a in several] == [(2, 3, 4), (4,)]
    for pixels in (np.arange(24, dtype=np.uint8).reshape(2, 3, 4), array):
        datum = io.array_to_datum(pixels, 7)
        assert datum.label == 7
        assert np.array_equal(io.datum_to_array(datum), pixels)
        assert io.datum_to_array(datum).flags.writeable
    assert not io.array_to_datum(array).HasField("label")
    with pytest.raises(ValueError, match="has the shape"):
        io.array_to_datum(np.zeros((4, 5)))


def test_caffe_io_needs_neither_scikit_image_nor_scipy() -> None:
    code = (
        "import sys; from netsurgery.pycaffe import io; import numpy as np; io.resize_image(np.eye(4)[..., None], (3, 3), 2)\n"
        "print([m for m in ('skimage', 'scipy', 'onnx', 'onnxruntime', 'torch') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
