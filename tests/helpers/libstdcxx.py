"""The order into which std::sort of libstdc++ brings equal keys: it is not stable, and some forks' numbers hang on it."""

from __future__ import annotations

from collections.abc import Sequence

SMALL = 16


def sorted_down(keys: Sequence[float]) -> list[int]:
    """The places of the keys as std::sort puts them, the greatest first. Source: bits/stl_algo.h (introsort; no heap sort, which only
    deep recursion needs)"""
    order = list(range(len(keys)))

    def before(a: int, b: int) -> bool:
        return keys[order[a]] > keys[order[b]]

    def swap(a: int, b: int) -> None:
        order[a], order[b] = order[b], order[a]

    def partition(first: int, last: int) -> int:
        a, b, c = first + 1, first + (last - first) // 2, last - 1
        if before(a, b):
            median = b if before(b, c) else c if before(a, c) else a
        else:
            median = a if before(a, c) else c if before(b, c) else b
        swap(first, median)
        low, high = first + 1, last
        while True:
            while before(low, first):
                low += 1
            high -= 1
            while before(first, high):
                high -= 1
            if low >= high:
                return low
            swap(low, high)
            low += 1

    def loop(first: int, last: int) -> None:
        while last - first > SMALL:
            cut = partition(first, last)
            loop(cut, last)
            last = cut

    loop(0, len(order))
    for i in range(1, len(order)):  # by insertion, which is stable
        at = i
        while at and before(at, at - 1):
            swap(at, at - 1)
            at -= 1
    return order
