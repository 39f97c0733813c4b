"""At which input sizes models are compared: those asked for, or the declared one and, where sizes are free, two more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..errors import NetsurgeryError, ShapeError
from ..layers.core.infer import Inferred, infer
from ..net import Net

Axis = tuple[str, int]
Shapes = dict[str, tuple[int, ...]]
Size = int | Sequence[int]


@dataclass(frozen=True)
class Freedom:
    """Which axes of a net's inputs may be changed: free in the net, and in the model that is held against it."""

    base: Shapes
    inferred: Inferred
    fixed: Mapping[Axis, int]
    """Axes that the model, not the net, ties down."""

    def free(self, axis: Axis) -> bool:
        return axis not in self.fixed and axis not in self.inferred.pins

    def root(self, axis: Axis) -> Axis:
        """The axis that stands for all that must be as large."""
        while axis in self.inferred.equal:
            axis = self.inferred.equal[axis]
        return axis

    def changed(self, sizes: Mapping[Axis, int]) -> Shapes:
        """The base with other sizes; what must be equal follows. Raises: NetsurgeryError for an axis that is not free."""
        for axis, size in sizes.items():
            if not self.free(axis) and self.base[axis[0]][axis[1]] != size:
                raise self._tied(axis, size)
        roots = {self.root(axis): size for axis, size in sizes.items()}
        return {
            name: tuple(roots.get(self.root((name, i)), n) for i, n in enumerate(shape))
            for name, shape in self.base.items()
        }

    def _tied(self, axis: Axis, size: int) -> NetsurgeryError:
        name, i = axis
        pin = self.inferred.pins.get(axis)
        return NetsurgeryError(
            f"axis {i} of input '{name}' cannot be {size}: "
            + (f"layer {pin.layer} ties it to {pin.size}" if pin else f"the model has it fixed at {self.fixed[axis]}"),
            expected=f"{self.base[name][i]}",
            fix="--fully-convolutional frees the axes that InnerProduct ties; a model is converted with it"
            if pin and i >= 2 and pin.layer.endswith("(InnerProduct)")
            else "",
        )


def choose_shapes(
    net: Net,
    model: Mapping[str, tuple[int | None, ...] | None],
    sizes: Sequence[Size] = (),
    batches: Sequence[int] = (),
    shapes: Sequence[Mapping[str, Sequence[int]]] = (),
) -> list[Shapes]:
    """The input shapes to compare at. `model` has the sizes of the model's inputs, under the net's names, None for free ones.

    `sizes` are those of images, (height, width) or one number; `batches` numbers of items; `shapes` are whole shapes of inputs. If none
    are given: the declared size (one item of an image where the batch is free) and up to two more.

    Raises: NetsurgeryError for a size that is not free, ShapeError for one that does not fit."""
    freedom = _freedom(net, model)
    if shapes and (sizes or batches):
        raise NetsurgeryError("whole shapes and sizes or batches", expected="one of the two")
    if shapes:
        return [_whole(net, freedom, each) for each in shapes]
    if not sizes and not batches:
        return list(_usual(net, freedom))
    chosen = []
    for size in sizes or (None,):
        for batch in batches or (None,):
            changes: dict[Axis, int] = {}
            if size is not None:
                changes.update(_spatial(freedom, size))
            if batch is not None:
                changes.update({(name, 0): batch for name in images(freedom.base) or list(freedom.base)[:1]})
                whole = {**_beside(freedom, batch), **changes}
                changes = whole if _fitting(net, freedom, whole) else changes
            chosen.append(freedom.changed(changes))
    for shape in chosen:
        net.shapes(shape)  # raises for what does not fit
    return chosen


def images(shapes: Mapping[str, Sequence[int]]) -> list[str]:
    """The inputs that are images: of four axes or more, as large as the first of them."""
    names = [name for name, shape in shapes.items() if len(shape) >= 4]
    return [name for name in names if shapes[name][2:] == shapes[names[0]][2:]]


def _freedom(net: Net, model: Mapping[str, tuple[int | None, ...] | None]) -> Freedom:
    declared = dict(net.inputs)
    base: Shapes = {}
    fixed: dict[Axis, int] = {}
    for name, shape in declared.items():
        sizes = model.get(name)
        if shape is None and (sizes is None or None in sizes):
            raise ShapeError(
                f"the shape of input '{name}' is not declared",
                layer=net.writer(name),
                expected="a shape",
                fix=f"--input-shape {name}=1,3,224,224, or shapes=[{{'{name}': (1, 3, 224, 224)}}] in Python",
            )
        own = shape if shape is not None else tuple(n or 1 for n in sizes or ())
        if sizes is not None and len(sizes) == len(own):
            fixed.update({(name, i): n for i, n in enumerate(sizes) if n is not None})
            own = tuple(n if m is None else m for n, m in zip(own, sizes, strict=True))
        base[name] = own
    inferred = infer(
        net, {name: [None] * len(shape) if declared[name] is not None else shape for name, shape in base.items()}
    )
    freedom = Freedom(base, inferred, {axis: n for axis, n in fixed.items() if axis not in inferred.pins})
    one = {(name, 0): 1 for name in images(base) if freedom.free((name, 0))}
    return Freedom(_fitting(net, freedom, one) or base, inferred, freedom.fixed)


def _whole(net: Net, freedom: Freedom, asked: Mapping[str, Sequence[int]]) -> Shapes:
    for name, shape in asked.items():
        if name not in freedom.base:
            raise NetsurgeryError(f"the net has no input '{name}'", expected=f"one of: {', '.join(freedom.base)}")
        if len(shape) == len(freedom.base[name]):
            freedom.changed({(name, i): n for i, n in enumerate(shape)})  # raises for an axis that is not free
    whole = {**freedom.base, **{name: tuple(shape) for name, shape in asked.items()}}
    net.shapes(whole)
    return whole


def _spatial(freedom: Freedom, size: Size) -> dict[Axis, int]:
    names = images(freedom.base)
    if not names:
        raise NetsurgeryError(
            "the net has no input of four axes that a size could be for",
            fix="give a whole shape: --input-shape data=6,1,40",
        )
    axes = len(freedom.base[names[0]]) - 2
    sides = (size,) * axes if isinstance(size, int) else tuple(size)
    if len(sides) != axes:
        raise NetsurgeryError(f"size {'x'.join(map(str, sides))}", expected=f"{axes} numbers, such as 300x420, or one")
    return {(name, 2 + i): side for name in names for i, side in enumerate(sides)}


def _usual(net: Net, freedom: Freedom) -> Iterator[Shapes]:
    """The base, and two that differ in every axis that is free."""
    yield freedom.base
    seen = [freedom.base]
    for number in (0, 1):
        for changes in _variations(freedom, number):
            shapes = _fitting(net, freedom, changes)
            if shapes is not None and shapes not in seen:
                seen.append(shapes)
                yield shapes
                break


def _variations(freedom: Freedom, number: int) -> Iterator[dict[Axis, int]]:
    """Changes to try for the first or the second further size, the best first: larger and smaller images that are no squares, in
    batches of 2 and 3, in which what goes with an image comes as often; where that does not fit, batches alone."""
    names = images(freedom.base)
    if not names:
        free = [(name, i) for name, shape in freedom.base.items() for i in range(len(shape)) if freedom.free((name, i))]
        yield {axis: freedom.base[axis[0]][axis[1]] + 1 + number for axis in free}
        yield {axis: freedom.base[axis[0]][axis[1]] + 1 + number for axis in free if axis[1] == 0}
        return
    batch = {(name, 0): 2 + number for name in names if freedom.free((name, 0))}
    whole = {**batch, **_beside(freedom, 2 + number)} if batch else {}
    for eighths in (((9, 11), (11, 14)), ((7, 10), (9, 12)))[number]:
        sides = {
            (name, i): freedom.base[name][i] * eighths[i % 2] // 8 | 1
            for name in names
            for i in range(2, len(freedom.base[name]))
            if freedom.free((name, i))
        }
        if sides and number == 0:
            yield {**sides, **whole}
            yield {**sides, **batch}
        if sides:
            yield sides
    yield whole
    yield batch


def _beside(freedom: Freedom, count: int) -> dict[Axis, int]:
    """The batch sizes of inputs that go with the images (their sizes, labels, regions) and are as many, when there are `count`."""
    names = images(freedom.base)
    items = {freedom.base[name][0] for name in names}
    others = [name for name, shape in freedom.base.items() if name not in names and shape and shape[0] in items]
    return {(name, 0): count for name in others if freedom.free((name, 0))}


def _fitting(net: Net, freedom: Freedom, changes: Mapping[Axis, int]) -> Shapes | None:
    """The base with these changes, None if the net does not take it."""
    shapes = freedom.changed(changes)
    try:
        blobs = net.shapes(shapes)
    except ShapeError:
        return None
    return shapes if all(not isinstance(n, int) or n > 0 for shape in blobs.values() for n in shape) else None
