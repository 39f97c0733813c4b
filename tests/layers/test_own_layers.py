"""Layer types of one's own: registered, for one load, as a plug-in file, one for several, and as custom operators."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest

import netsurgery
from netsurgery.cli import main
from netsurgery.formats.load import from_text
from netsurgery.layers import load_plugin, make_layer
from netsurgery.layers.core.custom import custom_op
from netsurgery.layers.core.layer_type import LayerType
from netsurgery.layers.core.params import Params

NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
layer { name: "y" type: "%s" bottom: "x" top: "y" %s }
"""
X = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)

PLUGIN = '''
import numpy as np
import netsurgery


@netsurgery.register
class Gain(netsurgery.LayerType):
    """y = factor * x + offset"""

    types = ("Gain",)
    parameters = {"gain_param": {"factor": 2.0, "offset": 0.0, "mode": "LINEAR"}}

    def read(self, p):
        q = p.message("gain_param")
        self.factor, self.offset = q.get_float("factor"), q.get_float("offset")
        if q.get_str("mode") != "LINEAR":
            raise q.refuse("mode", f"mode is {q.get_str('mode')}", expected="LINEAR")

    def forward(self, bottoms, weights):
        return [bottoms[0] * bottoms[0].dtype.type(self.factor) + bottoms[0].dtype.type(self.offset)]

    def emit(self, op, bottoms, weights):
        return [op("Add", op("Mul", bottoms[0], self.factor), self.offset)]
'''


def onnx_of(net: netsurgery.Net) -> np.ndarray[Any, Any]:
    (y,) = cases.session(netsurgery.to_onnx(net).SerializeToString()).run(None, {"x": X})
    return np.asarray(y)


def test_a_plugin_file_adds_a_layer_type(tmp_path: Path) -> None:
    (tmp_path / "gain.py").write_text(PLUGIN)
    load_plugin(tmp_path / "gain.py")
    net = from_text(NET % ("Gain", "gain_param { factor: 3 offset: 1e0 }"))
    assert np.array_equal(netsurgery.run(net, {"x": X})["y"], X * np.float32(3) + np.float32(1))
    assert np.allclose(onnx_of(net), X * 3 + 1)
    defaults = from_text(NET % ("Gain", ""))
    assert np.array_equal(netsurgery.run(defaults, {"x": X})["y"], X * np.float32(2))


def test_the_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (cases.FIXTURES.parent / "README.md").read_text("utf-8")
    example = next(block.split("```")[0] for block in readme.split("```python\n") if block.startswith("# gain.py"))
    assert len(example.splitlines()) < 30
    (tmp_path / "gain.py").write_text(example)
    (tmp_path / "net.prototxt").write_text(NET % ("Gain", "gain_param { factor: 3 }"))
    arguments = [
        "convert",
        "net.prototxt",
        "-o",
        "net.onnx",
        "--plugin",
        "gain.py",
        "--initialize",
        "random",
        "--verify",
    ]
    monkeypatch.setattr("sys.argv", ["netsurgery", *arguments])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    offset = cases.session("net.onnx").run(None, {"x": X})[0] - X * 3
    assert np.allclose(offset, offset[:, :, :1, :1], atol=1e-5) and np.abs(offset).min() > 0


def test_a_field_that_the_own_layer_does_not_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gain.py").write_text(PLUGIN)
    load_plugin(tmp_path / "gain.py")
    net = from_text(NET % ("Gain", "gain_param { faktor: 3 }"), "net.prototxt")
    with pytest.raises(netsurgery.UnsupportedError) as refused:
        netsurgery.run(net, {"x": X})
    assert str(refused.value).startswith("net.prototxt:3: layer 'y' (Gain): field 'faktor: 3' is not known")


def test_a_plugin_that_fails_says_where(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import netsurgery\n\n1 / 0\n")
    with pytest.raises(netsurgery.NetsurgeryError) as failed:
        load_plugin(tmp_path / "broken.py")
    assert str(failed.value) == (
        f"{tmp_path}/broken.py:3: the plug-in failed: ZeroDivisionError: division by zero\n  fix: mend the plug-in"
    )


class Doubled(LayerType):
    """y = 2 max(x, 0), in the place of ReLU"""

    types = ("ReLU",)

    def forward(self, bottoms: Sequence[Any], weights: Sequence[Any]) -> Sequence[Any]:
        return [2 * np.maximum(bottoms[0], 0)]


def test_a_built_in_type_is_replaced_for_one_load_only() -> None:
    net = from_text(NET % ("ReLU", ""), layers={"ReLU": Doubled})
    assert np.array_equal(netsurgery.run(net, {"x": X})["y"], 2 * np.maximum(X, 0))
    assert np.array_equal(netsurgery.run(from_text(NET % ("ReLU", "")), {"x": X})["y"], np.maximum(X, 0))


class ScaledTanH(LayerType):
    """y = 1.7159 tanh(2/3 x), as three layers"""

    types = ("ScaledTanH",)

    def expand(self, layer: netsurgery.Layer) -> Sequence[netsurgery.Layer]:
        (bottom,), (top,) = layer.bottoms, layer.tops

        def power(name: str, bottom: str, top: str, scale: float) -> netsurgery.Layer:
            text = f'layer {{ name: "{name}" type: "Power" bottom: "{bottom}" top: "{top}" power_param {{ scale: {scale} }} }}'
            return from_text(f'layer {{ name: "i" type: "Input" top: "{bottom}" }} {text}').layers[1]

        squashed = make_layer(f"{layer.name}/tanh", "TanH", [f"{top}/in"], [f"{top}/out"])
        return [
            power(f"{layer.name}/in", bottom, f"{top}/in", 2 / 3),
            squashed,
            power(layer.name, f"{top}/out", top, 1.7159),
        ]


def test_one_layer_may_become_several() -> None:
    net = from_text(NET % ("ScaledTanH", ""), layers={"ScaledTanH": ScaledTanH})
    assert [layer.type for layer in net.layers] == ["Input", "Power", "TanH", "Power"]
    want = 1.7159 * np.tanh(X * 2 / 3)
    assert np.allclose(netsurgery.run(net, {"x": X})["y"], want, atol=1e-6)
    assert np.allclose(onnx_of(net), want, atol=1e-6)


def test_an_unknown_layer_becomes_a_node_of_a_domain_of_ones_choice() -> None:
    text = NET % ("Wavelet", 'wavelet_param { levels: 3 family: "haar" gain: 0.5 size: 1 size: 2 sharp: true }')
    net = from_text(text, layers={"Wavelet": custom_op("my.kernels")})
    net = net.with_layers([net.layers[0], net.layers[1].__class__(**{**vars(net.layers[1]), "weights": (X[0, 0],)})])
    model = netsurgery.to_onnx(net)
    (node,) = model.graph.node
    assert (node.op_type, node.domain, list(node.input), list(node.output)) == (
        "Wavelet",
        "my.kernels",
        ["x", "y.blob0"],
        ["y"],
    )
    found = {a.name: (a.i or a.f or a.s or list(a.ints)) for a in node.attribute}
    assert found == {"levels": 3, "family": b"haar", "gain": 0.5, "size": [1, 2], "sharp": 1}
    assert {o.domain for o in model.opset_import} == {"", "my.kernels"}


@pytest.mark.parametrize(
    ("settings", "problem", "fix"),
    [
        ("gain_param { facter: 3 }", "field 'facter: 3' is not known in this message", "factor"),
        ("gian_param { factor: 3 }", "field 'gian_param: {...}' is not known in LayerParameter", "gain_param"),
    ],
)
def test_a_slip_in_a_field_of_ones_own_is_told(settings: str, problem: str, fix: str, tmp_path: Path) -> None:
    (tmp_path / "gain.py").write_text(PLUGIN)
    with pytest.raises(netsurgery.UnsupportedError) as caught:
        from_text(NET % ("Gain", settings), "net.prototxt", plugins=[tmp_path / "gain.py"]).shapes()
    assert str(caught.value) == (
        f"net.prototxt:3: layer 'y' (Gain): {problem}\n  expected: a field that is known and used\n  fix: did you mean '{fix}'?"
    )


def test_a_slip_where_no_schema_has_the_field_and_no_default_is_told() -> None:
    class Bend(LayerType):
        types = ("Bend",)

        def read(self, p: Params) -> None:
            p.message("bend_param").get_float("theta")

    with pytest.raises(netsurgery.NetsurgeryError) as caught:
        from_text(NET % ("Bend", "bend_param { thetta: 3 }"), "net.prototxt", layers={"Bend": Bend}).shapes()
    assert str(caught.value) == (
        "net.prototxt:3: layer 'y' (Bend): field 'theta' is not set\n  expected: a value: the field has no default\n"
        "  fix: 'thetta' is set, which nobody asked for: did you mean 'theta'?"
    )
