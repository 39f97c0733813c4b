"""Made-up weights: the distributions that Caffe draws from, and numbers that stay of ordinary size."""

from __future__ import annotations

from pathlib import Path

import cases
import numpy as np
import pytest
from filled import INPUT, conv

import netsurgery
from netsurgery import NetsurgeryError, ShapeError
from netsurgery.formats.load import from_text
from netsurgery.net import Net

EVERY = (
    INPUT
    + conv("c", "data", 'num_output: 4 weight_filler { type: "xavier" } bias_filler { value: 0.2 }')
    + 'layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }\n'
    'layer { name: "s" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true bias_filler { value: 3 } } }\n'
    'layer { name: "b" type: "Bias" bottom: "c" top: "c" bias_param { filler { value: 4 } } }\n'
    'layer { name: "p" type: "PReLU" bottom: "c" top: "c" }\n'
    'layer { name: "n" type: "Normalize" bottom: "c" top: "n" norm_param { scale_filler { type: "constant" value: 20 } } }\n'
    'layer { name: "up" type: "Deconvolution" bottom: "n" top: "up" convolution_param { num_output: 4 kernel_size: 2 stride: 2 '
    "bias_filler { value: 5 } } }\n"
    'layer { name: "ip" type: "InnerProduct" bottom: "up" top: "ip" inner_product_param { num_output: 7 bias_filler { value: 6 } } }\n'
)


def test_layers_get_what_their_fillers_say_and_else_the_constants_of_caffe() -> None:
    net = netsurgery.initialize(from_text(EVERY))
    firsts = {x.name: [float(w.ravel()[0]) for w in x.weights] for x in net.layers if x.weights}
    xavier = firsts["c"].pop(0)
    assert 0 < abs(xavier) <= (3 / 54) ** 0.5
    np.testing.assert_allclose(firsts.pop("c"), [0.2], rtol=1e-6)
    assert firsts == {
        "bn": [0, 0, 0],
        "s": [1, 3],
        "b": [4],
        "p": [0.25],
        "n": [20],
        "up": [0, 5],
        "ip": [0, 6],
    }
    assert net.notes == (
        "weights of 8 layers made up (fillers, seed 0); 2 of them name no filler and got Caffe's constants, mostly 0 "
        "(--initialize=random does not)",
    )


def test_the_shapes_are_those_that_caffe_gives_its_blobs() -> None:
    case = cases.FIXTURES / "conformance" / "nets" / "lenet"
    trained = netsurgery.load(case / "net.prototxt", case / "net.caffemodel")
    made = netsurgery.initialize(trained, how="random")
    assert [[w.shape for w in x.weights] for x in made.layers] == [[w.shape for w in x.weights] for x in trained.layers]
    assert not np.array_equal(made["conv1"].weights[0], trained["conv1"].weights[0])


@pytest.mark.parametrize("how", ["fillers", "random"])
def test_a_layer_gets_the_same_numbers_whatever_else_the_net_has(how: str) -> None:
    params = 'num_output: 4 weight_filler { type: "gaussian" }'
    one = netsurgery.initialize(from_text(INPUT + conv("a", "data", params)), seed=5, how=how)
    two = netsurgery.initialize(from_text(INPUT + conv("b", "data", params) + conv("a", "data", params)), 5, how)
    other = netsurgery.initialize(from_text(INPUT + conv("a", "data", params)), seed=6, how=how)
    assert np.array_equal(one["a"].weights[0], two["a"].weights[0])
    assert not np.array_equal(two["a"].weights[0], two["b"].weights[0])
    assert not np.array_equal(one["a"].weights[0], other["a"].weights[0])


@pytest.mark.parametrize("how", ["fillers", "random"])
def test_shared_parameters_are_drawn_once(how: str) -> None:
    share = 'param { name: "w" } param { name: "b" }'
    params = 'num_output: 4 weight_filler { type: "gaussian" }'
    net = netsurgery.initialize(
        from_text(INPUT + conv("a", "data", params, share) + conv("b", "data", params, share)), how=how
    )
    assert net["a"].weights[0] is net["b"].weights[0]


def deep(block: str, depth: int) -> Net:
    text = INPUT.replace("dim: 9", "dim: 16")
    last = "data"
    for i in range(depth):
        text += block.replace("{0}", last).replace("{1}", str(i))
        last = f"x{i}"
    return from_text(text)


CONV = (
    'layer { name: "c{1}" type: "Convolution" bottom: "{0}" top: "x{1}" convolution_param { num_output: 16 kernel_size: 3 pad: 1 } }\n'
    'layer { name: "r{1}" type: "ReLU" bottom: "x{1}" top: "x{1}" }\n'
)


NORMED = (
    CONV.split("\n")[0] + '\nlayer { name: "b{1}" type: "BatchNorm" bottom: "x{1}" top: "x{1}" }\n'
    'layer { name: "s{1}" type: "Scale" bottom: "x{1}" top: "x{1}" scale_param { bias_term: true } }\n'
    'layer { name: "p{1}" type: "PReLU" bottom: "x{1}" top: "x{1}" }\n'
)


SPREAD = (
    'layer { name: "d{1}" type: "Deconvolution" bottom: "{0}" top: "d{1}" '
    "convolution_param { num_output: 16 kernel_size: 4 stride: 2 pad: 1 } }\n"
    'layer { name: "r{1}" type: "ReLU" bottom: "d{1}" top: "d{1}" }\n'
    'layer { name: "q{1}" type: "Pooling" bottom: "d{1}" top: "x{1}" pooling_param { kernel_size: 1 stride: 2 round_mode: FLOOR } }\n'
)


DENSE = (
    'layer { name: "f{1}" type: "InnerProduct" bottom: "{0}" top: "x{1}" inner_product_param { num_output: 200 transpose: true } }\n'
    'layer { name: "r{1}" type: "ReLU" bottom: "x{1}" top: "x{1}" }\n'
)


@pytest.mark.parametrize("block", [CONV, NORMED, SPREAD, DENSE], ids=["conv", "normed", "deconv", "dense"])
def test_random_weights_keep_numbers_of_ordinary_size_through_a_deep_net(block: str) -> None:
    net = netsurgery.initialize(deep(block, 20), seed=1, how="random")
    feed = {"data": np.random.default_rng(0).normal(size=net.inputs["data"]).astype(np.float32)}
    got = netsurgery.run(net, feed)
    for blob in net.outputs:
        size = np.sqrt(np.mean(np.square(got[blob])))
        assert 1e-2 < size < 1e3, size
        assert got[blob].std() > 1e-3


def test_a_net_without_a_declared_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match="the shape of input 'data' is not declared"):
        netsurgery.initialize(from_text('input: "data"\n' + conv("c", "data", "num_output: 4")))


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(NetsurgeryError) as caught:
        netsurgery.initialize(from_text(INPUT), how="magic")
    assert str(caught.value) == "there is no way 'magic' to initialize\n  expected: fillers or random"


def run_cli(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    from netsurgery.cli import main

    monkeypatch.setattr("sys.argv", ["netsurgery", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.mark.parametrize("option", ["--initialize", "--initialize=random", "--initialize=fillers"])
def test_convert_makes_weights_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    net, out = tmp_path / "net.prototxt", tmp_path / "m.onnx"
    net.write_text(EVERY)
    assert run_cli(monkeypatch, "convert", str(net), option, "--seed", "3", "-o", str(out)) == 0
    assert f"({option.partition('=')[2] or 'fillers'}, seed 3)" in capsys.readouterr().err
    feed = {"data": np.random.default_rng(0).normal(size=(2, 6, 9, 9)).astype(np.float32)}
    (got,) = cases.session(str(out)).run(None, feed)
    how = option.partition("=")[2] or "fillers"
    want = netsurgery.run(netsurgery.initialize(netsurgery.load(net), 3, how), feed)["ip"]
    assert not cases.difference(got, want)


def test_convert_does_not_make_weights_up_beside_given_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = cases.FIXTURES / "conformance" / "nets" / "lenet"
    files = str(case / "net.prototxt"), str(case / "net.caffemodel")
    assert run_cli(monkeypatch, "convert", *files, "--initialize", "-o", str(tmp_path / "m.onnx")) == 2
    assert "weights are given, and others are to be made up" in capsys.readouterr().err
    assert run_cli(monkeypatch, "convert", files[0], "--initialize", "zeros", "-o", str(tmp_path / "m.onnx")) == 2
    assert capsys.readouterr().err == (
        "error: --initialize zeros\n  expected: no value, for what the file's fillers say, or random\n"
        "  fix: --initialize, or --initialize random\n"
    )


@pytest.mark.parametrize("bottleneck", ["true", "false"])
def test_a_dense_block_takes_numbers_of_every_kind(bottleneck: str) -> None:
    text = (
        INPUT
        + 'layer { name: "d" type: "DenseBlock" bottom: "data" top: "d" denseblock_param { numTransition: 3 growthRate: 2 '
        f'use_BC: {bottleneck} Filter_Filler {{ type: "msra" }} BN_Scaler_Filler {{ value: 1 }} BN_Bias_Filler {{ value: 2 }} }} }}'
    )
    for how in ("fillers", "random"):
        net = netsurgery.initialize(from_text(text), how=how)
        blobs = net["d"].weights
        assert all(variance.min() > 0 for variance in blobs[12:15])
        feed = {"data": np.random.default_rng(0).normal(size=(2, 6, 9, 9)).astype(np.float32)}
        want = netsurgery.run(net, feed)["d"]
        assert np.isfinite(want).all()
        assert (
            how == "fillers" or 0.1 < want.std() < 100
        )  # its last blob, a divisor, starts as 0: Caffe then divides by sqrt(eps)
        # The fork's ReLU makes 0 of NaN, which a negative variance gives.
        damaged = [b.copy() for b in blobs]
        damaged[12][0, 1] = -3
        damaged[-1] = np.ones(1, np.float32)
        net = net.with_weights("d", *damaged)
        want = netsurgery.run(net, feed)["d"]
        assert np.isfinite(want).all()
        (got,) = cases.session(netsurgery.to_onnx(net).SerializeToString()).run(None, feed)
        assert not cases.difference(got, want)
