"""Leave the choice of boxes to whoever runs the model: decoded boxes, scores and priors in place of DetectionOutput.

mbox_loc (N, P * 4), mbox_conf (N, P * C), mbox_priorbox (1, 2, P * 4) -> detection_out (1, 1, K, 7)

becomes

.. -> detection_out_boxes (N, P, 4), detection_out_scores (N, P, C), detection_out_priors (1, 2, P * 4)
"""

from __future__ import annotations

from ..errors import RewriteError
from ..layers import make_layer
from ..layers.shared.detection_boxes import DetectionBoxes
from ..net import Layer, Net

TYPE = "DetectionBoxes"


def chooses_boxes(net: Net) -> bool:
    """Whether there is a DetectionOutput."""
    return any(layer.type == "DetectionOutput" for layer in net.layers)


def raw_detections(net: Net) -> Net:
    """The net in which each DetectionOutput gives what it chooses from: boxes x1, y1, x2, y2 as DetectionOutput would give them
    (without share_location one per class: (N, P, C, 4)), the scores of every class, and the priors as they come in.

    Raises: RewriteError if there is no DetectionOutput, or if a layer reads what one found.
    """
    detectors = [layer for layer in net.layers if layer.type == "DetectionOutput"]
    if not detectors:
        raise RewriteError("the net has no DetectionOutput layer", source=net.source, expected="an SSD net")
    for layer in detectors:
        for reader in net.readers(layer.tops[0]):
            raise RewriteError(
                f"layer {reader.title} reads what is to be left out",
                layer=layer.title,
                source=reader.source,
                expected="a DetectionOutput whose top nothing consumes",
                fix=f"export the blobs before it instead: --output {' --output '.join(layer.bottoms[:3])}",
            )
    return net.with_layers(_raw(layer) if layer in detectors else layer for layer in net.layers)


def _raw(layer: Layer) -> Layer:
    (top,) = layer.tops
    return make_layer(
        layer.name,
        TYPE,
        layer.bottoms,
        tuple(f"{top}_{what}" for what in ("boxes", "scores", "priors")),
        layer.params,
        source=layer.source,
        layers={TYPE: DetectionBoxes},
    )
