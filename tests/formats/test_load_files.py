"""Files to nets: names, phases, weights by Caffe's rules, and what is said when they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from loading import INPUT, NETS, SHARED, B, W, caffemodel, conv, error_of, numbers, relu

import netsurgery
from netsurgery import NetsurgeryError, ParseError, ShapeError, WeightsError
from netsurgery.formats.load import from_text

CHANNELS = 'input: "data"\n' + conv("a", "data")


def test_input_shapes_declare_what_the_file_does_not() -> None:
    net = from_text(CHANNELS, input_shapes={"data": (1, 3, 9, 9)})
    assert dict(net.inputs) == {"data": (1, 3, 9, 9)}
    assert from_text(INPUT, input_shapes={"data": (1, 3, 9, 9)}).inputs["data"] == (1, 3, 9, 9)
    assert from_text(CHANNELS, input_shapes={"data": (1, 3, "H", "W")}).inputs["data"] is None


def test_a_shape_for_an_input_that_there_is_not_is_refused() -> None:
    assert error_of(ShapeError, CHANNELS, input_shapes={"dta": (1, 3, 9, 9)}) == (
        "net.prototxt:1: the net has no input 'dta'\n  expected: one of: data\n  fix: did you mean 'data'?"
    )


def test_a_net_whose_input_has_no_shape_is_loaded_and_exported_with_one(tmp_path: Path) -> None:
    net = from_text(CHANNELS, "n", caffemodel(tmp_path / "w", [("a", [W, B])]))
    assert net["a"].weights[0].shape == (4, 3, 3, 3)
    with pytest.raises(ShapeError) as caught:
        netsurgery.to_onnx(net)
    assert "fix: --input-shape data=1,3,224,224" in str(caught.value)
    (made,) = netsurgery.to_onnx(net, input_shapes={"data": (1, 3, "H", "W")}).graph.input
    dims = made.type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == [1, 3, "H", "W"]


def test_a_size_that_a_layer_ties_down_must_be_declared(tmp_path: Path) -> None:
    ip = 'layer { name: "ip" type: "InnerProduct" bottom: "a" top: "ip" inner_product_param { num_output: 4 } }\n'
    file = caffemodel(tmp_path / "w", [("a", [W, B]), ("ip", [numbers(4, 196), B])])
    net = from_text(CHANNELS + ip, "n", file)
    with pytest.raises(ShapeError) as caught:
        netsurgery.to_onnx(net, input_shapes={"data": (1, 3, "H", "W")})
    assert str(caught.value) == (
        "n:3: layer 'ip' (InnerProduct): axis 2 of input 'data' has no declared size, and decides a size of its blobs\n"
        "  expected: a number for that axis: the layer ties it down\n"
        "  fix: --input-shape data=1,3,224,224"
    )
    (made,) = netsurgery.to_onnx(net, input_shapes={"data": ("N", 3, 9, 9)}).graph.input
    assert [d.dim_param or d.dim_value for d in made.type.tensor_type.shape.dim] == ["N", 3, 9, 9]


def test_swapped_files_are_named_so() -> None:
    case = NETS / "lenet"
    with pytest.raises(ParseError) as caught:
        netsurgery.load(case / "net.caffemodel", case / "net.prototxt")
    assert str(caught.value) == (
        f"{case}/net.caffemodel: this looks like a binary caffemodel; were the two files swapped?\n"
        "  expected: a prototxt: protobuf text\n"
        "  fix: give the prototxt first, then the caffemodel"
    )


def test_a_prototxt_as_weights_is_named_so() -> None:
    case = NETS / "lenet"
    with pytest.raises(WeightsError, match="this looks like a prototxt"):
        netsurgery.load(case / "net.prototxt", case / "net.prototxt")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer, not the model"),
        (b"<!DOCTYPE html>\n<html></html>", "is a web page, not a model"),
        (b"PK\x03\x04\x14\x00\x00\x00", "is a zip archive (or a PyTorch model)"),
        (b"\xff\xfel\x00a\x00y\x00", "the text is UTF-16"),
        (b"\x08\x07\x12\x07pytorch\x00\x01", "this looks like an ONNX model"),
    ],
)
def test_files_that_are_something_else_are_called_by_their_names(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "net"
    file.write_bytes(content)
    with pytest.raises(NetsurgeryError) as caught:
        netsurgery.load(file)
    assert said in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_truncated_caffemodel_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "cut.caffemodel"
    file.write_bytes((NETS / "lenet" / "net.caffemodel").read_bytes()[:20000])
    for arguments in ((NETS / "lenet" / "net.prototxt", file), (file,)):
        with pytest.raises(WeightsError) as caught:
            netsurgery.load(*arguments)
        assert str(caught.value).startswith(f"{file}: layer 'ip1'")


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "none", "cannot be read: No such file or directory"),
        (tmp_path, "this is a folder"),
    ):
        with pytest.raises(NetsurgeryError) as caught:
            netsurgery.load(path)
        assert str(caught.value) == f"{path}: {said}\n  expected: a prototxt file"


def test_a_template_is_filled_by_settings(tmp_path: Path) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text(
        'input: "data" input_dim: 1 input_dim: 3 input_dim: {height} input_dim: {width}\n' + relu("r", "data", "y")
    )
    with pytest.raises(ParseError) as caught:
        netsurgery.load(file)
    assert "'height', 'width' are not filled in" in str(caught.value)
    assert netsurgery.load(file, settings={"height": "7", "width": "9"}).inputs["data"] == (1, 3, 7, 9)
    with pytest.raises(ParseError, match="there is no placeholder 'high'"):
        netsurgery.load(NETS / "lenet" / "net.caffemodel", settings={"high": "7"})


def test_a_net_says_what_it_was_read_from() -> None:
    from netsurgery.summary import summarize

    double = NETS / "weights_as_double"
    net = netsurgery.load(double / "net.prototxt", double / "net.caffemodel")
    assert summarize(net)["origin"] == {
        "vintage": "V2",
        "binary": False,
        "weights_vintage": "V2",
        "weights_precision": ["float64"],
        "fork_fields": {},
    }
    pools = from_text(
        INPUT
        + 'layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { kernel_size: 2 ceil_mode: false } }'
    )
    assert summarize(pools)["origin"]["fork_fields"] == {"pooling_param.ceil_mode": ["p"]}


def test_blobs_named_inside_the_inner_layer_of_a_v0_net_are_refused() -> None:
    text = 'input: "data"\nlayers {\n  layer { name: "r" type: "relu" bottom: "data" }\n  top: "r"\n}'
    assert error_of(ParseError, text) == (
        "net.prototxt:3: layer 'r' (relu): bottom stands inside the inner layer\n"
        '  expected: beside it: layers { layer { ... } bottom: "x" top: "y" }'
    )


def hdf5(path: Path, layers: dict[str, dict[int, np.ndarray]]) -> Path:
    """A snapshot as Caffe writes it: a parameter that another layer owns is not stored again."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        for name, blobs in layers.items():
            group = data.create_group(name)
            for index, array in blobs.items():
                group[str(index)] = array
    return path


def test_hdf5_weights_leave_out_what_another_layer_owns(tmp_path: Path) -> None:
    net = from_text(SHARED, "n", hdf5(tmp_path / "w.h5", {"a": {0: W, 1: B}, "b": {}}))
    assert net["a"].weights[0] is net["b"].weights[0]
    assert np.array_equal(net["b"].weights[1], B)
    half = SHARED.replace('param { name: "w" } param { name: "b" } }\nlayer', 'param { name: "w" } }\nlayer')
    net = from_text(half, "n", hdf5(tmp_path / "half.h5", {"a": {0: W, 1: B}, "b": {1: B + 1}}))
    assert net["a"].weights[0] is net["b"].weights[0]
    assert np.array_equal(net["b"].weights[1], B + 1)


def test_hdf5_weights_that_lack_a_blob_are_refused(tmp_path: Path) -> None:
    file = hdf5(tmp_path / "w.h5", {"a": {0: W}})
    assert error_of(WeightsError, INPUT + conv("a", "data"), file) == (
        f"net.prototxt:2: layer 'a' (Convolution): has no blob 1 in {file}\n"
        "  expected: blobs of shapes 4x3x3x3, 4 under the layer's name\n"
        "  fix: give the weights that belong to this prototxt (layers are matched by name), or --initialize-missing to fill what is "
        "missing as its fillers say"
    )


INLINE = "blobs { shape { dim: 4 dim: 3 dim: 1 dim: 1 } " + " ".join(f"data: {n}" for n in range(12)) + " }"


def test_weights_in_the_prototxt_itself_count_and_a_file_replaces_them(tmp_path: Path) -> None:
    point = "kernel_size: 1 bias_term: false"
    text = (INPUT + conv("a", "data", point, INLINE) + conv("b", "data")).replace(
        "kernel_size: 3 kernel_size: 1", "kernel_size: 1"
    )
    net = from_text(text)
    assert np.array_equal(net["a"].weights[0], np.arange(12, dtype=np.float32).reshape(4, 3, 1, 1))
    assert net["b"].weights == ()
    with pytest.raises(WeightsError, match="layer 'b'"):
        from_text(text, "n", caffemodel(tmp_path / "a", [("a", [numbers(4, 3, 1, 1)])]))
    only_b = from_text(text, "n", caffemodel(tmp_path / "b", [("b", [W, B])]))
    assert only_b["a"].weights[0].sum() == 66
    both = from_text(text, "n", caffemodel(tmp_path / "w", [("b", [W, B]), ("a", [W[:, :, :1, :1]])]))
    assert np.array_equal(both["a"].weights[0], W[:, :, :1, :1])
    legacy = INLINE.replace("shape { dim: 4 dim: 3 dim: 1 dim: 1 }", "num: 4 channels: 3 height: 1 width: 1")
    assert from_text(text.replace(INLINE, legacy))["a"].weights[0].shape == (4, 3, 1, 1)


def test_values_that_do_not_fit_their_shape_are_refused() -> None:
    text = INPUT + conv("a", "data", "", INLINE.replace("data: 5 ", ""))
    assert error_of(WeightsError, text) == (
        "net.prototxt:2: layer 'a' (Convolution): blob 0 of shape 4x3x1x1 holds 11 values\n"
        "  expected: as many values as the shape says, in data or double_data"
    )
