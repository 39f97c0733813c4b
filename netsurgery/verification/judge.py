"""One case: every blob of the net held against what the model gave.

The reference is computed layer by layer. Where a blob is made of choices, the layer's reference is run on the model's own bottoms;
if the model chose as that does, what follows is computed from the model's choice, so that a near-tie that went the other way is no error.
Where a blob is off by a little, it is asked how far off float32 itself is there: a sum that cancels magnifies rounding, in Caffe as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import NetsurgeryError
from ..files.memory import let_go, trim
from ..interpreter import run_layer
from ..net import Layer, Net
from .compare import Measure, Tolerance, agreement, as_float32, measure, measure_rows
from .reports.case import Comparison, TopFive
from .vouchers import voucher

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from .runtimes.base import Array


NEAR = 1e-2
"""An error greater than this is never put down to rounding."""

ROUNDINGS = 30
"""How many times further off than the reference in float32 a runtime may be: it adds up long sums one product after another, where NumPy
adds up parts of them (onnxruntime's fastest kernels: up to 12 times as far off, in an upscaler fed with what it was not trained on)."""

LARGE = 4 << 20
"""Bytes of a layer's tops from which on freed memory is given back at once."""

Settle = Callable[[Layer, int, "Array", Mapping[str, "Array"]], "Array"]


class Judge:
    """Holds the blobs that a model gave (`values`, under the net's names, the inputs included) against the reference."""

    def __init__(
        self,
        net: Net,
        values: dict[str, Array],
        outputs: Mapping[str, str],
        tolerance: Tolerance,
        by: Callable[[str], str] = lambda blob: "",
    ) -> None:
        self.net, self.values, self.outputs, self.tolerance, self.by = net, values, outputs, tolerance, by
        self.reference: dict[str, Array] = {}
        """The reference's values of the outputs, for what is compared with them later."""
        self.top_five: list[TopFive] = []
        self.passed_over: dict[str, str] = {}
        self.fed = set(net.inputs)
        """The blobs that follow from the inputs."""
        for layer in net.layers:
            if self.fed.intersection(layer.bottoms):
                self.fed.update(layer.tops)
        self.chosen: set[str] = set()
        """Choices that the model made rightly: what follows is computed from them."""

    def by_layers(self, feeds: Mapping[str, Array], dtype: DTypeLike, free: bool = False) -> list[Comparison]:
        """Compares as the reference goes through the net. `free` lets go of what the model gave as soon as it was compared, but for
        outputs and for what choices are judged by."""
        comparisons: list[Comparison] = []
        in_use = {*self.net.inputs, *self.outputs} if free else set(self.net.blobs)
        for layer in self.net.layers:
            if any(i < len(layer.tops) for i in layer.kind.choices):
                in_use.update((*layer.bottoms, *layer.tops))

        def settle(layer: Layer, i: int, value: Array, held: Mapping[str, Array]) -> Array:
            comparison = self._compared(layer, i, value, held)
            if comparison is None:
                return value
            comparisons.append(comparison)
            if layer.tops[i] not in in_use:
                self.values.pop(layer.tops[i], None)
            if i in layer.kind.choices and comparison.passed:
                self.chosen.add(layer.tops[i])
                return np.asarray(self.values[layer.tops[i]], dtype)
            return value

        self._walk(feeds, dtype, settle)
        return comparisons

    def _walk(self, feeds: Mapping[str, Array], dtype: DTypeLike, settle: Settle) -> None:
        """Computes the net layer by layer. `settle` is given every top, and gives what the layers behind it are to read."""
        uses = dict.fromkeys(self.net.blobs, 0)
        for layer in self.net.layers:
            for blob in layer.bottoms:
                uses[blob] += 1
        held: dict[str, Array] = {}
        for layer in self.net.layers:
            if layer.kind.is_input:
                held.update((top, np.asarray(feeds[top], dtype)) for top in layer.tops)
            else:
                with np.errstate(all="ignore"):  # Caffe lets NaN and infinity pass
                    tops = run_layer(layer, [held[b] for b in layer.bottoms], dtype)
                for w in layer.weights:
                    let_go(w)
                for i, (top, value) in enumerate(zip(layer.tops, tops, strict=True)):
                    held[top] = settle(layer, i, as_float32(value), held)
            for blob in layer.bottoms:
                uses[blob] -= 1
            large = sum(held[top].nbytes for top in layer.tops) > LARGE
            for blob in {*layer.bottoms, *layer.tops}:
                if not uses[blob]:
                    held.pop(blob, None)
            if large:
                trim()

    def excused(self, comparisons: Sequence[Comparison], feeds: Mapping[str, Array]) -> list[Comparison]:
        """The same comparisons, those excused that are off by no more than ROUNDINGS times what float32 itself is off at that blob:
        the reference in float32 against the reference in float64, on the same inputs and choices, whatever the model gave."""
        off = [c for c in comparisons if not c.passed]
        near = {c.blob for c in off if c.rule != "choices" and c.measure.max_rel <= NEAR}
        if not off or off[0].blob not in near:
            return list(comparisons)  # it differs: what comes behind the first blob does not matter
        spread = self._rounding(feeds, near)
        verdicts = []
        for c in comparisons:
            if not c.passed and c.blob in near and c.measure.max_abs <= ROUNDINGS * spread[c.blob]:
                remark = f"float32 itself is off by {spread[c.blob]:.1g} here: numbers cancel"
                c = replace(c, measure=replace(c.measure, passed=True), rule="rounding", remark=remark)
            verdicts.append(c)
        return verdicts

    def _rounding(self, feeds: Mapping[str, Array], blobs: Collection[str]) -> dict[str, float]:
        """The largest difference between the reference in float32 and in float64, for these blobs."""
        runs: list[dict[str, Array]] = []
        for dtype in (np.float32, np.float64):
            values: dict[str, Array] = {}

            def settle(layer: Layer, i: int, value: Array, held: Mapping[str, Array]) -> Array:
                top = layer.tops[i]
                if top in blobs:
                    values[top] = value  # noqa: B023  (called within this turn of the loop)
                return np.asarray(self.values[top], value.dtype) if top in self.chosen else value

            self._walk(feeds, dtype, settle)
            runs.append(values)
        with np.errstate(invalid="ignore"):
            apart = {blob: np.abs(runs[0][blob] - runs[1][blob]).max(initial=0) for blob in blobs}
        return {blob: float(value) if np.isfinite(value) else 0.0 for blob, value in apart.items()}

    def by_blobs(self, reference: Mapping[str, Array], origin: str) -> Iterator[Comparison]:
        """Compares with values that something else computed (`origin`), the whole net at once. Behind a choice that went the other
        way nothing can be compared."""
        reference = {blob: _in_shape(value, self.values.get(blob)) for blob, value in reference.items()}
        turned: dict[str, str] = {}  # blob -> the choice before it
        for layer in self.net.layers:
            before = next((turned[b] for b in layer.bottoms if b in turned), "")
            for i, top in enumerate(layer.tops):
                if layer.kind.is_input or top not in self.values:
                    if before:
                        turned[top] = before
                    continue
                choice = i in layer.kind.choices
                if top not in reference and not choice:
                    self.passed_over[top] = f"{origin} does not give it"
                    if before:
                        turned[top] = before
                    continue
                if choice:
                    comparison = self._compared(layer, i, reference.get(top), reference)
                    if comparison is not None:
                        self.chosen.update([top] if comparison.passed else [])
                        yield comparison
                    if (
                        before
                        or top not in reference
                        or not measure(reference[top], self.values[top], self.tolerance).passed
                    ):
                        turned[top] = before or top
                elif before:
                    turned[top] = before
                    self.passed_over[top] = f"behind '{before}', where near-ties went another way than in {origin}"
                else:
                    yield self._tolerated(layer, i, reference[top])

    def _compared(self, layer: Layer, i: int, value: Array | None, held: Mapping[str, Array]) -> Comparison | None:
        top = layer.tops[i]
        if top not in self.values:
            return None
        if i not in layer.kind.choices:
            return self._tolerated(layer, i, value) if value is not None else None
        if top in self.outputs and value is not None:
            self.reference[top] = value
        own = self.own(layer, i, held)
        if own is None and value is not None:
            own = measure_rows(value, self.values[top], self.tolerance, layer.kind.columns)
        if own is None:
            self.passed_over[top] = "its layer's bottoms are not known"
            return None
        remark, same = "", False
        if own.passed and value is not None:
            same = measure(value, self.values[top], self.tolerance, layer.kind.columns).passed
            remark = "" if same else "near-ties went another way than in the reference"
        by = voucher(layer, self.by(top) if same else "")
        return Comparison(
            top, layer.title, layer.source, own, "choices", top in self.outputs, remark, by, top in self.fed
        )

    def _tolerated(self, layer: Layer, i: int, value: Array) -> Comparison:
        top = layer.tops[i]
        got = self.values[top]
        if top in self.outputs:
            self.reference[top] = value
            if (axis := layer.kind.distribution) is not None and value.shape == got.shape:
                k = min(5, value.shape[axis])
                first, sets = (agreement(value, got, axis, n, self.tolerance) for n in (1, k))
                self.top_five.append(TopFive(top, first, sets, k))
        m = measure(value, got, self.tolerance, layer.kind.columns)
        by = voucher(layer, self.by(top))
        told = m, "tolerance", top in self.outputs
        return Comparison(top, layer.title, layer.source, *told, by=by, fed=top in self.fed)

    def own(self, layer: Layer, i: int, held: Mapping[str, Array]) -> Measure | None:
        """Top i against what the layer makes of the model's own bottoms (where it does not show them: the reference's), in float64, or
        else in float32, as what is rounded differently may turn a choice within the layer too."""
        bottoms = [self.values.get(b, held.get(b)) for b in layer.bottoms]
        arrays = [b for b in bottoms if b is not None]
        if len(arrays) < len(bottoms):
            return None
        got, m = self.values[layer.tops[i]], None
        for dtype in (np.float64, np.float32):
            tops = self._layer(layer, arrays, dtype)
            if tops is not None:
                m = measure_rows(np.asarray(tops[i]), got, self.tolerance, layer.kind.columns)
                if m.passed:
                    break
        return m

    @staticmethod
    def _layer(layer: Layer, bottoms: Sequence[Array], dtype: DTypeLike) -> Sequence[Any] | None:
        try:
            with np.errstate(all="ignore"):
                return run_layer(layer, [np.asarray(b, dtype) for b in bottoms], dtype)
        except NetsurgeryError:  # bottoms that the layer refuses: they are wrong themselves, and reported as such
            return None

    def remark_on(self, first: Comparison, held: Mapping[str, Array] | None = None) -> str:
        """Whether the layer of a blob that is off computes wrongly itself, or was given wrong numbers."""
        layer = self.net.writer(first.blob)
        if (
            first.rule != "tolerance"
            or first.problem.startswith("shape differs")
            or any(b not in self.values for b in layer.bottoms)
        ):
            return ""
        own = self.own(layer, layer.tops.index(first.blob), held or {})
        if own is None:
            return ""
        if own.passed:
            return "its layer is right on the model's own bottoms: the error came in before it, or they are ill-conditioned"
        return f"its layer is off by {own.max_rel:.2g} on the model's own bottoms, too: it computes wrongly"


def _in_shape(value: Array, got: Array | None) -> Array:
    """`value` in the shape of `got`, if they differ by axes of one only: some runtimes add or drop those."""
    if got is not None and [n for n in value.shape if n != 1] == [n for n in got.shape if n != 1]:
        return value.reshape(got.shape)
    return value
