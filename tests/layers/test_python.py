"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/python.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from one_layer import Array, agree, dims, make, one, refusal

import netsurgery
from netsurgery.errors import NetsurgeryError, ParseError, Source, UnsupportedError
from netsurgery.formats.load import from_text
from netsurgery.layers.core.param_str import ParamStr
from netsurgery.layers.shared.python_layers import NoSettings


def test_python_layers_without_bottoms_are_inputs() -> None:
    net = from_text(
        one(
            "Python",
            "python_param { module: 'roi_data_layer.layer' layer: 'RoIDataLayer' param_str: \"'n': 1\" }",
            (),
            ("data", "im_info"),
        )
    )
    net.require_supported()
    assert dict(net.inputs) == {"data": None, "im_info": None}


def test_python_layers_that_are_not_known_are_refused_by_name() -> None:
    net = make(one("Python", "python_param { module: 'my.module' layer: 'Focal' }"), x=(1, 2))
    text = refusal(net.require_supported, UnsupportedError)
    assert (
        "net.prototxt:2: layer 'y' (Python): what Python module 'my.module', layer 'Focal' computes is not known"
        in text
    )
    assert "expected: a module and layer that `netsurgery layers` lists as Python:module.layer" in text
    assert (
        "fix: register a layer type 'Python:my.module.Focal' (README: Your own layer) and give its file as --plugin"
        in text
    )
    assert "`netsurgery pycaffe`, which runs the layer's own Python" in text


def test_a_python_layer_is_replaced_by_its_module_and_name() -> None:
    class Focal(NoSettings):
        types = ("Python:my.module.Focal",)

        def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
            return [bottoms[0] * 2]

    text = one("Python", "python_param { module: 'pylayer.mask_layer' layer: 'MaskLayer' }")
    inputs = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 441 } } }'
    net = from_text(inputs + text, layers={"Python:pylayer.mask_layer.MaskLayer": Focal})
    x = np.ones((1, 441), np.float32)
    np.testing.assert_array_equal(netsurgery.run(net, {"x": x})["y"], 2 * x)


def test_a_dialect_chooses_between_layers_of_one_name() -> None:
    """person_search's ProposalLayer has py-faster-rcnn's name: of boxes that do not move, the far corner is one pixel further in."""
    text = one(
        "Python",
        "python_param { module: 'rpn.proposal_layer' layer: 'ProposalLayer' param_str: \"{feat_stride: 16, scales: [2]}\" }",
        ("s", "d", "i"),
    )
    inputs = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims(shape)} }} }} }} '
        for name, shape in (("s", (1, 6, 4, 5)), ("d", (1, 12, 4, 5)), ("i", (1, 3)))
    )
    feed = {
        "s": np.random.default_rng(0).random((1, 6, 4, 5), dtype=np.float32),
        "d": np.zeros((1, 12, 4, 5), np.float32),
        "i": np.array([[400, 400, 1]], np.float32),
    }
    (usual,) = agree(from_text(inputs + text), feed)
    (closer,) = agree(from_text(inputs + text, dialect="person_search"), feed)
    width = usual["y"][:, 3] - usual["y"][:, 1]
    np.testing.assert_allclose((closer["y"][:, 3] - closer["y"][:, 1]).max(), width.max() - 1)
    shown = from_text(inputs + text + 'layer { name: "p" type: "Softmax" bottom: "s" top: "pid_prob" }')
    np.testing.assert_array_equal(netsurgery.run(shown, feed)["y"], closer["y"])
    assert [note.partition(":")[0] for note in shown.notes] == [
        "read in the dialect person_search, which pid_prob shows"
    ]
    with pytest.raises(NetsurgeryError, match="dialect 'klingon' is not known"):
        from_text(inputs + text, dialect="klingon")


def test_a_bottom_that_a_layer_changes_may_not_be_read_after_it() -> None:
    inputs = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims((1, c, 4, 5))} }} }} }}\n'
        for name, c in (("x", 3), ("f", 2))
    )
    warp = one("Python", "python_param { module: 'warping_layer' layer: 'WarpingLayer' }", ("x", "f")) + "\n"
    later = 'layer { name: "z" type: "ReLU" bottom: "f" top: "z" }\n'
    assert refusal(from_text(inputs + warp + later, "net.prototxt").require_supported, UnsupportedError) == (
        "net.prototxt:3: layer 'y' (Python): it changes its bottom 'f', which layer 'z' (ReLU) reads after that\n"
        "  expected: that nothing reads the blob later\n"
        "  fix: put what reads it before this layer"
    )
    from_text(inputs + later + warp).require_supported()


PARAM_STRS: list[tuple[str, dict[str, Any]]] = [
    ("'feat_stride': 16", {"feat_stride": 16}),
    ("'feat_stride': 16 \n'scales': !!python/tuple [4, 8.5]", {"feat_stride": 16, "scales": [4, 8.5]}),
    ("{'a': (1, 2), \"b\": {c: True, d: null}, e: c:/x y,}", {"a": [1, 2], "b": {"c": True, "d": None}, "e": "c:/x y"}),
    ("a: it's # remark\n\n# more\nb: 'it''s'\nc: -1e-3", {"a": "it's", "b": "it's", "c": -0.001}),
    ("'feat_stride': 4,8, 16\nb: 8,1,21", {"feat_stride": "4,8,16", "b": "8,1,21"}),
    ("'a': 4, 'b': 8", {"a": 4, "b": 8}),
    ("", {}),
]


@pytest.mark.parametrize(("text", "want"), PARAM_STRS)
def test_param_str_is_read_as_data(text: str, want: dict[str, Any]) -> None:
    assert ParamStr(text, "'y' (Python)", Source("f", 3)).read() == want


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("__import__('os')", "__import__"),
        ("[1]", "["),
        ("a: [1", "its end"),
        ("{a: 1}}", "}"),
        ("a: 1 b: 2", ":"),
        ("a: &anchor 1", "&anchor 1"),
        ("- a", "- a"),
        ("a: 'x", "'x"),
        ("a: " + "[" * 99, "deep nesting"),
    ],
)
def test_param_str_that_is_not_data_is_refused(text: str, at: str) -> None:
    assert refusal(lambda: ParamStr(text, "'y' (Python)", Source("f", 3)).read(), ParseError) == (
        f"f:3: layer 'y' (Python): param_str cannot be read at: {at}\n"
        "  expected: entries like 'feat_stride': 16, with numbers, words, lists and mappings in {}"
    )
