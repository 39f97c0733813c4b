"""Detections held against true boxes as ONNX nodes, for `emit` of EvalDetection. What `forward` needs is in evaluation.py."""

from __future__ import annotations

from ..core import Op, Tensor
from .boxes_onnx import emit_halves
from .emission import emit_range, pick
from .evaluation import Evaluation

Four = tuple[Tensor, Tensor, Tensor, Tensor]


def emit_evaluation(
    op: Op, how: Evaluation, detections: Four, truth: Four, difficult: Tensor | None, batch: Tensor
) -> Tensor:
    """The top of EvalDetection (N, classes + 4 room).

    `detections`: images (K) int64, labels (K) int64, scores (K), boxes (K, 4), in their order. `truth`: images (G) and labels (G) as int64,
    boxes (G, 4), and whether each counts (G), all of all images. `difficult` (G): none where None.
    """
    image, label, score, box = detections
    at, kind, true_box, counts = truth
    same = op("And", _pairs(op, "Equal", image, at), _pairs(op, "Equal", label, kind))
    same = op("And", same, op("Unsqueeze", counts, op.ints(0)))  # (K, G)
    low, high = (
        _emit_corners(op, op("Unsqueeze", box, op.ints(1))),
        _emit_corners(op, op("Unsqueeze", true_box, op.ints(0))),
    )
    side = op("Sub", op("Min", low[1], high[1]), op("Max", low[0], high[0]))
    apart = op(
        "Greater", op("ReduceSum", op("Cast", op("Less", side, op.const(0)), to=1), op.ints(2), keepdims=0), op.const(0)
    )
    shared = op("Where", apart, op.const(0), _emit_product(op, side))
    both = op("Add", op("Unsqueeze", _area(op, box), op.ints(1)), op("Unsqueeze", _area(op, true_box), op.ints(0)))
    share = op("Where", same, op("Div", shared, op("Sub", both, shared)), op.const(-2))
    share = op(
        "Concat", share, op("Expand", op.const(-2), op.ints(op.size(box, 0), 1)), axis=1
    )  # there may be no true box
    best = op("ArgMax", share, axis=1, keepdims=1)
    most = op("GatherElements", share, best, axis=1)
    chosen = op("Squeeze", best, op.ints(1))
    hit = op("Squeeze", op("GreaterOrEqual", most, op.const(how.threshold)), op.ints(1))
    missing = op("Squeeze", op("Less", most, op.const(-1)), op.ints(1))
    if difficult is not None:
        easy = op("Not", op("Concat", difficult, op.const([False], "bool"), axis=0))
        hit_easy = op("And", hit, op("Gather", easy, chosen))
    else:
        hit_easy = hit
    columns = emit_range(op, op("Add", op.size(true_box, 0), op.ints(1)))
    claims = op("And", _pairs(op, "Equal", chosen, columns), op("Unsqueeze", hit_easy, op.ints(1)))
    before = op("CumSum", op("Cast", claims, to=1), op.const(0, "int64"), exclusive=1)
    before = op("Squeeze", op("GatherElements", before, best, axis=1), op.ints(1))
    again = op("And", hit_easy, op("Greater", before, op.const(0)))
    right = op("And", hit_easy, op("Not", again))
    wrong = op("Or", op("Not", hit) if how.misses_count else missing, again)
    columns4 = [op("Cast", label, to=1), score, op("Cast", right, to=1), op("Cast", wrong, to=1)]
    rows = op("Concat", *(op("Unsqueeze", x, op.ints(1)) for x in columns4), axis=1)
    images = emit_range(op, batch)
    many = op("ReduceSum", op("Cast", _pairs(op, "Equal", images, image), to=7), op.ints(1), keepdims=0)
    first = op("Gather", op("CumSum", many, op.const(0, "int64"), exclusive=1), image)
    rank = op("Sub", emit_range(op, op.size(box, 0)), first)
    fits = op("Less", rank, op.ints(how.room))
    place = op("Concat", *(op("Unsqueeze", x, op.ints(1)) for x in (image, rank)), axis=1)
    place, rows = pick(op, fits, place, rows)
    table = op("ScatterND", op("Expand", op.const(0), op.ints(batch, how.room, 4)), place, rows)
    easy_counts = counts if difficult is None else op("And", counts, op("Not", difficult))
    of_image = op("Cast", op("And", _pairs(op, "Equal", images, at), op("Unsqueeze", easy_counts, op.ints(0))), to=1)
    of_class = op("Cast", _pairs(op, "Equal", kind, op.ints(*range(how.classes))), to=1)
    return op("Concat", op("MatMul", of_image, of_class), op.reshape(table, 0, -1), axis=1)


def _pairs(op: Op, way: str, one: Tensor, other: Tensor) -> Tensor:
    """(A) and (B) -> (A, B)."""
    return op(way, op("Unsqueeze", one, op.ints(1)), op("Unsqueeze", other, op.ints(0)))


def _emit_corners(op: Op, boxes: Tensor) -> tuple[Tensor, Tensor]:
    centre, size = emit_halves(op, boxes)
    half = op("Mul", size, op.const(0.5))
    return op("Sub", centre, half), op("Add", centre, half)


def _emit_product(op: Op, sides: Tensor) -> Tensor:
    """(.., 2) -> (..)."""
    return op("Squeeze", op("Mul", *emit_halves(op, sides, half=1)), op.ints(-1))


def _area(op: Op, boxes: Tensor) -> Tensor:
    return _emit_product(op, emit_halves(op, boxes)[1])
