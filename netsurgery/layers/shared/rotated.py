"""The area that two rotated rectangles share, in NumPy, for `forward`. What `emit` needs is in rotated_onnx.py.

A rectangle is (cx, cy, h, w, angle in degrees against the clock); its corners go around it.
"""

from __future__ import annotations

import numpy as np

from ..core import Array


def corners(boxes: Array) -> Array:
    """(N, 5) -> (N, 4, 2): the corners."""
    angle = boxes[:, 4] / 180 * 3.1415926535
    c, s = np.cos(angle)[:, None], -np.sin(angle)[:, None]
    x = boxes[:, 3:4] / 2 * np.array([-1, -1, 1, 1], boxes.dtype)
    y = boxes[:, 2:3] / 2 * np.array([-1, 1, 1, -1], boxes.dtype)
    return np.stack([c * x - s * y + boxes[:, :1], s * x + c * y + boxes[:, 1:2]], axis=-1).astype(boxes.dtype)


def cross(a: Array, b: Array) -> Array:
    value: Array = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return value


def _inside(points: Array, rectangle: Array) -> Array:
    """Whether points (.., K, 2) lie in the rectangles (.., 4, 2), edges included."""
    first = rectangle[..., :1, :]
    at = points - first
    result = np.ones(at.shape[:-1], bool)
    for corner in (1, 3):
        side = rectangle[..., corner : corner + 1, :] - first
        along = (side * at).sum(axis=-1)
        result &= (along >= 0) & (along <= (side * side).sum(axis=-1))
    return result


def shared_area(one: Array, others: Array) -> Array:
    """The area that a rectangle (4, 2) shares with each of (N, 4, 2): that of the corners inside the other and the points where sides
    cross, gone through by their angle as seen from their mean."""
    n = len(others)
    a, b = np.broadcast_to(one, others.shape), others
    start, end = a[:, :, None], np.roll(a, -1, axis=1)[:, :, None]
    c, d = b[:, None], np.roll(b, -1, axis=1)[:, None]
    abc, abd = cross(start - c, end - c) / 2, cross(start - d, end - d) / 2
    cda = cross(c - start, d - start) / 2
    cdb = cda + abc - abd
    crosses = (abc * abd < 0) & (cda * cdb < 0)
    t = np.divide(cda, abd - abc, out=np.zeros_like(cda), where=crosses)[..., None]
    points = np.concatenate([a, b, (start + t * (end - start)).reshape(n, 16, 2)], axis=1)
    valid = np.concatenate([_inside(a, b), _inside(b, a), crosses.reshape(n, 16)], axis=1)
    count = valid.sum(axis=1)
    mean = (points * valid[..., None]).sum(axis=1) / np.maximum(count, 1)[:, None]
    from_mean = points - mean[:, None]
    angle = np.where(valid, np.arctan2(from_mean[..., 1], from_mean[..., 0]), 9)
    order = np.argsort(angle, axis=1)
    points = np.take_along_axis(points, order[..., None], axis=1)
    points = np.where(np.take_along_axis(valid, order, axis=1)[..., None], points, points[:, :1]) - points[:, :1]
    area: Array = np.abs(cross(points[:, 1:-1], points[:, 2:])).sum(axis=1) / 2
    return np.where(count > 2, area, 0)
