"""BatchNorm by the statistics of the batch, step after step, against BVLC's own code: fixtures/pycaffe-layers/batch_norm.npz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsurgery.pycaffe as caffe

RECORDED = np.load(Path(__file__).parents[2] / "fixtures" / "pycaffe-layers" / "batch_norm.npz")
CASES = sorted({name.partition(".")[0] for name in RECORDED.files})
TOLERANCE = 1e-4


def of(case: str, name: str) -> Any:
    return RECORDED[f"{case}.{name}"]


def net(case: str, folder: Path) -> caffe.Net:
    fraction, eps, in_place = of(case, "set").tolist()
    dims = " ".join(f"dim: {n}" for n in of(case, "x").shape[1:])
    (folder / "net.prototxt").write_text(
        f"""force_backward: true input: "x" input_shape {{ {dims} }}
        layer {{ name: "same" type: "Power" bottom: "x" top: "b" }}
        layer {{ name: "bn" type: "BatchNorm" bottom: "b" top: "{"b" if in_place else "y"}"
                 batch_norm_param {{ moving_average_fraction: {fraction} eps: {eps} }} }}"""
    )
    made = caffe.Net(folder / "net.prototxt", caffe.TRAIN)
    mean, var, count = (blob.data for blob in made.params["bn"])
    mean[...], var[...], count[...] = np.split(of(case, "p"), [mean.size, 2 * mean.size])
    return made


def steps(case: str, folder: Path) -> dict[str, Any]:
    trained = net(case, folder)
    top = trained.outputs[0]
    results: dict[str, list[Any]] = {"y": [], "dx": [], "stats": []}
    for x, dy in zip(of(case, "x"), of(case, "dy"), strict=True):
        results["y"].append(trained.forward(x=x)[top].copy())
        results["dx"].append(trained.backward(**{top: dy})["x"].copy())
        results["stats"].append(np.concatenate([blob.data for blob in trained.params["bn"]]))
    assert not any(blob.diff.any() for blob in trained.params["bn"])
    return {name: np.array(arrays) for name, arrays in results.items()}


@pytest.mark.parametrize("case", CASES)
def test_statistics_of_the_batch(case: str, tmp_path: Path) -> None:
    assert len(CASES) == 7
    for name, got in steps(case, tmp_path).items():
        want = of(case, name)
        assert np.isfinite(want).all()
        np.testing.assert_allclose(got, want, rtol=0, atol=TOLERANCE * np.abs(want).max(), err_msg=name)


def test_the_comparison_can_fail(tmp_path: Path) -> None:
    got = steps("plain", tmp_path)
    for name in got:
        want = of("options", name)
        assert got[name].shape != want.shape
        assert np.abs(got[name] * 1.001 - of("plain", name)).max() > TOLERANCE * np.abs(of("plain", name)).max()
