"""The check can fail: whatever is damaged in a model, or in the reference, verify notices and names the first blob that shows it."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest
from mutations import change, mutations, values

import netsurgery
from netsurgery.formats.load import from_text
from netsurgery.verification.compare import RTOL

ALL = [case for case in cases.find("conformance", "conformance-forks") if "surgery" not in case.parts]
assert ALL, "fixtures/ holds no cases"

LEAST_SHARE = 0.99


class Tally:
    """Mutations that changed an output, and those among them that were missed or ascribed to another blob."""

    def __init__(self) -> None:
        self.count = 0
        self.missed: list[str] = []
        self.misnamed: list[str] = []

    def __str__(self) -> str:
        caught = self.count - len(self.missed)
        return f"{caught} of {self.count} mutations caught ({caught / max(self.count, 1):.2%}), {len(self.misnamed)} misnamed"


def tried(case: Path, tally: Tally, seed: int) -> None:
    net = cases.load(case)
    model = netsurgery.to_onnx(net)
    feed = cases.runs(case)[0][0]
    outputs = [o.name for o in model.graph.output]
    inside = {name for node in model.graph.node for name in node.output}
    exposed = [blob for blob in net.blobs if blob in inside]
    before = values(model, feed, exposed)
    assert before is not None
    limit = RTOL
    for what, damaged in mutations(model, seed):
        after = values(damaged, feed, exposed)
        if after is None or not any(change(before[blob], after[blob]) > limit for blob in outputs):
            continue
        tally.count += 1
        report = netsurgery.verify(net, damaged, inputs=feed)
        first = report.first_difference
        if first is None:
            tally.missed.append(f"{cases.name(case)}: {what}")
            continue
        assert not report.passed
        changes = {blob: change(before[blob], after[blob]) for blob in exposed}
        expected = next(blob for blob in exposed if changes[blob] > limit)
        clear = next((blob for blob in exposed if changes[blob] > 3 * limit), expected)  # the first may be at the limit
        if first.blob not in (expected, clear):
            tally.misnamed.append(f"{cases.name(case)}: {what}: {first.blob} in place of {expected}")


def check(tally: Tally) -> None:
    print(f"\n{tally}")
    assert len(tally.missed) <= (1 - LEAST_SHARE) * tally.count, tally.missed
    assert not tally.misnamed


def test_damaged_models_are_noticed() -> None:
    tally = Tally()
    for i, case in enumerate(ALL[::3]):
        tried(case, tally, i)
    assert tally.count > 100
    check(tally)


@pytest.mark.slow
def test_every_damaged_model_is_noticed(request: pytest.FixtureRequest) -> None:
    if "slow" not in request.config.getoption("-m"):
        pytest.skip("a sample ran; pytest -m slow runs all")
    tally = Tally()
    for i, case in enumerate(ALL):
        tried(case, tally, i)
    assert tally.count > 500
    check(tally)


class Damage:
    """A layer type's own computation, with the greatest number of its first top 1 % greater."""

    @staticmethod
    def of(kind: Any) -> Any:
        damaged = copy.copy(kind)

        def forward(bottoms: Any, weights: Any) -> Any:
            tops = [np.array(top) for top in kind.forward(bottoms, weights)]
            where = np.abs(np.nan_to_num(tops[0])).argmax()
            tops[0].flat[where] = tops[0].flat[where] * 1.01 + (tops[0].flat[where] == 0)
            return tops

        damaged.forward = forward
        return damaged


def damaged_reference(net: netsurgery.Net, name: str) -> netsurgery.Net:
    return net.with_layers(replace(x, kind=Damage.of(x.kind)) if x.name == name else x for x in net.layers)


@pytest.mark.parametrize("case", ALL[1::4], ids=cases.name)
def test_a_damaged_reference_is_noticed(case: Path) -> None:
    """The interpreter wrong in one layer: the first blob that the model has at or behind that layer is named."""
    net = cases.load(case)
    model = netsurgery.to_onnx(net)
    feed = cases.runs(case)[0][0]
    inside = {name for node in model.graph.node for name in node.output}
    tried = 0
    for layer in net.layers:
        if layer.kind.is_input or layer.kind.is_identity or layer.tops[:1] == () or layer.tops[0] not in inside:
            continue
        if not netsurgery.run(net, feed, [layer.tops[0]])[layer.tops[0]].size:
            continue  # nothing was found: there is no number to damage
        report = netsurgery.verify(damaged_reference(net, layer.name), model, inputs=feed)
        assert not report.passed
        assert report.first_difference is not None
        assert report.first_difference.blob == layer.tops[0]
        assert report.first_difference.layer == layer.title
        tried += 1
    assert tried or all(
        x.kind.is_input or x.kind.is_identity or not x.tops or x.tops[0] not in inside for x in net.layers
    )


LRNS = [case for case in ALL if "lrn" in case.parts]
assert LRNS


@pytest.mark.parametrize("case", LRNS, ids=cases.name)
def test_a_reference_whose_lrn_does_not_divide_alpha_is_noticed(case: Path) -> None:
    net = cases.load(case)
    layer = next(x for x in net.layers if x.type == "LRN")
    kind = copy.copy(layer.kind)
    kind.alpha = kind.alpha * kind.size
    wrong = net.with_layers(replace(x, kind=kind) if x is layer else x for x in net.layers)
    report = netsurgery.verify(wrong, netsurgery.to_onnx(net), inputs=cases.runs(case)[0][0])
    assert report.first_difference is not None
    assert report.first_difference.blob == layer.tops[0]


def test_a_reference_that_averages_without_padding_is_noticed() -> None:
    net = from_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }\n'
        'layer { name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }\n'
    )
    kind, right = copy.copy(net["p"].kind), net["p"].kind
    kind.forward = lambda bottoms, weights: [
        right.forward(bottoms, weights)[0] / right.forward([np.ones_like(bottoms[0])], weights)[0]
    ]
    wrong = net.with_layers(replace(x, kind=kind) if x.name == "p" else x for x in net.layers)
    model = netsurgery.to_onnx(net)
    assert netsurgery.verify(net, model).passed
    report = netsurgery.verify(wrong, model)
    assert report.first_difference is not None
    assert report.first_difference.blob == "p"
