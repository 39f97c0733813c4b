"""LabelSpecificAdd, LabelSpecificMargin, LabelSpecificRescale: they move the score of the label in training, and copy it in testing."""

from typing import ClassVar

from .. import _proto
from .core import Arrays, Elementwise, Op, Params, ShapeError, Tensors


class LabelSpecificAdd(Elementwise):
    """y = x: `bias` is added to the score of the label in the TRAIN phase alone (`transform_test` changes nothing).

    Shapes: scores (N, ...), labels -> the scores.
    Source: label_specific_add.cpp of happynear/caffe-windows
    """

    types = ("LabelSpecificAdd",)
    bottoms: ClassVar[tuple[int, int | None]] = (2, 3)
    tops: ClassVar[tuple[int, int | None]] = (1, 2)
    has_labels = True
    copies_first = True
    message: ClassVar[str] = "label_specific_add_param"

    def read(self, p: Params) -> None:
        p.ignore(self.message, why="it says what happens in the TRAIN phase")
        if self.top_count > 1:
            raise ShapeError(
                "its second top, what training adds, is not computed in the TEST phase",
                layer=self,
                expected="one top",
                fix="remove the second top",
            )

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return [bottoms[0]]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [bottoms[0]]


class LabelSpecificMargin(LabelSpecificAdd):
    """y = x: the margin is put between classes in the TRAIN phase alone. Its blob, the margin, is not used.

    Shapes: scores (N, ...), labels -> the scores; blob (1), or (3) with `auto_tune`.
    Source: label_specific_margin_layer.cpp of happynear's NormFace and Fine-Tune forks
    """

    types = ("LabelSpecificMargin",)
    note = "by formula"
    any_blobs = True
    message = "label_specific_margin_param"


class LabelSpecificRescale(LabelSpecificAdd):
    """y = x, unless `rescale_test`, which needs the labels and is refused.

    Shapes: scores (N, ...), labels -> the scores.
    Source: label_specific_rescale_layer.cpp of happynear's NormFace
    """

    types = ("LabelSpecificRescale",)
    note = "by formula"
    message = "label_specific_rescale_param"

    def read(self, p: Params) -> None:
        q = p.message(self.message)
        if q.get_bool("rescale_test"):
            raise q.refuse("rescale_test", "scores are rescaled by their labels when testing", expected="false")
        q.ignore(*_proto.message(q.type), why="they say what happens in the TRAIN phase")
        super().read(p)
