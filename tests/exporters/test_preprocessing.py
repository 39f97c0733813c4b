"""Pixels reach a net as pycaffe's Transformer, or Caffe's own data layers, would feed them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cases
import numpy as np
import onnx
import pytest
import seeing
from seeing import call, color_net, photo

import netsurgery
from netsurgery import vision
from netsurgery.exporters.convert import convert
from netsurgery.formats.load import from_text
from netsurgery.formats.preprocessing import Preprocessing

MEANS = {
    "numbers": Preprocessing(np.array([104.0, 117, 123])),
    "scaled": Preprocessing(None, 0.017, 1.0, "rgb"),
    "image": Preprocessing(np.random.default_rng(3).random((3, 19, 23)) * 255, 0.5),
    "cropped": Preprocessing(np.float32(127.5), 1 / 128, resize=(20, 25)),
    "as it is": Preprocessing(np.float32(127.5), 1 / 128, cut=True),
    "pycaffe": Preprocessing(np.random.default_rng(3).random((3, 19, 23)) * 255, 0.5, convention="pycaffe"),
    "pycaffe, enlarged": Preprocessing(np.float32(90), 0.5, resize=(50, 20), convention="pycaffe"),
}


@pytest.mark.parametrize("opset", [17, 21])
@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("name", MEANS)
def test_baked_preprocessing_does_what_preprocess_does(name: str, free: bool, opset: int) -> None:
    done, net = MEANS[name], color_net()
    net = netsurgery.convolutionalize(net) if free else net
    model = netsurgery.to_onnx(net, preprocessing=done, bake=True, opset=opset, outputs=["fc"])
    onnx.checker.check_model(model, full_check=True)
    run = cases.session(model.SerializeToString())
    assert [(x.name, x.shape, x.type) for x in run.get_inputs()] == [
        ("image", ["data_n", "image_h", "image_w", 3], "tensor(uint8)")
    ]
    images = np.stack([photo(np.random.default_rng(i), 33, 47) for i in range(2)])
    if free:
        plainly = replace(done, convention="")
        blobs = [vision.preprocess(image, 3, None, plainly) for image in images]
    else:
        blobs = [vision.preprocess(image, 3, (16, 16), done) for image in images]
    want = netsurgery.run(net, {"data": np.stack(blobs)}, ["fc"])["fc"]
    (got,) = run.run(None, {"image": images})
    assert cases.difference(got, want) == ""
    (wrong,) = run.run(None, {"image": images[:, :, :, ::-1]})
    assert cases.difference(wrong, want) != ""


def test_convert_bakes_for_gray_nets_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("convert", *seeing.NET, "--raw-scale", "1")
    assert call(monkeypatch, capsys, *words, "--bake-preprocessing", "-o", "b.onnx") == (
        0,
        "",
        "b.onnx: image (data_n, image_h, image_w, 3) -> prob\n",
    )
    image = vision.read_image(str(seeing.DIGITS / "sample_7.png"))
    (prob,) = cases.session("b.onnx").run(None, {"image": image[None]})
    want = netsurgery.run(
        seeing.digits(), {"data": vision.preprocess(image, 1, (28, 28), seeing.PIXELS)[None]}, ["prob"]
    )
    assert prob.argmax() == 7 and np.abs(prob - want["prob"]).max() < 1e-6
    assert call(monkeypatch, capsys, *words, "--bake-preprocessing", "--verify", "-o", "b.onnx")[0] == 2
    code, _, error = call(monkeypatch, capsys, *words, "-o", "b.prototxt")
    assert (code, error) == (
        2,
        "error: b.prototxt: a prototxt cannot hold what is done to pixels before the net\n"
        "  fix: write .onnx, or fold it into the first layer: netsurgery operate --fold-preprocessing\n",
    )
    assert not Path("b.prototxt").exists()


def test_preprocessing_of_something_else_is_refused() -> None:
    net = from_text(
        'input: "x" input_dim: 1 input_dim: 5 input_dim: 8 input_dim: 8\nlayer { name: "r" type: "ReLU" bottom: "x" top: "y" }'
    )
    with pytest.raises(netsurgery.UnsupportedError) as refused:
        netsurgery.to_onnx(net, bake=True)
    assert str(refused.value) == (
        "preprocessing of x\n"
        "  expected: a net of one input, images of 1 or 3 channels (N, C, H, W)\n"
        "  fix: leave out --bake-preprocessing and the options that say what pixels are"
    )


def test_channels_that_no_layer_ties_are_those_of_the_pixels(tmp_path: Path) -> None:
    """A net without weights at its front takes any number of channels; a mean is told for three."""
    text = 'layer { name: "d" type: "ImageData" top: "data" top: "label" image_data_param { source: "l" new_height: 9 new_width: 9 }'
    text += " transform_param { mean_value: 104 mean_value: 117 mean_value: 123 crop_size: 8 } }\n"
    text += 'layer { name: "p" type: "Power" bottom: "data" top: "y" }\n'
    (tmp_path / "net.prototxt").write_text(text)
    convert(tmp_path / "net.prototxt", None, tmp_path / "m.onnx")
    assert cases.session(str(tmp_path / "m.onnx")).get_inputs()[0].shape == ["data_n", 3, "data_h", "data_w"]
    told = {p.key: p.value for p in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert told["netsurgery.mean"] == "104,117,123"
