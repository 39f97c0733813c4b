"""caffe.Classifier and caffe.Detector give what real pycaffe gave."""

from __future__ import annotations

from typing import Any

import cases
import numpy as np
import pytest

from netsurgery.errors import NetsurgeryError
from netsurgery.pycaffe import Classifier, Detector, Net

FOLDER = cases.FIXTURES / "pycaffe-io"
FILES = str(FOLDER / "windows.prototxt"), str(FOLDER / "windows.caffemodel")
PIXELS: dict[str, Any] = {
    "mean": np.array([90.0, 100.0, 110.0]),
    "raw_scale": 255,
    "channel_swap": (2, 1, 0),
    "input_scale": 0.01,
}
with np.load(FOLDER / "expected.npz") as _recorded:
    EXPECTED = dict(_recorded)
PHOTO = EXPECTED["photo"]
IMAGES = [PHOTO, PHOTO[::-1], PHOTO[:, ::-1]]


def error(got: np.ndarray[Any, Any], want: np.ndarray[Any, Any]) -> float:
    assert got.shape == want.shape
    return float(np.abs(got - want).max() / np.abs(want).max())


def test_images_are_classified_by_ten_crops_the_centre_or_the_whole() -> None:
    whole, sized = Classifier(*FILES, **PIXELS), Classifier(*FILES, image_dims=(25, 27), **PIXELS)
    assert error(sized.predict(IMAGES), EXPECTED["classify/ten"]) < 1e-5
    assert error(sized.predict(IMAGES, oversample=False), EXPECTED["classify/center"]) < 1e-5
    assert error(whole.predict(IMAGES, oversample=False), EXPECTED["classify/whole"]) < 1e-5
    assert isinstance(whole, Net) and tuple(whole.image_dims) == tuple(whole.crop_dims) == (10, 10)
    whole.params["score"][0].data[0, 0] += 1
    assert error(whole.predict(IMAGES, oversample=False), EXPECTED["classify/whole"]) > 1e-3


def test_windows_of_files_are_scored() -> None:
    detector = Detector(*FILES, **PIXELS)
    pairs = [(str(FOLDER / "rgb.png"), [[0, 0, 4, 5], [1, 2, 6, 8]]), (str(FOLDER / "gray.png"), [[0, 0, 6, 8]])]
    # an iterator will do: it is gone through once
    found = detector.detect_windows(iter(pairs))
    assert error(np.array([d["prediction"] for d in found]), EXPECTED["detect"]) < 1e-5
    assert [(d["filename"], d["window"]) for d in found] == [(name, box) for name, boxes in pairs for box in boxes]


@pytest.mark.parametrize("key", [key for key in EXPECTED if key.startswith("context/")])
def test_windows_are_cut_out_with_their_context(key: str) -> None:
    """Beyond the image is the mean, as pixels; NumPy of today takes no floats for indices, and crops all the same."""
    _, mean, number = key.split("/")
    detector = Detector(
        *FILES,
        mean=PIXELS["mean"] if mean == "channels" else None,
        raw_scale=255,
        channel_swap=(2, 1, 0),
        context_pad=2,
    )
    assert error(detector.crop(PHOTO, EXPECTED["windows"][int(number)]), EXPECTED[key]) < 1e-6
    with pytest.raises(ValueError, match="outside of the image"):
        detector.crop(PHOTO, np.array([-40, -40, -30, -30]))


def test_selective_search_is_refused_by_name() -> None:
    with pytest.raises(NetsurgeryError) as caught:
        Detector(*FILES, **PIXELS).detect_selective_search(["photo.png"])
    assert str(caught.value).startswith("detect_selective_search needs the MATLAB code of Selective Search")
    assert "detect_windows" in str(caught.value)
