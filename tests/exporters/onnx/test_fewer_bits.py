"""Models that compute in float16 or int8: what they keep, what they lose, what is refused."""

from __future__ import annotations

from pathlib import Path

import cases
import numpy as np
import onnx
import pytest
from onnx import TensorProto

import netsurgery
from netsurgery.cli import main
from netsurgery.errors import NetsurgeryError
from netsurgery.exporters.onnx.int8 import save_int8
from netsurgery.formats.load import from_text
from netsurgery.formats.preprocessing import Preprocessing
from netsurgery.vision.calibration import ImageCalibration
from netsurgery.vision.picture import to_png

DIGITS = cases.FIXTURES / "digits"
FP16_RTOL = 2e-3
SOME = [
    case
    for case in cases.find("conformance", "conformance-forks")
    if {"nets", "lstm", "lrn", "batchnorm", "softmax", "upsample", "detectionoutput", "roi_pooling", "spp"}
    & set(case.parts)
]


@pytest.fixture
def net() -> netsurgery.Net:
    return netsurgery.load(DIGITS / "deploy.prototxt", DIGITS / "digits.caffemodel")


def digits(count: int) -> np.ndarray:
    """Images of digits, (count, 1, 28, 28) of 0 to 1."""
    from sklearn.datasets import load_digits

    images = np.zeros((count, 1, 28, 28), np.float32)
    images[:, 0, 2:26, 2:26] = np.kron(load_digits().images[:count] / 16, np.ones((3, 3)))
    return images


# -- float16 --


@pytest.mark.parametrize("case", SOME, ids=cases.name)
def test_float16_stays_close_to_caffe(case: Path) -> None:
    model = netsurgery.to_onnx(cases.load(case), fp16=True)
    onnx.checker.check_model(model, full_check=True)
    session = cases.session(model.SerializeToString())
    assert all(value.type == "tensor(float)" for value in (*session.get_inputs(), *session.get_outputs()))
    outputs = [o.name for o in session.get_outputs()]
    for feed, want in cases.runs(case):
        for blob, got in zip(outputs, session.run(None, feed), strict=True):
            if blob in want and want[blob].size and got.shape == want[blob].shape:
                error = np.abs(got - want[blob]).max() / max(np.abs(want[blob]).max(), 1e-6)
                assert error < FP16_RTOL


def test_a_damaged_weight_is_further_off_than_float16_allows(net: netsurgery.Net) -> None:
    broken = net.with_weights("ip2", net["ip2"].weights[0] * np.float32(1.1), net["ip2"].weights[1])
    report = netsurgery.verify(net, netsurgery.to_onnx(broken, fp16=True), rtol=1e-2)
    assert not report.passed
    assert netsurgery.verify(net, netsurgery.to_onnx(net, fp16=True), rtol=1e-2).passed


CHAIN = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 12 dim: 12 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param { num_output: 16 kernel_size: 3 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "norm1" type: "LRN" bottom: "conv1" top: "norm1" }
layer { name: "conv2" type: "Convolution" bottom: "norm1" top: "conv2" convolution_param { num_output: 16 kernel_size: 3 } }
layer { name: "ave" type: "Pooling" bottom: "conv2" top: "ave" pooling_param { pool: AVE global_pooling: true } }
layer { name: "fc" type: "InnerProduct" bottom: "ave" top: "fc" inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""


def test_normalization_averages_and_softmax_stay_float32() -> None:
    net = netsurgery.initialize(from_text(CHAIN), how="random")
    fast = {t.name: t.data_type for t in netsurgery.to_onnx(net, fp16=True).graph.initializer}
    assert fast["norm1/const_16x16x1x1"] == TensorProto.FLOAT  # LRN's own Conv
    model = netsurgery.to_onnx(net, fp16=True, plain=True)
    types = {t.name: t.data_type for t in model.graph.initializer}
    assert {n: t for n, t in types.items() if t != TensorProto.INT64} == {
        f"{layer}.{blob}": TensorProto.FLOAT16 for layer in ("conv1", "conv2", "fc") for blob in ("weight", "bias")
    }
    assert [node.op_type for node in model.graph.node] == [
        *("Cast", "Conv", "Relu", "Cast", "LRN"),
        *("Cast", "Conv", "Cast", "GlobalAveragePool"),
        *("Cast", "Reshape", "Gemm", "Cast", "Softmax"),
    ]
    assert {p.key: p.value for p in model.metadata_props}["netsurgery.precision"] == "float16"


def test_what_moves_numbers_to_where_boxes_are_chosen_stays_float32() -> None:
    """SSD's heads: rounded once more after the last convolution, scores tie that do not, and other boxes win."""
    text = CHAIN[: CHAIN.index('layer { name: "ave"')] + (
        'layer { name: "perm" type: "Permute" bottom: "conv2" top: "perm" permute_param { order: 0 order: 2 order: 3 order: 1 } }'
        'layer { name: "flat" type: "Flatten" bottom: "perm" top: "flat" }'
        'layer { name: "both" type: "Concat" bottom: "flat" bottom: "flat" top: "both" }'
        'layer { name: "prob" type: "Softmax" bottom: "both" top: "prob" }'
        'layer { name: "fc" type: "InnerProduct" bottom: "perm" top: "fc" inner_product_param { num_output: 5 } }'
    )
    model = netsurgery.to_onnx(netsurgery.initialize(from_text(text), how="random"), fp16=True, static=True)
    types = {
        value.name: value.type.tensor_type.elem_type
        for value in onnx.shape_inference.infer_shapes(model).graph.value_info
    }
    half, full = TensorProto.FLOAT16, TensorProto.FLOAT
    assert (types["conv2"], types["perm"], types["flat"], types["both"]) == (half, half, full, full)


def test_weights_beyond_float16_stay_float32(tmp_path: Path) -> None:
    net = netsurgery.initialize(from_text(CHAIN), how="random")
    weight = net["conv2"].weights[0].copy()
    weight[0, 0, 0, 0] = 7e4
    big = net.with_weights("conv2", weight, net["conv2"].weights[1])
    written = netsurgery.save_onnx(big, tmp_path / "m.onnx", fp16=True)
    assert written.notes == ("node conv2 stays float32: conv2.weight holds numbers beyond float16's 65504",)
    assert netsurgery.verify(big, tmp_path / "m.onnx", rtol=1e-2, ranges={"data": (-0.1, 0.1)}).passed


def test_float16_weights_take_half_the_room_wherever_they_stand(net: netsurgery.Net, tmp_path: Path) -> None:
    sizes = {}
    for mode in ("embed", "external"):
        for fp16 in (False, True):
            path = tmp_path / "m.onnx"
            netsurgery.save_onnx(net, path, weights=mode, fp16=fp16)
            assert netsurgery.verify(net, path, rtol=1e-2 if fp16 else 1e-4).passed
            sizes[mode, fp16] = sum(f.stat().st_size for f in tmp_path.iterdir())
            for file in tmp_path.iterdir():
                file.unlink()
        assert sizes[mode, True] < 0.55 * sizes[mode, False]


# -- int8 --


def quantizes() -> bool:
    """Whether onnxruntime's quantizer can be imported: older ones need packages that they do not install."""
    try:
        import onnxruntime.quantization  # noqa: F401  # imported to see whether it can be
    except ImportError:
        return False
    return True


needs_quantizer = pytest.mark.skipif(not quantizes(), reason="onnxruntime's quantizer needs packages that are not here")


@needs_quantizer
def test_int8_answers_as_the_net_does(net: netsurgery.Net, tmp_path: Path) -> None:
    images = digits(120)
    path = tmp_path / "int8.onnx"
    save_int8(net, path, [{"data": image[None]} for image in images[:60]])
    assert [p.name for p in tmp_path.iterdir()] == ["int8.onnx"]
    assert path.stat().st_size < 0.4 * (DIGITS / "digits.caffemodel").stat().st_size
    onnx.checker.check_model(str(path), full_check=True)
    (small,) = cases.session(str(path)).run(None, {"data": images[60:]})
    whole = netsurgery.run(net, {"data": images[60:]}, ["prob"])["prob"]
    first, second = np.sort(whole, axis=1)[:, :-3:-1].T
    assert ((small.argmax(1) == whole.argmax(1)) | (first - second < 0.2)).all(), "near ties may turn"
    assert 0 < np.abs(small - whole).max() < 0.2, "it computes on 128 steps"
    kinds = {t.data_type for t in onnx.load(path).graph.initializer if t.name.startswith("conv1.weight")}
    assert TensorProto.INT8 in kinds
    recorded = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert recorded["netsurgery.precision"] == "int8"
    assert "netsurgery.weights.sha256" in recorded


@needs_quantizer
def test_int8_is_the_same_each_time(net: netsurgery.Net, tmp_path: Path) -> None:
    feeds = [{"data": image[None]} for image in digits(4)]
    for name in ("a", "b"):
        save_int8(net, tmp_path / f"{name}.onnx", feeds)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


@needs_quantizer
def test_int8_is_refused_without_fitting_inputs(net: netsurgery.Net, tmp_path: Path) -> None:
    path = tmp_path / "int8.onnx"
    with pytest.raises(NetsurgeryError, match="no inputs to calibrate int8 with"):
        save_int8(net, path, [])
    with pytest.raises(NetsurgeryError, match="calibration inputs for image"):
        save_int8(net, path, [{"image": digits(1)}])
    with pytest.raises(NetsurgeryError):
        save_int8(net, path, [{"data": np.zeros((1, 1, 20, 20), np.float32)}])
    only_relu = from_text(
        'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 } } }'
        'layer { name: "relu" type: "ReLU" bottom: "data" top: "y" }'
    )
    with pytest.raises(NetsurgeryError, match="no layer that could compute on int8"):
        save_int8(only_relu, path, [{"data": np.zeros((1, 3), np.float32)}])
    assert not list(tmp_path.iterdir())


# -- the command line --


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for i, image in enumerate(digits(9)):
        (folder / f"{i}.png").write_bytes(to_png((image[0] * 255).astype(np.uint8)))
    return folder


def called(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr("sys.argv", ["netsurgery", *arguments])
    try:
        main()
    except SystemExit as exit:
        return exit.code
    return 0


@needs_quantizer
def test_convert_says_what_fewer_bits_lose(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = str(DIGITS / "deploy.prototxt"), str(DIGITS / "digits.caffemodel"), "-o", str(tmp_path / "small.onnx")
    assert not called(monkeypatch, "convert", *files, "--fp16")
    assert "small.onnx: agrees with the interpreter (held to Caffe's numbers) in " in capsys.readouterr().out
    assert not called(monkeypatch, "convert", *files, "--int8", str(images), "--raw-scale", "1")
    out, err = capsys.readouterr()
    assert "data 9x1x28x28, as given, against netsurgery.run (float32): 1 blob agrees, the worst to" in out
    assert "top-1 100%" in out
    assert "show too little" not in err
    few = str(images / "0.png")
    assert not called(monkeypatch, "convert", *files, "--int8", few, "--raw-scale", "1")
    assert "note: calibrated with 1 image, which show too little" in capsys.readouterr().err


def test_convert_refuses_what_does_not_go_with_fewer_bits(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = str(DIGITS / "deploy.prototxt"), str(DIGITS / "digits.caffemodel"), "-o"
    model, int8 = str(tmp_path / "m.onnx"), ("--int8", str(images))
    refused = {
        (*files, model, *int8, "--fp16"): "--fp16 and --int8\n  expected: one of the two",
        (*files, model, *int8, "--weights", "link"): "--int8 with --weights link",
        (*files, model, *int8, "--bake-preprocessing"): "--int8 with --bake-preprocessing",
        (*files, str(tmp_path / "m.prototxt"), "--fp16"): "--fp16 of what is no ONNX model",
        (*files, model, "--int8", str(tmp_path / "none")): str(tmp_path / "none"),
    }
    for arguments, text in refused.items():
        assert called(monkeypatch, "convert", *arguments) == 2
        assert text in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images"]


def test_images_are_fed_as_the_net_expects_them(images: Path, net: netsurgery.Net) -> None:
    calibration = ImageCalibration([images])
    feeds = calibration(net, Preprocessing(raw_scale=1))
    assert len(feeds) == 9
    assert feeds[0]["data"].shape == (1, 1, 28, 28)
    assert np.allclose(feeds[0]["data"], digits(1), atol=1 / 255)
    assert calibration.sample["data"].shape == (9, 1, 28, 28)
