"""Images and filters for the tests of pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def tiles(picture: Array, rows: int, columns: int, size: int, gap: int) -> list[Array]:
    """The tiles of a straight grid, row by row; whatever lies between them is paper."""
    assert picture.shape[:2] == (rows * (size + gap) + gap, columns * (size + gap) + gap)
    paper = np.ones(picture.shape[:2], bool)
    found = []
    for i in range(rows):
        for j in range(columns):
            at = tuple(slice(k * (size + gap) + gap, (k + 1) * (size + gap)) for k in (i, j))
            paper[at] = False
            found.append(picture[at])
    assert (picture[paper] == 255).all()
    return found
