"""NetSpec writes the nets that pycaffe's did."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from netsurgery.pycaffe.coord_map import AxisMismatchException, compose, coord_map_from_to, crop
from netsurgery.pycaffe.net_spec import NetSpec, param_name_dict, to_proto
from netsurgery.pycaffe.net_spec import layers as L  # noqa: N812
from netsurgery.pycaffe.net_spec import params as P  # noqa: N812


def lines(net: object) -> list[str]:
    return [f"{x.name}|{x.type}|{','.join(x.bottom)}|{','.join(x.top)}" for x in net.layer]  # type: ignore[attr-defined]


def test_tops_bear_the_names_that_were_set_and_in_place_layers_their_bottoms() -> None:
    n = NetSpec()
    n.data, n.label = L.DummyData(shape=[{"dim": [2, 3, 8, 8]}, {"dim": [2]}], ntop=2)
    n.conv = L.Convolution(n.data, num_output=4, kernel_size=3, param={"lr_mult": 0}, weight_filler={"type": "msra"})
    n.relu = L.ReLU(L.BatchNorm(n.conv, in_place=True, param=[{"lr_mult": 0}] * 3), in_place=True)
    n["pool/all"] = L.Pooling(n.relu, pool=P.Pooling.AVE, global_pooling=True)
    n.silence = L.Silence(n.label, ntop=0)
    net = n.to_proto()
    assert lines(net) == [
        "data|DummyData||data,label",
        "conv|Convolution|data|conv",
        "BatchNorm1|BatchNorm|conv|conv",
        "relu|ReLU|conv|conv",
        "pool/all|Pooling|conv|pool/all",
        "silence|Silence|label|",
    ]
    assert list(net.layer[1].convolution_param.kernel_size) == [3]
    assert [p.lr_mult for p in net.layer[1].param] == [0]
    assert net.layer[4].pooling_param.pool == 1
    assert copy.deepcopy(n)["pool/all"] is not None


def test_names_are_made_up_without_net_spec() -> None:
    x = L.Input(shape={"dim": [2, 4]})
    ip = L.InnerProduct(x, num_output=3)
    assert lines(to_proto(L.ReLU(ip, in_place=True), L.TanH(x), ip)) == [
        "Input1|Input||Input1",
        "InnerProduct1|InnerProduct|Input1|InnerProduct1",
        "ReLU1|ReLU|InnerProduct1|InnerProduct1",
        "TanH1|TanH|Input1|TanH1",
    ]
    assert lines(ip.to_proto())[-1].startswith("InnerProduct1|")


def test_what_is_wrong_is_refused_as_pycaffe_does() -> None:
    pair = L.DummyData(ntop=2)
    with pytest.raises(TypeError, match=r"^Silence input 0 is not a Top \(type is <class 'tuple'>\)$"):
        L.Silence(pair, ntop=0)
    with pytest.raises(AttributeError):
        L.Convolution(pair[0], no_such_field=3).to_proto()
    with pytest.raises(KeyError):
        _ = NetSpec().nothing
    with pytest.raises(AttributeError):
        _ = P.Pooling.MEDIAN


def test_types_of_forks_have_their_parameters() -> None:
    names = param_name_dict()
    assert (names["InnerProduct"], names["Convolution"], names["ROIPooling"]) == (
        "inner_product",
        "convolution",
        "roi_pooling",
    )
    rois = L.ROIPooling(L.Input(), L.Input(), pooled_h=7, spatial_scale=0.0625).to_proto().layer[-1]
    assert (rois.roi_pooling_param.pooled_h, rois.roi_pooling_param.spatial_scale) == (7, 0.0625)


def pyramid(pad: int = 0, pool: int = 2, up: int = 2) -> NetSpec:
    n = NetSpec()
    n.data = L.Input(shape={"dim": [2, 1, 100, 100]})
    n.conv = L.Convolution(n.data, num_output=10, kernel_size=3, pad=pad)
    n.pool = L.Pooling(n.conv, pool=P.Pooling.MAX, kernel_size=pool, stride=pool)
    n.up = L.Deconvolution(n.pool, convolution_param={"num_output": 10, "kernel_size": 2 * up, "stride": up})
    return n


@pytest.mark.parametrize(("pad", "pool", "want"), [(0, 2, 0), (0, 4, -1), (3, 2, -3)])
def test_places_are_mapped(pad: int, pool: int, want: float) -> None:
    n = pyramid(pad, pool, pool)
    axis, scale, shift = coord_map_from_to(n.up, n.data)
    assert (axis, float(scale[0]), float(shift[0])) == (1, 1, want)


def test_a_residual_block_keeps_its_axis_and_many_take_no_time() -> None:
    """Ways that join: two for each block, so 2^40 of them in all."""
    n = pyramid()
    x = n.up
    for _ in range(40):
        x = L.Eltwise(x, L.ReLU(L.Convolution(x, num_output=10, kernel_size=3, pad=1)))
    axis, scale, shift = coord_map_from_to(x, n.data)
    assert (axis, float(scale[0]), float(shift[0])) == (1, 1, 0)


def test_crops_are_laid_or_refused() -> None:
    n, uneven = pyramid(pad=5), pyramid(pool=3)
    layer = crop(n.up, n.data).to_proto().layer[-1]
    assert (layer.crop_param.axis, list(layer.crop_param.offset)) == (2, [5])
    n.cut = L.Crop(n.up, n.data, axis=2, offset=3)
    assert np.array_equal(coord_map_from_to(n.cut, n.data)[2], [-2])
    with pytest.raises(AssertionError, match="one scale"):
        crop(uneven.up, uneven.data)
    with pytest.raises(RuntimeError, match="do not connect"):
        coord_map_from_to(L.InnerProduct(n.up, num_output=2), n.data)
    with pytest.raises(AssertionError, match="kernel_h"):
        coord_map_from_to(L.Convolution(n.data, kernel_size=3, kernel_h=3), n.data)
    with pytest.raises(AxisMismatchException):
        compose((1, 1, 0), (2, 1, 0))
