"""ONNX's operations over time, and over boxes one after another, in PyTorch: Scan, LSTM, RNN, NonMaxSuppression."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Attributes = Mapping[str, Any]


def scan(a: Attributes, body: Callable[..., Sequence[Tensor]], *inputs: Tensor) -> tuple[Tensor, ...]:
    """States first, then sequences along their first axis (or `scan_input_axes`); gives the last states and the outputs of all steps."""
    count = a["num_scan_inputs"]
    states, sequences = list(inputs[: len(inputs) - count]), inputs[len(inputs) - count :]
    axes = a.get("scan_input_axes") or [0] * count
    backwards = a.get("scan_input_directions") or [0] * count
    steps = sequences[0].shape[axes[0]]
    rows: list[list[Tensor]] = []
    for t in range(steps):
        parts = [
            x.select(axis, steps - 1 - t if back else t)
            for x, axis, back in zip(sequences, axes, backwards, strict=True)
        ]
        outputs = list(body(*states, *parts))
        states = outputs[: len(states)]
        rows.append(outputs[len(states) :])
    outs = len(rows[0]) if rows else 0
    along = a.get("scan_output_axes") or [0] * outs
    turned = a.get("scan_output_directions") or [0] * outs
    stacked = [torch.stack([row[k] for row in (rows[::-1] if turned[k] else rows)], along[k]) for k in range(outs)]
    return (*states, *stacked)


def _prepared(a: Attributes, w: Tensor, r: Tensor, b: Tensor | None, gates: int) -> tuple[Tensor, Tensor, Tensor]:
    direction = a.get("direction", "forward")
    if direction != "forward" or a.get("activations"):
        raise NotImplementedError(f"a recurrent operation with direction {direction}")
    units = r.shape[2]
    bias = torch.zeros(2 * gates * units) if b is None else b[0]
    return w[0], r[0], bias[: gates * units] + bias[gates * units :]


def lstm(
    a: Attributes, x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None,
    h: Tensor | None = None, c: Tensor | None = None, peepholes: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Gates in the order input, output, forget, cell. Shapes: x (T, N, I) -> (T, 1, N, H), (1, N, H), (1, N, H)."""
    wx, wh, bias = _prepared(a, w, r, b, 4)
    units = wh.shape[1]
    hidden = x.new_zeros(x.shape[1], units) if h is None else h[0]
    cell = x.new_zeros(x.shape[1], units) if c is None else c[0]
    rows = []
    for step in x:
        i, o, f, g = (step @ wx.T + hidden @ wh.T + bias).split(units, 1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        rows.append(hidden)
    return torch.stack(rows).unsqueeze(1), hidden[None], cell[None]


def rnn(
    a: Attributes, x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None,
    h: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Shapes: x (T, N, I) -> (T, 1, N, H), (1, N, H)."""
    wx, wh, bias = _prepared(a, w, r, b, 1)
    hidden = x.new_zeros(x.shape[1], wh.shape[1]) if h is None else h[0]
    rows = []
    for step in x:
        hidden = (step @ wx.T + hidden @ wh.T + bias).tanh()
        rows.append(hidden)
    return torch.stack(rows).unsqueeze(1), hidden[None]


def non_max_suppression(
    a: Attributes, boxes: Tensor, scores: Tensor, most: Tensor | None = None, overlap: Tensor | None = None,
    least: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Rows (image, class, box) of the boxes that stay, class by class, best first."""
    limit = int(most.reshape(-1)[0]) if most is not None else 0
    threshold = float(overlap.reshape(-1)[0]) if overlap is not None else 0.0
    floor = float(least.reshape(-1)[0]) if least is not None else float("-inf")
    rows = []
    for n in range(scores.shape[0]):
        corners = _corners(boxes[n].detach(), a.get("center_point_box", 0))
        for k in range(scores.shape[1]):
            rows += [[n, k, i] for i in _survivors(corners, scores[n, k].detach(), limit, threshold, floor)]
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 3)


def _corners(boxes: Tensor, centres: int) -> Tensor:
    if centres:
        x, y, w, h = boxes.unbind(1)
        return torch.stack([y - h / 2, x - w / 2, y + h / 2, x + w / 2], 1)
    a, b, c, d = boxes.unbind(1)
    return torch.stack([torch.minimum(a, c), torch.minimum(b, d), torch.maximum(a, c), torch.maximum(b, d)], 1)


def _survivors(corners: Tensor, scores: Tensor, limit: int, threshold: float, floor: float) -> list[int]:
    candidates = (scores > floor).nonzero().reshape(-1)
    order = candidates[scores[candidates].sort(descending=True, stable=True).indices]
    places: list[int] = []
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    while len(order) and len(places) < limit:
        best, order = int(order[0]), order[1:]
        places.append(best)
        low = torch.maximum(corners[best, :2], corners[order, :2])
        high = torch.minimum(corners[best, 2:], corners[order, 2:])
        shared = (high - low).clamp(min=0).prod(1)
        union = areas[best] + areas[order] - shared
        order = order[~((shared > threshold * union) & (union > 0))]
    return places
