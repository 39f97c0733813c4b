"""netsurgery.verify: what it compares, on what, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import FIXTURES
from verifying import SMALL, small

import netsurgery
from netsurgery.errors import NetsurgeryError
from netsurgery.formats.load import from_text
from netsurgery.net import Net
from netsurgery.verification.sizes import choose_shapes


def fully_convolutional(text: str = SMALL) -> Net:
    cut = "".join(line + "\n" for line in text.splitlines() if '"fc"' not in line and '"prob"' not in line)
    return small(cut)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [(1, 3, 12, 10), (2, 3, 13, 13), (1, 3, 11, 13)]),
        ({"sizes": [20]}, [(1, 3, 20, 20)]),
        ({"sizes": [20, (9, 31)], "batches": [1, 4]}, [(n, 3, h, w) for h, w in ((20, 20), (9, 31)) for n in (1, 4)]),
        ({"batches": [5]}, [(5, 3, 12, 10)]),
        ({"shapes": [{"data": (2, 3, 8, 9)}]}, [(2, 3, 8, 9)]),
    ],
)
def test_sizes(options: dict[str, Any], expected: list[tuple[int, ...]]) -> None:
    net = fully_convolutional()
    report = netsurgery.verify(net, netsurgery.to_onnx(net), **options)
    assert report.passed
    titles = [case.title.split(",")[0] for case in report.cases]
    assert titles == [f"data {'x'.join(map(str, shape))}" for shape in expected]


def test_a_static_model_is_compared_at_its_size() -> None:
    net = fully_convolutional()
    model = netsurgery.to_onnx(net, input_shapes={"data": [1, 3, 9, "w"]})
    report = netsurgery.verify(net, model)
    assert {case.title.split(",")[0].rsplit("x", 1)[0] for case in report.cases} == {"data 1x3x9"}
    with pytest.raises(NetsurgeryError) as caught:
        netsurgery.verify(net, model, sizes=[10])
    assert str(caught.value) == ("axis 2 of input 'data' cannot be 10: the model has it fixed at 9\n  expected: 9")


def test_surgery_is_advised_only_where_it_frees_the_axis() -> None:
    net = from_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 1 dim: 1 } } }\n'
        'layer { name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param { pool: AVE global_pooling: true } }\n'
        'layer { name: "e" type: "Eltwise" bottom: "x" bottom: "p" top: "e" }'
    )
    with pytest.raises(NetsurgeryError) as caught:
        netsurgery.verify(net, netsurgery.to_onnx(net), sizes=[5])
    assert str(caught.value) == ("axis 2 of input 'x' cannot be 5: layer 'e' (Eltwise) ties it to 1\n  expected: 1")


def test_a_size_that_a_layer_ties_down_is_refused() -> None:
    net = small()
    with pytest.raises(NetsurgeryError) as caught:
        netsurgery.verify(net, netsurgery.to_onnx(net), sizes=[20])
    assert str(caught.value) == (
        "axis 2 of input 'data' cannot be 20: layer 'fc' (InnerProduct) ties it to 12\n"
        "  expected: 12\n"
        "  fix: --fully-convolutional frees the axes that InnerProduct ties; a model is converted with it"
    )


def test_random_inputs_are_seeded_and_in_range() -> None:
    from netsurgery.verification.feeds import Range, expected_range, random_feed

    net = fully_convolutional()
    a, b = (random_feed(net, {"data": (2, 3, 40, 50)}, 7, 0, {}).arrays["data"] for _ in range(2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, random_feed(net, {"data": (2, 3, 40, 50)}, 8, 0, {}).arrays["data"])
    assert (a.min(), a.max()) == (-128, 127)
    assert np.array_equal(a, np.round(a))  # pixels
    unit = random_feed(net, {"data": (1, 3, 9, 9)}, 7, 1, {}).arrays["data"]
    assert (unit.min(), unit.max()) == (-1, 1)
    given = random_feed(net, {"data": (1, 3, 9, 9)}, 7, 0, {"data": Range(0, 255)}).arrays["data"]
    assert (given.min(), given.max()) == (0, 255)
    trained = from_text(
        'layer { name: "data" type: "Data" top: "data" data_param { batch_size: 1 }\n'
        "transform_param { scale: 0.5 mean_value: 100 mean_value: 110 mean_value: 120 crop_size: 8 } }\n"
    )
    assert str(expected_range(trained, "data")) == "-55 .. 72.5 (as layer 'data' (Data) prepares them)"
    prepares = from_text(
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
        'layer { name: "p" type: "Power" bottom: "data" top: "p" power_param { scale: 0.0078125 shift: -1 } }\n'
    )
    assert str(expected_range(prepares, "data")) == (
        "-128 .. 384 (of which layer 'p' (Power) makes small numbers around 0)"
    )
    assert expected_range(net, "data") is None


def test_labels_and_regions_make_sense() -> None:
    from netsurgery.verification.feeds import random_feed

    loss = from_text(
        'layer { name: "x" type: "Input" top: "x" top: "l" input_param { shape { dim: 50 dim: 6 } shape { dim: 50 } } }\n'
        'layer { name: "y" type: "SoftmaxWithLoss" bottom: "x" bottom: "l" top: "y" }\n'
    )
    labels = random_feed(loss, {"x": (50, 6), "l": (50,)}, 0, 0, {}).arrays["l"]
    assert set(labels) == set(range(6))
    assert netsurgery.verify(loss, netsurgery.to_onnx(loss)).passed


def test_images_and_arrays(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    net = fully_convolutional()
    model = netsurgery.to_onnx(net)
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[..., 0] = 200  # red
    (tmp_path / "images").mkdir()
    for i in range(3):
        image.fromarray(pixels).save(tmp_path / "images" / f"{i}.png")
    report = netsurgery.verify(net, model, images=[tmp_path / "images"], batches=[2], ranges={"data": (0, 255)})
    assert report.passed
    assert [case.title for case in report.cases] == ["data 2x3x12x10, 0.png, 1.png", "data 2x3x12x10, 2.png"]
    from netsurgery.verification.feeds import Range, image_feed

    feed = image_feed(net, {"data": (1, 3, 4, 4)}, [tmp_path / "images" / "0.png"], 0, 0, {"data": Range(0, 255)})
    assert feed.arrays["data"][0, :, 0, 0].tolist() == [0, 0, 200]  # BGR
    x = np.random.default_rng(0).normal(size=(1, 3, 9, 9)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", data=x)
    for given in ({"data": tmp_path / "x.npy"}, {"data": tmp_path / "x.npz"}, {"": tmp_path / "x.npz"}, {"data": x}):
        report = netsurgery.verify(net, model, inputs=given)
        assert report.passed
        assert [case.title for case in report.cases] == ["data 1x3x9x9, as given"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": {"data": "nowhere.npy"}}, "nowhere.npy: cannot be read: No such file or directory"),
        ({"inputs": {"dta": np.zeros(3)}}, "the net has no input 'dta'"),
        ({"inputs": {"data": np.array(["a"])}}, "input 'data' holds <U1"),
        ({"images": ["nowhere.png"]}, "nowhere.png: there is no such file"),
        ({"sizes": [(3, 4, 5)]}, "size 3x4x5"),
        ({"shapes": [{"x": (1,)}]}, "the net has no input 'x'"),
        ({"shapes": [{"data": (1, 3, 9, 9)}], "sizes": [9]}, "whole shapes and sizes or batches"),
        (
            {"shapes": [{"data": (1, 5, 9, 9)}]},
            "axis 1 of input 'data' cannot be 5: layer 'conv' (Convolution) ties it to 3",
        ),
        ({"against": "torch"}, "--against 'torch' is not known"),
        ({"runtime": "tflite"}, "runtime 'tflite' is not known"),
        ({"against": "nowhere.npz"}, "nowhere.npz: cannot be read: No such file or directory"),
        ({"outputs": ["prb"]}, "there is no blob 'prb'"),
        ({"names": {"prb": "x"}}, "there is no blob 'prb'"),
        ({"names": {"pool": "x"}}, "has no value 'x'"),
    ],
)
def test_what_cannot_be_compared_is_an_error(options: dict[str, Any], message: str) -> None:
    net = fully_convolutional()
    with pytest.raises(NetsurgeryError) as caught:
        netsurgery.verify(net, netsurgery.to_onnx(net), **options)
    assert message in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"abc", b"\x08\x07", b"\xff" * 64, bytes(range(256))])
def test_what_is_no_model_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    for model in (tmp_path / "bad.onnx", content):
        with pytest.raises(NetsurgeryError):
            netsurgery.verify(small(), model)


def test_every_truncation_of_a_model_is_told(tmp_path: Path) -> None:
    data = netsurgery.to_onnx(small()).SerializeToString()
    path = tmp_path / "cut.onnx"
    for end in range(0, len(data) - 200, 97):
        path.write_bytes(data[:end])
        with pytest.raises(NetsurgeryError):
            netsurgery.verify(small(), path, batches=[1])


def test_a_blob_that_only_the_runtimes_optimisations_get_wrong_is_found() -> None:
    """Outputs of the model as it is are compared besides those of the model with its blobs exposed."""
    from netsurgery.verification import check
    from netsurgery.verification.runtimes.onnxruntime import OnnxRuntime

    class Optimised(OnnxRuntime):
        def run(self, feeds: Any, blobs: Any) -> Any:
            values = super().run(feeds, blobs)
            return {k: v + 1 if set(blobs) <= set(self.outputs) else v for k, v in values.items()}

    net = small()
    runtime = Optimised.of(netsurgery.to_onnx(net))
    pairing = check.pair(net, runtime)
    work = check._Work(net, runtime, pairing, check.Tolerance(), np.dtype(np.float64))
    (case, _), *_ = work.cases(check.Inputs(batches=[1]), None)
    assert case is not None
    assert case.first_difference is not None
    assert (case.first_difference.blob, case.first_difference.rule) == ("prob", "as it is")


def test_images_are_turned_as_exif_says_and_16_bits_are_not_cut_off(tmp_path: Path) -> None:
    from PIL import Image

    from netsurgery.verification.feeds import _pixels

    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[0] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees to the right
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    turned = _pixels(tmp_path / "turned.png", 3, 4, 2)
    assert turned[0].tolist() == [[0, 200]] * 4
    Image.fromarray(np.full((2, 2), 65535 // 2, np.uint16)).save(tmp_path / "wide.png")
    assert _pixels(tmp_path / "wide.png", 1, 2, 2).tolist() == [[[127, 127], [127, 127]]]


@pytest.mark.parametrize(
    ("options", "batches"), [({}, [(1, 1, 1), (2, 2, 2), (1, 1, 1)]), ({"batches": [3]}, [(3, 3, 3)])]
)
def test_what_goes_with_an_image_comes_as_often(options: dict[str, Any], batches: list[tuple[int, ...]]) -> None:
    """The size of each image, of which a proposal layer wants one for each of the batch."""
    net = netsurgery.load(FIXTURES / "conformance-forks" / "proposal_synopsys" / "plain" / "net.prototxt")
    assert list(net.inputs) == ["score", "delta", "info"]
    shapes = choose_shapes(net, {}, **options)
    assert [tuple(shape[name][0] for name in net.inputs) for shape in shapes] == batches


def test_regions_of_their_own_number_are_left_alone() -> None:
    data = 'layer { name: "%s" type: "Input" top: "%s" input_param { shape { %s } } }'
    image, rois = data % ("x", "x", "dim: 1 dim: 2 dim: 9 dim: 9"), data % ("rois", "rois", "dim: 7 dim: 5")
    pooled = "roi_pooling_param { pooled_w: 2 pooled_h: 2 spatial_scale: 1 }"
    net = from_text(
        f'{image}{rois} layer {{ name: "p" type: "ROIPooling" bottom: "x" bottom: "rois" top: "p" {pooled} }}'
    )
    assert {shape["rois"] for shape in choose_shapes(net, {})} == {(7, 5)}
