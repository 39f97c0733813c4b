"""convert names the layer that ties an axis, whichever it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from seeing import call


def test_a_layer_that_ties_an_axis_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
        'layer { name: "r" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 0 dim: 3 dim: 64 } } }\n'
    )
    code, _, err = call(monkeypatch, capsys, "convert", "net.prototxt", "-o", "m.onnx")
    assert code == 0
    assert "note: layer 'r' (Reshape) ties axis 2 of x to 8 and axis 3 of x to 8\n" in err
