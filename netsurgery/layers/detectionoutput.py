"""DetectionOutput: the boxes that SSD, RefineDet and their descendants find."""

from .core import LayerType, Params
from .detectionoutput_polygons import PolygonDetectionOutput
from .detectionoutput_states import StateDetectionOutput
from .shared.detections import Detections


class DetectionOutput(Detections):
    """As Detections.

    Shapes: as DetectionBoxes -> (1, 1, K, 7).
    Source: detection_output_layer.cpp and bbox_util.cpp (SSD; RefineDet for more than three bottoms but an image)
    """

    types = ("DetectionOutput",)
    note = (
        "SSD's with three bottoms or an image behind them, RefineDet's with four or five, by their fields TextBoxes++'s and tl_ssd's "
        "(or dialect textboxes, tl_ssd); no ONNX form for eta < 1 where it matters"
    )

    @classmethod
    def variant(cls, p: Params, title: str, bottom_count: int) -> type[LayerType]:
        if p.sets("detection_output_param", "use_polygon"):
            return PolygonDetectionOutput
        states = p.sets("detection_output_param", "do_state_prediction", "num_states")
        return StateDetectionOutput if states else cls
