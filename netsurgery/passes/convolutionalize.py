"""Read every InnerProduct as a Convolution, so that a net of one input size runs at every larger one and gives a map of answers.

before                                             after, at 227 x 227          at 451 x 451
data   (N, 3, 227, 227)                            data   (N, 3, 227, 227)      (N, 3, 451, 451)
pool5  (N, 256, 6, 6)                              pool5  (N, 256, 6, 6)        (N, 256, 13, 13)
fc6    (N, 4096)  InnerProduct, W (4096, 9216)     fc6    (N, 4096, 1, 1)       (N, 4096, 8, 8)     Convolution, W (4096, 256, 6, 6)
fc7    (N, 4096)  InnerProduct, W (4096, 4096)     fc7    (N, 4096, 1, 1)       (N, 4096, 8, 8)     Convolution, W (4096, 4096, 1, 1)
fc8    (N, 1000)  InnerProduct, W (1000, 4096)     fc8    (N, 1000, 1, 1)       (N, 1000, 8, 8)     Convolution, W (1000, 4096, 1, 1)
prob   (N, 1000)  Softmax                          prob   (N, 1000, 1, 1)       (N, 1000, 8, 8)     Softmax over the channels

The answer at position (i, j) is the old net's on the window of the declared size at (i, j) * stride, as far as padding and clipped
poolings do not show. Source: Long, Shelhamer, Darrell, Fully Convolutional Networks for Semantic Segmentation (2015).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from ..errors import RewriteError, WeightsError
from ..layers import make_layer
from ..layers.core.dims import Shape, Size, numbers, show
from ..layers.core.dims import axis as free_axis
from ..layers.innerproduct import InnerProduct
from ..limits import show_shapes
from ..message import Message
from ..net import Layer, Net, as_names, require_net
from ._inputs import with_shape
from .as_convolution import Converter, require_sharing
from .growing import GrowingNet
from .map_notes import map_notes
from .slide_pools import slide_pools


def convolutionalize(
    net: Net,
    *,
    only: Sequence[str] | None = None,
    sliding_pool: bool = False,
    rename: Mapping[str, str] | None = None,
) -> Net:
    """The net in which every InnerProduct is a Convolution whose kernel is the map that it saw at the declared size.

    Weights are the same bytes in a new shape (`transpose: true` needs a copy). Flatten and Reshape on the way are absorbed; Softmax,
    ArgMax, Accuracy and losses act at each position over the channels. `only` names the InnerProducts to convert. Behind a Pooling of
    the whole map there is one answer for each image: `sliding_pool` gives it a kernel of the map's size and stride 1. `rename` gives
    layers, and the blobs of the same name, new names. `net.notes` say what was done.

    Shapes: a blob (N, C) becomes (N, C, 1, 1) at the declared size, (N, C, h, w) at larger ones.
    Raises: RewriteError for a layer that would not do at each position what it did before; ShapeError, UnsupportedLayersError.
    """
    require_net(net)
    only = None if only is None else as_names(only)
    targets = {x.tops[0] for x in net.layers if isinstance(x.kind, InnerProduct) and (only is None or x.name in only)}
    for layer in [net[name] for name in only or ()]:
        layer.kind.require_supported()
        if not isinstance(layer.kind, InnerProduct):
            raise RewriteError("is no InnerProduct", layer=layer, expected="InnerProduct layers (--only)")
    new = net
    if targets or sliding_pool:
        shapes = net.shapes()
        slid: frozenset[str] = frozenset()
        if sliding_pool:
            new, slid = slide_pools(net, shapes)
        if targets or slid:
            surgery = _Surgery(new, shapes, targets, slid, strict=only is not None)
            new = surgery.done()
            notes = map_notes(net, shapes, surgery.seen, surgery.left, slid)
            new = replace(new, notes=(*net.notes, *notes))
    return new.renamed(rename) if rename else new


@dataclass(frozen=True)
class _Form:
    """What stands for a blob of the old net in the new one: `plain`, the same blob; `map`, a map that holds for each item the same
    numbers in the same order at the declared size; or either. `seen` is that map's shape without the batch, (C, h, w)."""

    plain: str = ""
    map: str = ""
    seen: tuple[int, ...] = ()


class _Surgery:
    """Goes through the layers in order and gives each the form of its bottoms that it can use."""

    def __init__(
        self, net: Net, shapes: Mapping[str, Shape], targets: set[str], slid: frozenset[str], *, strict: bool
    ) -> None:
        self.net, self.old, self.targets, self.slid, self.strict = net, shapes, targets, slid, strict
        self.map_blobs = _map_blobs(net, targets)
        self.forms: dict[str, _Form] = {}
        self.new = GrowingNet(net, shapes)
        self.converter = Converter()
        self.seen: dict[str, tuple[int, ...]] = {}  # top of a converted InnerProduct -> the map that it saw
        self.left: list[Layer] = []  # InnerProducts that stay
        self.why: RewriteError | None = None  # why the first of them could not be converted
        self.absorbed: set[str] = set()
        self.labels: dict[str, tuple[int, ...]] = {}  # input -> its new declared shape

    def done(self) -> Net:
        for layer in self.net.layers:
            if isinstance(layer.kind, InnerProduct):
                self._inner_product(layer, layer.kind)
            else:
                self._other(layer)
        if self.why and not self.seen and not self.slid:
            raise self.why
        require_sharing(self.net.layers, self.seen)
        read = {blob for layer in self.new.layers for blob in layer.bottoms} | set(self.net.outputs)
        unused = self.absorbed - read
        net = self.net.with_layers(layer for layer in self.new.layers if not unused.intersection(layer.tops))
        for blob, shape in self.labels.items():
            net = with_shape(net, blob, shape)
        return net

    def _take(self, layer: Layer) -> None:
        """Puts a layer into the new net; its tops stand for those of the same name."""
        self.new.take(layer)
        for top in layer.tops:
            self.forms[top] = self._map_form(top) if top in self.slid else _Form(top)

    def _take_map(self, layer: Layer) -> None:
        """Puts a layer of the new net that works on maps into it."""
        self._take(layer)
        for top in layer.tops:
            if len(self.new.shapes[top]) > 2:
                self.forms[top] = self._map_form(top)

    def _map_form(self, blob: str) -> _Form:
        return _Form("", blob, numbers(self.new.shapes[blob][1:]))

    def _as_map(self, blob: str) -> _Form:
        """The form of an old blob, as a map if it can be one: a blob with positions is one itself."""
        form = self.forms[blob]
        return self._map_form(form.plain) if not form.map and len(self.new.shapes[form.plain]) > 2 else form

    def _inner_product(self, layer: Layer, kind: InnerProduct) -> None:
        bottom, *matrix = layer.bottoms
        if layer.tops[0] not in self.targets or matrix:
            own = RewriteError(
                f"its weights are the blob '{layer.bottoms[-1]}'", layer=layer, expected="weights of its own"
            )
            self._leave(layer, kind, own if matrix else None)
            return
        axis = kind.axis(kind.from_axis, len(self.old[bottom]))
        if axis != 1:
            raise RewriteError(
                f"axis is {kind.from_axis}: it answers for each of the first {axis} axes of {_show(self.old[bottom])}",
                layer=layer,
                expected="axis 1: one answer for each item of the batch",
                fix="leave the layer as it is (--only)",
            )
        expected = [tuple(shape) for shape in kind.weight_shapes([self.old[bottom]])]
        if [w.size for w in layer.weights] not in ([], [prod(numbers(shape)) for shape in expected]):
            raise WeightsError(
                f"has blobs of shapes {show_shapes([w.shape for w in layer.weights])}",
                layer=layer,
                expected=f"{show_shapes(expected)}, for its bottom of {show_shapes([self.old[bottom]])}",
                fix="operations are done in the order in which they are written: --fully-convolutional first, then what changes"
                " the maps (--delete, --insert)",
            )
        form = self._as_map(bottom)
        if not form.map:
            if self.strict:
                raise self._is_flat(layer)
            self._leave(layer, kind, self._is_flat(layer))
            return
        if not self.new.has_positions(form.map):
            lost = self._no_positions(layer, form)
            if self.strict or not self.forms[bottom].plain:
                raise lost
            self._leave(layer, kind, lost)
            return
        self.seen[layer.tops[0]] = form.seen
        self._take_map(self.converter.convert(layer, kind, form.map, form.seen))

    def _no_positions(self, layer: Layer, form: _Form) -> RewriteError:
        """The error that names the layer in which the last axes stopped being positions."""
        (bottom,) = layer.bottoms
        here, behind = _show(self.new.shapes[form.map]), self.new.lost_at(form.map).title
        return RewriteError(
            f"the last axes of its bottom '{bottom}' {here} are no positions of the image: behind layer {behind} none are",
            layer=layer,
            expected="a map (N, channels, h, w) of the image",
            fix="leave the layer as it is (--only)",
        )

    def _is_flat(self, layer: Layer) -> RewriteError:
        (bottom,) = layer.bottoms
        behind = next(
            (x for x in self.left if x is not layer and x.tops[0].split("@")[0] == bottom.split("@")[0]), None
        )
        return RewriteError(
            f"its bottom '{bottom}' is a flat vector {_show(self.old[bottom])}"
            + (f", since {behind.title} stays as it is" if behind else ""),
            layer=layer,
            expected="a map (N, C, h, w), or what becomes one",
            fix=f"convert '{behind.name}', too (--only)" if behind else "declare the input as a map (N, C, h, w)",
        )

    def _leave(self, layer: Layer, kind: InnerProduct, why: RewriteError | None = None) -> None:
        """An InnerProduct that stays one. A map in front of it must have the declared size then."""
        self.why = self.why or why
        bottom, *matrix = layer.bottoms
        form = self.forms[bottom]
        self.left.append(layer)
        if all(self.forms[b].plain for b in layer.bottoms):
            self._take(replace(layer, bottoms=tuple(self.forms[b].plain for b in layer.bottoms)))
            return
        if matrix and why:
            raise why
        params = kind.over_channels(layer.params, "inner_product_param", kind.from_axis, len(self.old[bottom]))
        self._take(_with(layer, params, (form.map,)))

    def _other(self, layer: Layer) -> None:
        forms = [self.forms[b] for b in layer.bottoms]
        if not layer.tops and layer.kind.scope == "number":  # Silence
            self._take(replace(layer, bottoms=tuple(form.plain or form.map for form in forms)))
            return
        flattens = layer.kind.flattens
        as_map = bool(self.map_blobs.intersection(layer.tops))
        if as_map and flattens:
            forms = [self._as_map(b) for b in layer.bottoms]
        if not any(form.map for form in forms) or (not as_map and all(form.plain for form in forms)):
            self._take(replace(layer, bottoms=tuple(form.plain for form in forms)))
            return
        try:
            if flattens:
                self._absorb(layer, as_map)
            else:
                self._on_maps(layer)
        except RewriteError:
            # One answer for each image can be a flat vector again at every size.
            if not all(not form.map or self.new.one_for_all(form.map) for form in forms):
                raise
            bottoms = [self._flat(b) for b in layer.bottoms]
            if None in bottoms:
                raise
            self._take(replace(layer, bottoms=tuple(b for b in bottoms if b)))

    def _flat(self, blob: str) -> str | None:
        """An old blob as it was, made with a Flatten where only its map is left."""
        form = self.forms[blob]
        if form.plain or self.old[blob] == self.new.shapes[form.map]:
            return form.plain or form.map
        if len(self.old[blob]) != 2:
            return None
        name = blob.split("@")[0] + "_flat"
        while name in self.old or name in self.new.shapes or name in self.net:
            name += "_"
        self._take(make_layer(name, "Flatten", (form.map,), (name,), source=self.net.writer(blob).source))
        self.forms[blob] = replace(form, plain=name)
        return name

    def _absorb(self, layer: Layer, as_map: bool) -> None:
        """Leaves out a Flatten or Reshape: what comes behind sees the map instead, which holds the same numbers in the same order."""
        (bottom,), (top,) = layer.bottoms, layer.tops
        form, plain = self._as_map(bottom), self.forms[bottom].plain
        n, *rest = self.old[bottom]
        free = free_axis(bottom, 0)
        (shape,) = layer.kind.shapes([(free, *rest)])
        becomes = f"{_show(self.old[bottom])} becomes {_show(self.old[top])}"
        if not shape or shape[0] not in (n, free) or self.old[top][0] != n:
            raise layer.kind.refusal(f"mixes the items of the batch with positions: {becomes}")
        if not as_map and not _is_vector(self.old[top], form.seen):
            raise layer.kind.refusal(f"mixes positions and channels: {becomes} at each position")
        if plain:  # for readers that want the flat blob
            self._take(replace(layer, bottoms=(plain,)))
            self.absorbed.add(top)
            self.forms[top] = replace(form, plain=top)
        elif top in self.net.outputs:
            self._take_map(_with(layer, layer.kind.unchanged(layer.params, len(form.seen) + 1), (form.map,)))
        else:
            self.forms[top] = form

    def _on_maps(self, layer: Layer) -> None:
        """A layer that is to do at each position what it did."""
        kind = layer.kind
        forms = [self._as_map(b) for b in layer.bottoms]
        labels = [i > 0 and kind.has_labels and not self.forms[b].map for i, b in enumerate(layer.bottoms)]
        maps = [(b, form) for b, form, label in zip(layer.bottoms, forms, labels, strict=True) if not label]
        for blob, form in maps:
            if not form.map:
                others = ", ".join(f"'{b}'" for b, f in maps if f.map)
                raise kind.refusal(
                    f"its bottom '{blob}' {_show(self.old[blob])} is a flat vector, where {others} becomes a map"
                )
        self._require_one_grid(layer, [(blob, form.map) for blob, form in maps])
        alike = len({form.seen[1:] for _, form in maps}) == 1
        for blob, form in maps:
            flattened = not _is_vector(self.old[blob], form.seen)
            if flattened and not (alike and (kind.scope == "number" or kind.joins)):
                whole = f"its bottom '{blob}' {_show(self.old[blob])} is a flattened map {_show(form.seen)}"
                raise kind.refusal(f"{whole}, whose numbers it does not treat all alike")
        params = kind.per_position(layer.params, [self.old[b] for b in layer.bottoms])
        for blob, label in zip(layer.bottoms, labels, strict=True):
            if label and self.net.writer(blob).type == "Input" and blob not in self.labels:
                self._make_label_a_map(blob, maps[0][0])
        bottoms = [
            self.forms[b].plain if label else form.map
            for b, form, label in zip(layer.bottoms, forms, labels, strict=True)
        ]
        self._take_map(_with(layer, params, tuple(bottoms)))

    def _require_one_grid(self, layer: Layer, maps: Sequence[tuple[str, str]]) -> None:
        """Raises: RewriteError unless all maps grow alike with the image."""
        grids: dict[tuple[str, ...], str] = {}
        for blob, name in maps:
            if (grid := self.new.grid(name)) is not None:
                grids[grid] = blob
        if len(grids) > 1:
            steps = " and ".join(
                f"'{blob}' one for the whole image"
                if set(grid) == {"none"}
                else f"'{blob}' one every {'x'.join(dict.fromkeys(grid))} pixels"
                for grid, blob in grids.items()
            )
            raise layer.kind.refusal(f"its bottoms would not stay of one size: {steps}")

    def _make_label_a_map(self, blob: str, scores: str) -> None:
        """An input of labels, one for each item, or of targets for each score: on maps, one for each position."""
        n, shape = self.old[scores][0], self.old[blob]
        if len(shape) == len(self.new.shapes[self.forms[scores].map]):
            return
        if shape == (n, *(1,) * (len(shape) - 1)):
            shape = (n, 1)
        elif shape != self.old[scores]:
            return
        map_shape = (*shape, *self.new.shapes[self.forms[scores].map][2:])
        self.new.declare(blob, map_shape)
        self.labels[blob] = numbers(map_shape)


def _map_blobs(net: Net, targets: set[str]) -> set[str]:
    """The blobs from which InnerProducts that are converted see a map, if only through layers that can act on it."""
    blobs: set[str] = set()
    for layer in reversed(net.layers):
        passes = not isinstance(layer.kind, InnerProduct) and (layer.kind.flattens or layer.kind.scope != "map")
        if targets.intersection(layer.tops) or (passes and blobs.intersection(layer.tops)):
            blobs.update(layer.bottoms)
    return blobs


def _is_vector(shape: Shape, seen: tuple[int, ...]) -> bool:
    """Whether an old blob of this shape is one vector of channels for each item, (N, C) or (N, C, 1, ..), at one position of the map."""
    return set(seen[1:]) <= {1} and len(shape) > 1 and shape[1] == seen[0] and set(shape[2:]) <= {1}


def _with(layer: Layer, params: Message, bottoms: tuple[str, ...]) -> Layer:
    """The layer on other bottoms, with other parameters."""
    return replace(layer, bottoms=bottoms, params=params)


def _show(shape: Sequence[Size]) -> str:
    return f"({', '.join(map(show, shape))})"
