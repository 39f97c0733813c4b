"""Proposal: the regions that a region proposal network finds, as two forks choose them."""

import numpy as np
from numpy.typing import NDArray

from .caffe2.boxes import best_first, column, ranks, suppress
from .caffe2.operators import full, part
from .core import Array, LayerType, Op, Params, Shape, Size, Tensor, Tensors
from .shared.boxes import by_score
from .shared.boxes_onnx import LOWEST, emit_nms, emit_only_best
from .shared.proposals import PLUS_ONE, Proposals, anchors, half_up
from .shared.proposals_single import SingleImage

MOST_MULTIPLE = 32
"""The greatest `scale` that is read as a multiple of base_size: boxes of 512 pixels where that is 16. Greater ones are pixels."""
HAPPYNEAR = ("ratio", "scale", "base_size", "min_size", "post_nms_topn", "nms_thresh")
SYNOPSYS = ("anchor_base_size", "anchor_scale", "anchor_ratio", "max_rois", "rpn_min_size", "rpn_nms_thresh")


class Proposal(Proposals):
    """PVANet's form, of all images; scores of too small boxes become 0. The pre_nms_topn best boxes of each image are gone through
    until post_nms_topn are kept.

    The anchors are py-faster-rcnn's, `scale` being multiples of base_size. Happynear's `scale` is a side in pixels: so it is read
    where one is above 32.

    Shapes: im_info has four numbers: height, width, scale of h, scale of w, or mini-caffe's three -> (R, 5), (R).
    Source: sanghoon/caffe and luoyetx/mini-caffe, proposal_layer.cpp; happynear/caffe-windows, proposal_layer.cpp and nms.cpp
    """

    types = ("Proposal",)
    note = (
        "PVANet's form (also mini-caffe's), happynear's where a scale is above 32 (pixels), or Synopsys's, by the fields that are set; "
        "equal scores in an order of its own"
    )
    single = False
    least = 1

    @classmethod
    def variant(cls, p: Params, title: str, bottom_count: int) -> type[LayerType]:
        q = p.message("proposal_param")
        q.ignore("feat_stride", "pre_nms_topn", why="both have them: the class that is chosen reads them")
        happynear = [name for name in HAPPYNEAR if q.has(name)]
        synopsys = [name for name in SYNOPSYS if q.has(name)]
        if happynear and synopsys:
            problem = f"{happynear[0]} belongs to happynear's Proposal, {synopsys[0]} to Synopsys's"
            raise q.refuse(synopsys[0], problem, expected="the fields of one of the two")
        return cls if happynear else SynopsysProposal

    def read(self, p: Params) -> None:
        q = p.message("proposal_param")
        base, ratios, scales = q.get_int("base_size"), q.get_floats("ratio"), q.get_floats("scale")
        self.stride, self.smallest, self.overlap = (
            q.get_int("feat_stride"),
            q.get_int("min_size"),
            q.get_float("nms_thresh"),
        )
        self.before, self.most = q.get_int("pre_nms_topn"), q.get_int("post_nms_topn")
        if not ratios or not scales or min(*ratios, *scales, base) <= 0:
            raise q.refuse("ratio", f"ratio {list(ratios)}, scale {list(scales)}", expected="positive numbers of each")
        if self.before < 1 or self.most < 1 or not self.overlap >= 0:
            raise q.refuse(
                "post_nms_topn", "pre_nms_topn, post_nms_topn or nms_thresh is none", expected="positive ones"
            )
        self.scale_at = (3, 2) if max(scales) > MOST_MULTIPLE else (-1, 2)
        if max(scales) <= MOST_MULTIPLE:
            self.anchors = anchors(base, ratios, scales, half_up)
            return
        wide = [np.float32(np.sqrt(np.float32(base * base) / np.float32(r))) for r in ratios]
        sides = [(w, np.float32(w * np.float32(r))) for w, r in zip(wide, ratios, strict=True)]
        half = [[0.5 * np.trunc(float(v) * s / base - 1 + 0.5) for v in side] for side in sides for s in scales]
        middle = 0.5 * (base - 1)
        self.anchors = np.concatenate([middle - np.array(half), middle + np.array(half)], axis=1).astype(np.float32)

    def score_shape(self, count: Size) -> Shape:
        return (count,)

    def ranked(self, score: Array, large: NDArray[np.bool_]) -> tuple[Array, NDArray[np.intp]]:
        score = score * large
        return score, by_score(score)[: self.before]

    def emit_tops(self, op: Op, boxes: Tensor, score: Tensor, large: Tensor, count: Size) -> Tensors:
        score = op("Unsqueeze", op("Where", large, score, op.const(0)), op.ints(1))
        if not isinstance(count, int) or count > self.before:
            score = emit_only_best(op, score, self.before)
        survivors = emit_nms(op, op("Add", boxes, PLUS_ONE), score, op.ints(self.most), self.overlap, LOWEST)
        image = op("Cast", op("Gather", survivors, op.ints(0), axis=1), to=1)
        box = op("GatherND", boxes, op("Gather", survivors, op.ints(0, 2), axis=1))
        return [op("Concat", image, box, axis=1), op("GatherND", score, survivors)]

    def emit_tops_caffe2(self, op: Op, boxes: Tensor, score: Tensor, large: Tensor, count: int) -> Tensors:
        before = min(self.before, count)
        values, at = best_first(op, op("Mul", score, large), 2, count, before)  # (N, before)
        batch = op("Shape", values, axes=(0,))
        index = op("Add", at, op("Mul", op.reshape(op("Range", batch), -1, 1), op.ints(count)))
        boxes = op("Gather", op.reshape(boxes, -1, 4), op.reshape(index, -1), axis=0)
        keys = op.reshape(ranks(op, values, before, LOWEST), -1, 1)
        tested, splits = op("Add", boxes, op.const(PLUS_ONE)), full(op, before, batch)
        _, place, image = suppress(op, tested, keys, self.overlap, splits=splits, most=self.most)
        survivors = op("Add", place, op("Mul", image, op.ints(before)))
        rows = op("Concat", column(op, image), op("Gather", boxes, survivors, axis=0), axis=1)
        return [rows, op("Gather", op.reshape(values, -1), survivors)]


class SynopsysProposal(SingleImage):
    """Synopsys's form, of the first image. Too small boxes are left out, but for the last of all, at which the fork does not look.
    Of equal scores the later box comes first. All are gone through until max_rois are kept (the fork leaves those behind the
    pre_nms_topn best in no particular order).

    Shapes: im_info has three numbers: height, width (cut to whole numbers), scale -> (R, 5), (R, 1).
    Source: foss-for-synopsys-dwc-arc-processors/synopsys-caffe, proposal_layer.cpp
    """

    cuts_info = True
    by_anchor = True

    def read(self, p: Params) -> None:
        q = p.message("proposal_param")
        scales = (8, 16, 32) if q.get_int("anchor_scale") == 3 else (32,)
        ratios = (0.5, 1, 2) if q.get_int("anchor_ratio") == 3 else (1,)
        self.anchors = anchors(q.get_int("anchor_base_size"), ratios, scales, half_up)
        self.stride, self.smallest = q.get_int("feat_stride"), q.get_float("rpn_min_size")
        self.overlap, self.most = q.get_float("rpn_nms_thresh"), q.get_int("max_rois")
        q.ignore("pre_nms_topn", why="the fork goes on beyond them until max_rois are found")
        if not self.overlap >= 0 or self.most < 1:
            raise q.refuse("max_rois", "max_rois or rpn_nms_thresh is negative", expected="positive ones")

    def ranked(self, score: Array, large: NDArray[np.bool_]) -> tuple[Array, NDArray[np.intp]]:
        at = np.flatnonzero(np.append(large[:-1], True))[::-1]
        return score, at[by_score(score[at])]

    def emit_tops(self, op: Op, boxes: Tensor, score: Tensor, large: Tensor, count: Size) -> Tensors:
        tested = op("Slice", large, op.ints(0), op.ints(-1))
        return super().emit_tops(op, boxes, score, op("Concat", tested, op.const([True], "bool"), axis=0), count)

    def emit_tops_caffe2(self, op: Op, boxes: Tensor, score: Tensor, large: Tensor, count: int) -> Tensors:
        if count > 1:
            large = op("Concat", part(op, large, 1, 0, 0, -2), op.const([1.0]), axis=0)
        else:
            large = op.const([1.0])
        return super().emit_tops_caffe2(op, boxes, score, large, count)

    def ordered_caffe2(self, op: Op, score: Tensor, count: int) -> tuple[Tensor, Tensor]:
        return best_first(op, score, 1, count, count, later_first=True)
