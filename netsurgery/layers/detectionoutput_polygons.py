"""DetectionOutput of TextBoxes++: with the corners of a quadrilateral for each box."""

import numpy as np

from .core import Array, Arrays, LayerType, Op, Params, Tensor, Tensors
from .shared.boxes_onnx import emit_halves
from .shared.detections import Detections

CORNERS = [0, 1, 2, 1, 2, 3, 0, 3]
"""Of a box x1, y1, x2, y2 the corners, going around it."""


class PolygonDetectionOutput(Detections):
    """As Detections, loc holding 8 numbers t more for each prior, which give four corners, those of the prior moved:

        corner_k + (var0 t_x w, var1 t_y h)

    or, without use_polygon, 5 numbers: two points and a height, centre + (var0 t_x w, var1 t_y h) and exp(var3 t_h) h. Only code_type
    CENTER_SIZE without variance_encoded_in_target fills them; boxes alone are compared. Rows of 15 or 12 columns.

    Shapes: loc (N, P * 12) or (N, P * 9), else as DetectionBoxes -> (1, 1, K, 15) or (1, 1, K, 12).
    Source: MhLiao/TextBoxes_plusplus, detection_output_layer.cpp and bbox_util.cpp
    """

    types = ()
    emit_caffe2 = LayerType.emit_caffe2  # there is none

    def read_fields(self, q: Params) -> None:
        super().read_fields(q)
        self.polygon = q.get_bool("use_polygon")
        self.more = 8 if self.polygon else 5
        self.numbers = 4 + self.more
        if self.code != "CENTER_SIZE" or not self.scaled:
            problem = f"code_type is {self.code}, variance_encoded_in_target {str(not self.scaled).lower()}"
            expected = "code_type CENTER_SIZE without variance_encoded_in_target: else the fork leaves the points unset"
            raise q.refuse("code_type", problem, expected=expected)

    def extra(self, bottoms: Arrays) -> Array | None:
        between = [] if self.shared else [self.classes]
        t = bottoms[0].reshape(len(bottoms[0]), -1, *between, self.numbers)[..., 4:]
        box, variance = bottoms[2].reshape(2, -1, *([] if self.shared else [1]), 4)
        size = box[..., 2:] - box[..., :2]
        if self.polygon:
            return np.asarray(box[..., CORNERS] + t * np.tile(variance[..., :2] * size, 4))
        centre = (box[..., :2] + box[..., 2:]) / 2
        points = np.tile(centre, 2) + t[..., :4] * np.tile(variance[..., :2] * size, 2)
        return np.concatenate([points, np.exp(variance[..., 3:] * t[..., 4:]) * size[..., 1:]], axis=-1)

    def emit_extra(self, op: Op, bottoms: Tensors) -> Tensor | None:
        between = [] if self.shared else [self.classes]
        t = op.reshape(bottoms[0], 0, -1, *between, self.numbers)
        t = op("Slice", t, op.ints(4), op.ints(self.numbers), op.ints(-1))
        prior = op.reshape(bottoms[2], 2, -1)
        box, variance = (op.reshape(x, -1, *([] if self.shared else [1]), 4) for x in emit_halves(op, prior, 0, 1))
        low, high = emit_halves(op, box)
        size = op("Sub", high, low)
        first, last = emit_halves(op, variance)
        step = op("Mul", first, size)
        if self.polygon:
            return op(
                "Add", op("Gather", box, op.ints(*CORNERS), axis=-1), op("Mul", t, op("Concat", *[step] * 4, axis=-1))
            )
        centre = op("Mul", op("Add", low, high), op.const(0.5))
        points, tall = op.many(2, "Split", t, op.ints(4, 1), axis=-1)
        points = op("Mul", points, op("Concat", step, step, axis=-1))
        points = op("Add", points, op("Concat", centre, centre, axis=-1))
        height, growth = (op("Gather", x, op.ints(1), axis=-1) for x in (size, last))
        return op("Concat", points, op("Mul", op("Exp", op("Mul", growth, tall)), height), axis=-1)
