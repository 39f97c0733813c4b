"""The joint between a layer and its type: facts with neutral answers, refusal with the layer's own error, never out of step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import netsurgery
from netsurgery.cli import main
from netsurgery.errors import NetsurgeryError, Source, UnsupportedError
from netsurgery.formats.load import from_text
from netsurgery.kind import Kind
from netsurgery.layers import find, make_layer
from netsurgery.layers.core.layer_type import LayerType
from netsurgery.message import Field, Message
from netsurgery.net import Layer

UNKNOWN = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "bn" }
layer { name: "odd" type: "Wobble" bottom: "bn" top: "odd" }
"""
"""A net with a layer that netsurgery does not know, and that has blobs."""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    net = from_text(UNKNOWN)
    shapes = {"c": [(4, 3, 3, 3), (4,)], "bn": [(4,), (4,), (1,)], "odd": [(2, 2)]}
    rng = np.random.default_rng(0)
    arrays = {name: [rng.random(s, np.float32) + 1 for s in several] for name, several in shapes.items()}
    net = net.with_layers(replace(x, weights=tuple(arrays.get(x.name, ()))) for x in net.layers)
    prototxt, weights = tmp_path / "odd.prototxt", tmp_path / "odd.caffemodel"
    prototxt.write_text(UNKNOWN)
    netsurgery.save_caffe(net, prototxt, weights)
    return str(prototxt), str(weights)


def test_verify_refuses_by_the_layer_s_own_error(files: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["netsurgery", "verify", *files, files[0]])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    net = netsurgery.load(*files)
    with pytest.raises(NetsurgeryError, match="Wobble"):
        netsurgery.verify(net, net)


def test_fold_leaves_a_layer_alone_that_is_not_known(files: tuple[str, str]) -> None:
    net = netsurgery.load(*files)
    folded = netsurgery.passes.fold_scale(net)
    assert [layer.name for layer in folded.layers] == ["data", "c", "odd"]
    assert np.array_equal(folded["odd"].weights[0], net["odd"].weights[0])


def test_whatever_computes_raises_the_layer_s_own_error() -> None:
    layer = make_layer("odd", "Wobble", ("x",), ("y",))
    ones = np.ones((1, 2), np.float32)
    for call in (
        lambda k: k.shapes([(1, 2)]),
        lambda k: k.weight_shapes([(1, 2)]),
        lambda k: k.forward([ones], []),
        lambda k: k.emit(None, [], []),
        lambda k: k.emit_caffe2(None, [], []),
        lambda k: k.reach([(1, 2)]),
        lambda k: k.random_weights([(1, 2)], np.random.default_rng(0)),
        lambda k: k.per_position(Message(), [(1, 2)]),
    ):
        with pytest.raises(UnsupportedError, match="'Wobble' is not known") as caught:
            call(layer.kind)
        assert caught.value is layer.kind.error


def test_a_refused_layer_answers_facts_neutrally() -> None:
    kind = make_layer("odd", "Wobble", ("x",), ("y",)).kind
    assert not (kind.is_supported or kind.is_input or kind.is_identity or kind.training_only or kind.has_weights)
    assert kind.affine([]) is kind.ungrouped(Message(), []) is kind.expand(Layer("a", "b")) is None
    assert kind.declared(2) == [None, None]


def test_a_layer_without_its_type_says_how_to_make_one() -> None:
    with pytest.raises(UnsupportedError, match=r"netsurgery\.layer"):
        Layer("a", "ReLU").kind.shapes([(1, 2)])


def with_field(layer: Layer, value: int) -> Message:
    inner = layer.params.last("convolution_param").with_fields(Field("num_output", value))
    return layer.params.with_fields(Field("convolution_param", inner))


def test_replaced_parameters_are_read_anew() -> None:
    layer = from_text(UNKNOWN)["c"]
    other = replace(layer, params=with_field(layer, 7))
    assert (layer.kind.num_output, other.kind.num_output) == (4, 7)
    assert type(other.kind) is type(layer.kind)
    assert replace(layer, bottoms=("elsewhere",)).kind is layer.kind


def test_replaced_parameters_that_are_wrong_are_refused_when_used() -> None:
    layer = from_text(UNKNOWN)["c"]
    wrong = replace(layer, params=with_field(layer, 0))
    with pytest.raises(UnsupportedError, match="num_output is 0"):
        wrong.kind.shapes([(1, 3, 8, 8)])
    assert replace(wrong, params=layer.params).kind.is_supported


def test_a_new_name_and_a_new_type_are_read_anew() -> None:
    layer = from_text(UNKNOWN)["bn"]
    assert replace(layer, name="x").kind.title == "'x' (BatchNorm)"
    assert isinstance(replace(layer, type="ReLU").kind, find("ReLU"))  # type: ignore[arg-type]


def test_own_classes_stay_when_parameters_change() -> None:
    class Own(find("ReLU")):  # type: ignore[misc]
        types = ("ReLU",)

    layer = make_layer("r", "ReLU", ("x",), ("y",), layers={"ReLU": Own})
    inner = Message("ReLUParameter", (Field("negative_slope", 0.5),))
    assert type(replace(layer, params=Message("LayerParameter", (Field("relu_param", inner),))).kind) is Own


class Unwritten(LayerType):
    """A type whose methods are still to be written."""

    types = ("Unwritten",)


def test_a_forgotten_method_is_told() -> None:
    net = from_text(
        'input: "x" input_shape { dim: 1 dim: 2 } layer { name: "y" type: "Unwritten" bottom: "x" top: "y" }',
        "net.prototxt",
        layers={"Unwritten": Unwritten},
    )
    with pytest.raises(UnsupportedError) as refused:
        netsurgery.to_onnx(net)
    assert str(refused.value) == (
        "net.prototxt:1: layer 'y' (Unwritten): there is no ONNX form of this layer: its class has no emit\n"
        "  fix: write `emit` in its class (README: Your own layer), or cut the net before this layer (--output)"
    )
    with pytest.raises(UnsupportedError) as refused:
        netsurgery.run(net, {"x": np.zeros((1, 2), np.float32)})
    assert str(refused.value) == (
        "net.prototxt:1: layer 'y' (Unwritten): netsurgery.run cannot compute this layer: its class has no forward\n"
        "  fix: write `forward` in its class (README: Your own layer), or cut the net before this layer (--output)"
    )
    assert netsurgery.to_onnx(net, outputs=["x"]).graph.output[0].name == "x"


def test_no_kind_is_probed() -> None:
    """Nobody asks a kind with getattr or hasattr, or whether it is Refused."""
    package = Path(netsurgery.__file__).parent
    lines = [
        f"{path.name}: {line.strip()}"
        for path in package.rglob("*.py")
        if "gradients" not in path.parts  # rules for single types, which know their own
        for line in path.read_text().splitlines()
        if "kind: Any" in line
        or (("getattr(" in line or "hasattr(" in line) and ".kind" in line)
        or ("isinstance(" in line and "Refused" in line)
    ]
    assert lines == [] and Kind.is_supported


def test_an_error_takes_title_and_place_from_the_layer() -> None:
    layer = from_text(UNKNOWN)["c"]
    for about in (layer, layer.kind):
        assert str(NetsurgeryError("is odd", layer=about)) == f"{layer.source}: layer 'c' (Convolution): is odd"
    assert NetsurgeryError("is odd", layer=layer, source=Source("a", 3)).args == (
        "a:3: layer 'c' (Convolution): is odd",
    )
