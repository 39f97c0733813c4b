"""Dropout: nothing, once a net is trained."""

from .core import Arrays, Elementwise, Op, Params, Tensors
from .shared.emission import scaled


class Dropout(Elementwise):
    """y = x. With `scale_train: false` (forks of Fast R-CNN's line), where training does not scale up what it keeps:
    y = (1 - dropout_ratio) x.

    Shapes: any.
    Source: dropout_layer.cpp; of rbgirshick/caffe-fast-rcnn for scale_train
    """

    types = ("Dropout",)
    gives_features = True

    def read(self, p: Params) -> None:
        q = p.message("dropout_param")
        ratio = q.get_float("dropout_ratio")
        self.factor = 1.0 if q.get_bool("scale_train", True) else 1 - ratio
        self.is_identity = self.factor == 1
        if q.get_bool("sample_weights_test", False):
            raise q.refuse(
                "sample_weights_test",
                "sample_weights_test draws at random in the TEST phase too (Bayesian SegNet)",
                expected="Dropout that passes everything on",
                fix="remove the field to get the mean of the samples, nearly",
            )
        q.ignore("random_seed", why="it steers training alone")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [x if self.is_identity else x * x.dtype.type(self.factor)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [scaled(op, bottoms[0], self.factor)]
