"""Losses, recurrent layers and fork layers where the cases of real Caffe have nothing: options, edges and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from losses import compute, error, loss, net_of, normal


def test_losses_without_a_label_that_counts_are_zero() -> None:
    for type, shape in (("SoftmaxWithLoss", (2,)), ("SigmoidCrossEntropyLoss", (2, 3))):
        net = net_of(
            loss(type, "x label", "loss_param { ignore_label: 1 normalization: VALID }"), {"x": (2, 3), "label": shape}
        )
        assert compute(net, x=normal(2, 3), label=np.ones(shape)) == 0


@pytest.mark.parametrize(
    ("layer", "inputs", "expected"),
    [
        (
            loss("InfogainLoss", "x label", 'infogain_loss_param { source: "h.binaryproto" }'),
            {"x": (2, 3), "label": (2,)},
            "net.prototxt:3: layer 'l' (InfogainLoss): the matrix is read from a file: h.binaryproto\n"
            "  expected: the matrix as the third bottom\n"
            "  fix: add an Input of C * C values as third bottom, and feed the matrix",
        ),
        (
            loss("InfogainLoss", "x label"),
            {"x": (2, 3), "label": (2,)},
            "net.prototxt:3: layer 'l' (InfogainLoss): has no matrix\n"
            "  expected: the matrix as the third bottom\n"
            "  fix: add an Input of C * C values as third bottom, and feed the matrix",
        ),
        (
            loss("SoftmaxWithLoss", "x label", "loss_param { normalization: PRE_FIXED }"),
            {"x": (2, 3), "label": (2,)},
            "net.prototxt:3: layer 'l' (SoftmaxWithLoss): normalization is PRE_FIXED\n"
            "  expected: FULL, VALID, BATCH_SIZE or NONE",
        ),
        (
            loss("SoftmaxWithLoss", "x label"),
            {"x": (2, 3, 4), "label": (2, 3)},
            "net.prototxt:3: layer 'l' (SoftmaxWithLoss): labels: 6\n  expected: 8",
        ),
        (
            loss("MultinomialLogisticLoss", "x label"),
            {"x": (2, 3), "label": (2, 2)},
            "net.prototxt:3: layer 'l' (MultinomialLogisticLoss): channels of bottom 1: 2\n  expected: 1",
        ),
        (
            loss("SmoothL1Loss", "x label", "loss_param { normalization: VALID }"),
            {"x": (2, 3), "label": (2, 3)},
            "net.prototxt:3: layer 'l' (SmoothL1Loss): normalization is VALID\n"
            "  expected: BATCH_SIZE\n"
            "  fix: remove the field: the SSD branch ignores it",
        ),
        (
            loss("EuclideanLoss", "x label"),
            {"x": (2, 1, 1, 1, 1), "label": (2, 1)},
            "net.prototxt:3: layer 'l' (EuclideanLoss): bottom 0 has 5 axes: (2, 1, 1, 1, 1)\n  expected: at most 4 axes",
        ),
    ],
)
def test_losses_are_refused(layer: str, inputs: dict[str, tuple[int, ...]], expected: str) -> None:
    net = net_of(layer, inputs)
    assert error(net, **{name: np.zeros(shape) for name, shape in inputs.items()}) == expected


@pytest.mark.parametrize("type", ["HingeLoss", "MultinomialLogisticLoss", "SoftmaxWithLoss"])
def test_a_label_that_is_no_class_is_refused(type: str) -> None:
    net = net_of(loss(type, "x label"), {"x": (2, 3), "label": (2,)})
    assert error(net, x=np.ones((2, 3)), label=[0, 3]) == (
        f"net.prototxt:3: layer 'l' ({type}): label 3\n  expected: 0 to 2: the classes"
    )


def test_a_loss_without_a_top_leaves_the_net_as_it_is() -> None:
    net = net_of(
        'layer { name: "y" type: "Softmax" bottom: "x" top: "y" }' + loss("SoftmaxWithLoss", "x label", tops=""),
        {"x": (2, 3), "label": (2,)},
    )
    assert net.outputs == ("y",)
    assert compute(net, x=normal(2, 3), label=[0, 1]).sum() == pytest.approx(2)
