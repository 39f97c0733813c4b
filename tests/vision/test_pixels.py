"""Pixels are those of real Caffe: of its ImageData layer, of caffe.Classifier, in NumPy and in a model that takes images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cases
import classified
import numpy as np
import pytest
from PIL import Image

import netsurgery
from netsurgery import vision
from netsurgery.exporters.convert import convert
from netsurgery.exporters.options import Export
from netsurgery.formats.load import from_text
from netsurgery.formats.options import Reading
from netsurgery.formats.preprocessing import Preprocessing, from_net
from netsurgery.passes.deploy import deploy
from netsurgery.vision.preprocess import crops
from netsurgery.vision.resize_bytes import resize_bytes

FOLDER = cases.FIXTURES / "pixels"
with np.load(FOLDER / "expected.npz") as _recorded:
    EXPECTED = dict(_recorded)
LAYERS = [key.removeprefix("layer/") for key in EXPECTED if key.startswith("layer/")]
CLASSIFIED = [key.removeprefix("classifier/") for key in EXPECTED if key.startswith("classifier/")]


def train_val(case: str, kind: str = "ImageData") -> str:
    """A net that gives out the pixels of its data layer."""
    image, transform = EXPECTED[f"parameters/{case}"]
    channels, height, width = EXPECTED[f"layer/{case}"].shape
    transform = transform.replace("MEAN", f'"{FOLDER}/mean_{channels}.binaryproto"')
    sizes = f"memory_data_param {{ batch_size: 1 channels: {channels} height: {height} width: {width} }}"
    data = {"ImageData": f"image_data_param {{ {image} }}", "MemoryData": sizes}.get(kind, "")
    return f"""name: "{channels} {height} {width}"
    layer {{ name: "data" type: "{kind}" top: "data" top: "label" transform_param {{ {transform} }} {data} }}
    layer {{ name: "same" type: "Power" bottom: "data" top: "same" }}"""


def deployed(case: str, kind: str, folder: Path) -> tuple[netsurgery.Net, Preprocessing]:
    shape = {"data": (1, *EXPECTED[f"layer/{case}"].shape)}
    net = from_text(train_val(case, kind))
    done = from_net(net)
    assert done is not None
    return deploy(net, shape), done


@pytest.mark.parametrize("case", LAYERS)
def test_features_see_what_image_data_gives(case: str, tmp_path: Path) -> None:
    assert len(LAYERS) == 9
    net, done = deployed(case, "ImageData", tmp_path)
    photo = str(FOLDER / ("photo.jpg" if "jpeg" in case else "photo.png"))
    want = EXPECTED[f"layer/{case}"]
    got = vision.features(net, [photo], ["same"], preprocessing=done)["same"][0]
    assert np.abs(got - want).max() <= 1e-4
    other = replace(done, scale=done.scale * 1.01)
    assert np.abs(vision.features(net, [photo], ["same"], preprocessing=other)["same"][0] - want).max() > 1e-3


@pytest.mark.parametrize("kind", ["Data", "MemoryData"])
@pytest.mark.parametrize("case", ["mean_image_cropped", "cropped_as_it_is", "mean_values_cropped"])
def test_a_data_layer_crops_what_is_in_its_database(case: str, kind: str, tmp_path: Path) -> None:
    """Images that have the size already (convert_imageset gives it to them) are not touched; of a mean image they have the size."""
    net, done = deployed(case, kind, tmp_path)
    image = vision.read_image(FOLDER / "photo.png")
    if case == "mean_values_cropped":
        image = resize_bytes(image, (40, 33))
    got = vision.features(net, [image], ["same"], preprocessing=done)["same"][0]
    assert np.abs(got - EXPECTED[f"layer/{case}"]).max() <= 1e-4


@pytest.mark.parametrize("case", [case for case in LAYERS if "jpeg" not in case])
def test_a_model_that_takes_images_does_what_image_data_does(case: str, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(train_val(case))
    shape = {"data": (1, *EXPECTED[f"layer/{case}"].shape)}
    export = Export(bake_preprocessing=True)
    convert(tmp_path / "net.prototxt", None, tmp_path / "m.onnx", Reading(input_shapes=shape), export=export)
    image = vision.read_image(FOLDER / "photo.png")
    (got,) = cases.session(str(tmp_path / "m.onnx")).run(None, {"image": image[None]})
    assert np.abs(got[0] - EXPECTED[f"layer/{case}"]).max() <= 1e-4


@pytest.mark.parametrize("key", CLASSIFIED)
def test_classify_sees_what_caffe_classifier_feeds(key: str) -> None:
    assert len(CLASSIFIED) == 24
    scores, want = classified.scores(FOLDER, EXPECTED, key), EXPECTED[f"classifier/{key}"]
    assert np.abs(scores - want).max() <= 1e-5 * np.abs(want).max()


def test_a_mean_image_is_cropped_or_resized_as_is_asked_for() -> None:
    """An image and a mean image of one size, larger than the input: Caffe's data layers crop both, pycaffe resizes the mean image."""
    x = np.mgrid[0:256, 0:256][1].astype(np.float32)
    mean = np.stack([x / 2 + 10 * c for c in range(3)])
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    got = vision.preprocess(image, 3, (227, 227), Preprocessing(mean))
    assert (got[:, 0, 0] == image[14, 14, ::-1] - mean[:, 14, 14]).all()
    assert (got == (image[..., ::-1].transpose(2, 0, 1) - mean)[:, 14:241, 14:241]).all()
    warped = vision.preprocess(image, 3, (227, 227), Preprocessing(mean, resize=(256, 256), convention="pycaffe"))
    assert np.abs(warped - got).max() > 5
    ten = crops(image, (3, 227, 227), Preprocessing(mean), 10)
    assert (ten[4] == got).all() and (ten[9] == got[:, :, ::-1]).all()
    assert (ten[3] == (image[..., ::-1].transpose(2, 0, 1) - mean)[:, 29:, 29:]).all()


def test_sizes_that_do_not_go_together_are_refused() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    small = Preprocessing(np.zeros((3, 20, 20), np.float32), resize=(30, 30))
    with pytest.raises(netsurgery.ShapeError) as refused:
        vision.preprocess(image, 3, (16, 16), small)
    assert str(refused.value) == (
        "a mean image of 20x20, and images of 30x30\n"
        "  expected: one size for both, as Caffe's data layers want it\n"
        "  fix: warp images to the size of the mean (--resize), or --pixels-as pycaffe, which resizes the mean image"
    )
    for followed in (replace(small, resize=(20, 20)), replace(small, convention="pycaffe")):
        assert vision.preprocess(image, 3, (16, 16), followed).shape == (3, 16, 16)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_jpeg_files_are_decoded_as_opencv_does(subsampling: str, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "photo.jpg"
    Image.open(FOLDER / "photo.png").resize((120, 90)).save(path, quality=90, subsampling=subsampling)
    assert (vision.read_image(path) == cv2.imread(str(path))[..., ::-1]).all()
