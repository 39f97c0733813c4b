"""Every case: one export with free sizes, and the interpreter, give what real Caffe gave, at every recorded size."""

from __future__ import annotations

from pathlib import Path

import cases
import numpy as np
import onnx
import pytest

import netsurgery

ALL = cases.find("conformance", "conformance-forks")
ALL = [case for case in ALL if "surgery" not in case.parts]  # test_convolutionalize.py has those
assert ALL, "fixtures/ holds no cases"


@pytest.mark.parametrize("case", ALL, ids=cases.name)
def test_onnx_gives_caffes_numbers(case: Path) -> None:
    net = cases.load(case)
    model = netsurgery.to_onnx(net)
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} <= {""}
    session = cases.session(model.SerializeToString())
    outputs = [o.name for o in session.get_outputs()]
    for feed, want in cases.runs(case):
        assert {i.name for i in session.get_inputs()} == set(feed)
        got = dict(zip(outputs, session.run(None, feed), strict=True))
        compared = [blob for blob in want if blob in got]
        assert compared
        for blob in compared:
            assert got[blob].dtype == np.float32
            assert not cases.difference(got[blob], want[blob]), (blob, cases.difference(got[blob], want[blob]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", ALL, ids=cases.name)
def test_run_gives_caffes_numbers(case: Path, dtype: type) -> None:
    net = cases.load(case)
    for feed, want in cases.runs(case):
        got = netsurgery.run(net, feed, dtype=dtype)
        compared = [blob for blob in want if blob in got]
        assert compared
        for blob in compared:
            assert got[blob].dtype == dtype
            assert not cases.difference(got[blob], want[blob]), (blob, cases.difference(got[blob], want[blob]))


WITH_WEIGHTS = [
    case
    for case in ALL
    if cases.weights(case)
    # these do not use their first blob: statistics of the batch, or divided by a factor of 0; or give the same for its negative
    and not {"batch_statistics", "scale_factor_zero", "python_distance"} & set(case.parts)
]


@pytest.mark.parametrize("case", WITH_WEIGHTS, ids=cases.name)
def test_a_damaged_weight_is_noticed(case: Path) -> None:
    net = cases.damaged(cases.load(case))
    session = cases.session(netsurgery.to_onnx(net).SerializeToString())
    outputs = [o.name for o in session.get_outputs()]
    feed, want = cases.runs(case)[0]
    got = dict(zip(outputs, session.run(None, feed), strict=True))
    ours = netsurgery.run(net, feed)
    assert any(cases.difference(got[blob], want[blob]) for blob in want if blob in got)
    assert any(cases.difference(ours[blob], want[blob]) for blob in want if blob in ours)


def test_every_layer_file_has_cases() -> None:
    """A layer type without numbers of Caffe's must say in its note that it was built by formula."""
    from netsurgery.layers import find, names

    used = {layer.kind.__class__ for case in ALL for layer in cases.load(case).layers}
    for name in names():
        cls = find(name)
        assert cls is not None, name
        assert cls in used or cls.is_input or "by formula" in cls.note, (
            f"{name} has no case in fixtures/: record one (docs/contributing.md), or say so in its class: note = 'by formula'"
        )
