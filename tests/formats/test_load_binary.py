"""Files to nets: names, phases, weights by Caffe's rules, and what is said when they do not fit."""

from __future__ import annotations

from pathlib import Path

import cases
import numpy as np
import pytest
from loading import NETS, B, W, blob, caffemodel, numbers
from wire_cases import NetParameter

import netsurgery
from netsurgery import ParseError, UnsupportedError
from netsurgery.net import Net


def test_a_caffemodel_alone_is_a_net() -> None:
    case = NETS / "lenet"
    net = netsurgery.load(case / "net.caffemodel")
    whole = netsurgery.load(case / "net.prototxt", case / "net.caffemodel")
    assert [(x.type, x.bottoms, x.tops) for x in net.layers] == [(x.type, x.bottoms, x.tops) for x in whole.layers]
    feed, want = cases.runs(case)[0]
    got = netsurgery.run(net, feed)
    assert not cases.difference(got["prob"], want["prob"])
    assert net.files == {"weights": str(case / "net.caffemodel")}
    assert (net.origin.vintage, net.origin.binary, net.origin.precision) == ("V2", True, ("float32",))


@pytest.mark.parametrize("vintage", ["V0", "V1"])
def test_old_caffemodels_alone_are_nets(vintage: str) -> None:
    case = NETS / f"vintage_{vintage.lower()}"
    net = netsurgery.load(case / "net.caffemodel")
    feed, want = cases.runs(case)[0]
    assert not cases.difference(netsurgery.run(net, feed)["prob"], want["prob"])
    assert net.origin.vintage == vintage
    assert net.notes[0] == f"{vintage} net upgraded to V2: {len(net.layers) - 1} layers"


def test_a_snapshot_of_training_is_a_net_of_the_train_phase(tmp_path: Path) -> None:
    from netsurgery.exporters.convert import convert

    made = NetParameter()
    data = made.layer.add(name="data", type="Input", top=["data", "label"])
    data.include.add().phase = 0
    for sizes in ((2, 3, 5, 5), (2,)):
        data.input_param.shape.add().dim.extend(sizes)
    made.layer.add(
        name="data_data_0_split", type="Split", bottom=["data"], top=[f"data_data_0_split_{i}" for i in (0, 1)]
    )
    ip = made.layer.add(name="ip", type="InnerProduct", bottom=["data_data_0_split_0"], top=["ip"], phase=0)
    ip.inner_product_param.num_output = 4
    ip.blobs.extend([blob(numbers(4, 75)), blob(B)])
    other = made.layer.add(name="other", type="InnerProduct", bottom=["data_data_0_split_1"], top=["other"])
    other.inner_product_param.num_output = 4
    other.blobs.extend([blob(numbers(4, 75, seed=2)), blob(B)])
    made.layer.add(name="loss", type="SoftmaxWithLoss", bottom=["ip", "label"], top=["loss"])
    file = tmp_path / "snapshot.caffemodel"
    file.write_bytes(made.SerializeToString())
    net = netsurgery.load(file)
    assert [layer.name for layer in net.layers] == ["data", "ip", "other", "loss"]
    assert net["ip"].bottoms == net["other"].bottoms == ("data",)
    assert net.notes == (
        "the file holds the net of the TRAIN phase, as snapshots do: all of its layers were taken",
        "1 Split layers that Caffe put in left out",
    )
    done = convert(file, None, tmp_path / "m.onnx")
    assert done.outputs == ("other", "prob")


def test_a_binary_net_without_blobs_takes_weights_from_another_file(tmp_path: Path) -> None:
    made = NetParameter(name="n")
    made.layer.add(name="data", type="Input", top=["data"]).input_param.shape.add().dim.extend((2, 3, 5, 5))
    layer = made.layer.add(name="a", type="Convolution", bottom=["data"], top=["a"])
    layer.convolution_param.num_output = 4
    layer.convolution_param.kernel_size.append(3)
    file = tmp_path / "net.protobin"
    file.write_bytes(made.SerializeToString())
    assert netsurgery.load(file)["a"].weights == ()
    weights = caffemodel(tmp_path / "w", [("a", [W, B])])
    net = netsurgery.load(file, weights)
    assert np.array_equal(net["a"].weights[0], W)
    assert net.files == {"prototxt": str(file), "weights": str(weights)}


def binary_layer(tmp_path: Path, type: str, extra: bytes) -> Net:
    """A binary net of a layer with fields of the wire format appended."""
    made = NetParameter()
    made.layer.add(name="data", type="Input", top=["data"]).input_param.shape.add().dim.extend((2, 3, 5, 5))
    layer = NetParameter().layer.add(name="x", type=type, bottom=["data"], top=["x"])
    body = layer.SerializeToString() + extra
    file = tmp_path / "net.caffemodel"
    file.write_bytes(made.SerializeToString() + b"\xa2\x06" + bytes([len(body)]) + body)
    return netsurgery.load(file)


@pytest.mark.parametrize(
    ("type", "extra", "number"),
    [
        ("Upsample", b"\xaa\x09\x02\x08\x02", 149),  # eric612's and others' upsample_param, MNN's something else
        ("Interp", b"\xfa\x08\x00", 143),  # PSPNet's interp_param, BVLC's input_param
        ("ReLU", b"\xfa\x08\x00", 143),
    ],
)
def test_fields_of_a_binary_net_that_forks_number_differently_are_refused(
    tmp_path: Path, type: str, extra: bytes, number: int
) -> None:
    net = binary_layer(tmp_path, type, extra)
    with pytest.raises(UnsupportedError) as caught:
        net.require_supported()
    assert str(caught.value) == (
        f"{tmp_path}/net.caffemodel: layer 'x' ({type}): field {number} of LayerParameter is not known in a binary net\n"
        "  expected: a field that is known and used\n"
        "  fix: give the prototxt as well: it names the fields, whose numbers forks reuse"
    )


def test_parameters_of_bvlc_and_ssd_layers_are_read_from_a_binary_net(tmp_path: Path) -> None:
    net = binary_layer(tmp_path, "Permute", b"\xd2\x0c\x08\x08\x00\x08\x02\x08\x03\x08\x01")
    assert net.shapes()["x"] == (2, 5, 5, 3)


def test_an_hdf5_file_alone_is_no_net() -> None:
    pytest.importorskip("h5py")
    with pytest.raises(ParseError) as caught:
        netsurgery.load(NETS / "weights_in_hdf5" / "net.caffemodel.h5")
    assert "is an HDF5 file, which holds weights only\n  fix: give the prototxt as well" in str(caught.value)
