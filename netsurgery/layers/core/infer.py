"""Which sizes are free: shape rules run on unknown sizes, until every axis that a layer ties down is found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...errors import ShapeError
from ...net import Layer, Net
from .axes import Axes
from .dims import Atom, Axis, Constraint, Dim, Shape, Size, axis, collect, constrain, show


@dataclass(frozen=True)
class Pin:
    """An input axis that has one size only: the layer that ties it down, and how."""

    size: int
    layer: str
    what: str


@dataclass(frozen=True)
class Inferred:
    """The shape of every blob, sizes known or Dims over the free axes; the axes that are tied down, by whom; axes that must be equal."""

    shapes: Mapping[str, Shape]
    pins: Mapping[Axis, Pin]
    equal: Mapping[Axis, Axis]

    def first(self, axis: Axis) -> Axis:
        """The first of the axes of which it is known that they are equal to this one."""
        while axis in self.equal:
            axis = self.equal[axis]
        return axis


def infer(net: Net, inputs: Mapping[str, Sequence[int | None]] | None = None) -> Inferred:
    """Shapes of all blobs with every input axis free that no layer ties down.

    `inputs` fixes axes (a number) or leaves them free (None) where they differ from "all free". Ranks and the sizes of tied axes
    are those declared.

    Raises: ShapeError if shapes do not fit at the declared sizes, UnsupportedLayersError.
    """
    net.require_supported("exported")
    declared = {name: _declared(net, name, shape, inputs) for name, shape in net.inputs.items()}
    own: dict[Axis, Size] = {}
    for name, shape in declared.items():
        override = (inputs or {}).get(name)
        for i in range(len(shape)):
            fixed = override[i] if override is not None else None
            own[name, i] = axis(name, i) if fixed is None else fixed
    sizes = Axes(own)
    told = _shapes_declared(net, declared, inputs or {})
    at: dict[Axis, Size] = {
        (name, i): n for name, shape in declared.items() for i, n in enumerate(shape) if n is not None
    }
    pins: dict[Axis, Pin] = {}
    constant = _constant_blobs(net)
    while True:
        shapes, constraints = _run(net, declared, sizes)
        # exceptions first: where the formula of a size does not hold, what follows from it does not either
        if _pin_exceptions(net, shapes, told, sizes, at, pins):
            continue
        changed = False
        for layer, constraint in constraints:
            tying = next((constant[b] for b in layer.bottoms if b in constant), layer)
            changed |= _apply(layer, constraint, sizes, at, pins, tying.title)
        if not changed:
            return Inferred(shapes, pins, sizes.equal())


def _constant_blobs(net: Net) -> dict[str, Layer]:
    """The blobs that no input reaches, and the layer that they come from (DummyData, Parameter): its sizes tie what they meet."""
    sources: dict[str, Layer] = {}
    for layer in net.layers:
        if layer.kind.is_input or not all(b in sources for b in layer.bottoms):
            continue
        source = sources[layer.bottoms[0]] if layer.bottoms else layer
        sources.update((top, source) for top in layer.tops)
    return sources


def _declared(
    net: Net, name: str, shape: tuple[int, ...] | None, inputs: Mapping[str, Sequence[int | None]] | None
) -> tuple[int | None, ...]:
    """The declared sizes of an input, None for one that neither the net nor `inputs` tells."""
    override = (inputs or {}).get(name)
    if override is None and shape is None:
        raise ShapeError(
            f"the shape of input '{name}' is not declared",
            layer=net.writer(name),
            expected="a shape",
            fix=f"--input-shape {name}=1,3,224,224",
        )
    if override is None:
        return shape or ()
    if shape is not None and len(shape) == len(override):
        return tuple(n if g is None else g for g, n in zip(override, shape, strict=True))
    return tuple(override)


def _shapes_declared(
    net: Net, declared: Mapping[str, tuple[int | None, ...]], inputs: Mapping[str, Sequence[int | None]]
) -> Mapping[str, Shape]:
    """The shapes of all blobs at the sizes that are declared; none if some are not.

    Raises: ShapeError if the layers do not go together there, which free axes would hide."""
    whole = {name: tuple(n for n in shape if n is not None) for name, shape in declared.items()}
    told = all(len(whole[name]) == len(shape) for name, shape in declared.items())
    if told and not any(None in shape for shape in inputs.values()):
        return net.shapes(whole)
    return {}


def _pin_exceptions(
    net: Net,
    shapes: Mapping[str, Shape],
    told: Mapping[str, Shape],
    sizes: Axes,
    at: Mapping[Axis, Size],
    pins: dict[Axis, Pin],
) -> bool:
    """Makes axes known where the declared sizes are an exception to the formula of a size: a kernel that reaches past the padding.
    Formulas of axes that became known just now are left for the next time: they may be exceptions no more."""
    new: set[Axis] = set()
    values: dict[Atom, Size] = {}
    for layer in net.layers:
        for top in layer.tops:
            for size, exact in zip(shapes[top], told.get(top, ()), strict=False):
                if not isinstance(size, Dim) or size.by_data or not isinstance(exact, int):
                    continue
                if size.at(at, values) == exact:
                    continue
                if new.isdisjoint(size.axes):
                    _pin(size.axes, Pin(0, layer.title, "an exception at the declared sizes"), sizes, at, pins)
                    new |= size.axes
    return bool(new)


def _pin(axes: Iterable[Axis], pin: Pin, sizes: Axes, at: Mapping[Axis, Size], pins: dict[Axis, Pin]) -> None:
    """Makes axes known, and those that were found to be equal to them: as declared, for the reason that `pin` tells."""
    for free in axes:
        size = at[free]
        if not isinstance(size, int):
            raise AssertionError(f"{free} has no declared size")
        for alike in sizes.fix(free, size):
            pins[alike] = replace(pin, size=size)


def _run(
    net: Net, declared: Mapping[str, tuple[int | None, ...]], sizes: Axes
) -> tuple[dict[str, Shape], list[tuple[Layer, Constraint]]]:
    shapes: dict[str, Shape] = {}
    constraints: list[tuple[Layer, Constraint]] = []
    for layer in net.layers:
        if layer.kind.is_input:
            for top in layer.tops:
                shapes[top] = tuple(sizes[top, i] for i in range(len(declared[top])))
            continue
        with collect() as of_layer:
            tops = Net.layer_shapes(layer, [shapes[b] for b in layer.bottoms])
            weight_shapes = layer.kind.weight_shapes([shapes[b] for b in layer.bottoms])
            for blob, weight in zip(weight_shapes, layer.weights, strict=False):  # their number: run.check_weights
                for n, m in zip(blob, weight.shape, strict=False):
                    constrain(n, m, "a size of its blobs")
        shapes.update(zip(layer.tops, (tuple(t) for t in tops), strict=True))
        constraints += [(layer, c) for c in of_layer]
    return shapes, constraints


def _apply(
    layer: Layer,
    constraint: Constraint,
    sizes: Axes,
    at: Mapping[Axis, Size],
    pins: dict[Axis, Pin],
    tying: str,
) -> bool:
    """Makes axes known by one constraint, which `tying` is told for; whether that changed anything."""
    size, expected = (s.at(sizes) if isinstance(s, Dim) else s for s in (constraint.size, constraint.expected))
    if size == expected:
        return False
    if isinstance(size, int) and isinstance(expected, int):
        raise _misfit(layer, constraint, size, expected)
    if isinstance(size, int):
        size, expected = expected, size
    if not isinstance(size, Dim) or size.by_data or (isinstance(expected, Dim) and expected.by_data):
        return False
    if isinstance(expected, int):
        if size.axis is None and (unknown := sorted(size.axes.difference(at))):
            raise _undeclared(layer, constraint, *unknown[0])
        if size.axis is None and (value := size.at(at)) != expected:
            raise _misfit(layer, constraint, value, expected)
        _pin(size.axes, Pin(0, tying, constraint.what), sizes, {size.axis: expected} if size.axis else at, pins)
        return True
    if size.axis and expected.axis:
        sizes.join(size.axis, expected.axis)
        return True
    return False  # sizes that agree at the declared size but are not proved equal: left to the runtime, as Caffe does


def _undeclared(layer: Layer, constraint: Constraint, blob: str, axis: int) -> ShapeError:
    return ShapeError(
        f"axis {axis} of input '{blob}' has no declared size, and decides {constraint.what}",
        layer=layer,
        expected="a number for that axis: the layer ties it down",
        fix=f"--input-shape {blob}=1,3,224,224",
    )


def _misfit(layer: Layer, constraint: Constraint, size: Size, expected: Size) -> ShapeError:
    return ShapeError(f"{constraint.what}: {show(size)}", layer=layer, expected=show(expected))
