"""A net for training and testing becomes one to use: what feeds and scores it goes, what it predicts stays.

data, label (Data, crop_size 227)                      data (Input, 1x3x227x227)
conv1 .. fc8                           becomes         conv1 .. fc8
loss = SoftmaxWithLoss(fc8, label)                     prob = Softmax(fc8)
accuracy = Accuracy(fc8, label)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from ..aliases import InputShapes
from ..layers import find, make_layer
from ..message import Message
from ..net import Layer, Net, require_net
from ._inputs import check_shape, fitted, make_input, with_data_shapes, with_shape

SCORES = re.compile(r"(Loss|Accuracy|Evaluate|Evaluation|Metrics?|Writer|Write)(V?\d+|OHEM)?$")
"""How forks name layers that only training and testing need."""


def needs_deploy(net: Net) -> bool:
    """Whether something in the net reads data from elsewhere: it cannot be used as it is, `deploy` makes it so."""
    return any(_is_source(layer) and layer.type != "Input" for layer in net.layers)


def deploy(net: Net, input_shapes: InputShapes | None = None) -> Net:
    """The net without data layers, labels, losses and scores; the net itself if it has none. What it did is in `net.notes`.

    Tops of data layers become inputs of one item, or of a whole batch where the layers fit with that alone; the shape is the crop or
    scaled size with the channels that the first weights want, or that of `input_shapes`. A loss with an activation inside leaves it
    (SoftmaxWithLoss: Softmax, named prob); what a score judges becomes an output: its first bottom behind layers with weights. Labels
    and whatever else only losses and scores need goes.
    Which layers belong to the phase and the stages was decided when the net was read: all that it has count.

    Raises: RewriteError for an input whose shape does not follow.
    """
    require_net(net)
    notes: list[str] = []
    shapes = input_shapes or {}
    fixed = {top: check_shape(top, numbers) for top, s in shapes.items() if (numbers := whole(s)) is not None}
    net = _without_copies(net, notes)
    if needs_deploy(net) or _scores(net):
        net = _deployed(net, fixed, shapes.keys() - fixed.keys(), notes)
    for top, shape in fixed.items():
        net = with_shape(net, top, shape)
    net = fitted(net)
    return replace(net, notes=(*net.notes, *(f"deploy: {note}" for note in notes)))


def whole(shape: Sequence[int | str | None]) -> list[int] | None:
    """The shape, if all of its axes are numbers."""
    numbers = [n for n in shape if isinstance(n, int)]
    return numbers if len(numbers) == len(shape) else None


def _deployed(net: Net, input_shapes: Mapping[str, tuple[int, ...]], named: Collection[str], notes: list[str]) -> Net:
    """`named` are inputs of which some axes have a name only: their shape stays open."""
    scores = _scores(net)
    useful = _useful(net, scores)
    rest = _without_scores(net, scores, useful, notes)
    layers, data = _with_inputs(rest, net, useful, notes)
    net = net.with_layers(layers)
    notes.extend(f"layer {data[t].title} became input '{t}', its axes as given" for t in data if t in named)
    net, why = with_data_shapes(net, {t: layer for t, layer in data.items() if t not in named}, input_shapes)
    for top, reason in why.items():
        layer, shape = data[top], net.inputs[top] or ()
        notes.append(f"layer {layer.title} became input '{top}' of {'x'.join(map(str, shape))}: {reason}")
        if top == layer.tops[0] and (done := layer.kind.preparation):
            notes.append(f"input '{top}' is expected as the layer prepared it: {done}")
    return net


def _is_source(layer: Layer) -> bool:
    """Whether it gives data from outside: an Input, a data layer, one without bottoms that we do not know."""
    return not layer.bottoms and (not layer.kind.is_supported or layer.kind.is_input)


def _scores(net: Net) -> set[int]:
    """The ids of the layers that only training and testing need: losses and scores, those of unknown types by their names; and layers of
    unknown types that look at labels and whose tops nobody reads, or scores alone."""
    scores = {id(layer) for layer in net.layers if _is_score(layer)}
    labels = _labels(net)
    readers: dict[str, list[Layer]] = {}
    for layer in reversed(net.layers):
        unknown = not layer.kind.is_supported and len(layer.bottoms) > 1 and labels.intersection(layer.bottoms)
        if unknown and all(id(reader) in scores for top in layer.tops for reader in readers.get(top, [])):
            scores.add(id(layer))
        for blob in layer.bottoms:
            readers.setdefault(blob, []).append(layer)
    return scores


def _labels(net: Net) -> set[str]:
    """What data layers give beside their first top, and what is computed from that alone."""
    labels: set[str] = set()
    for layer in net.layers:
        if _is_source(layer):
            labels.update(layer.tops[1:] if layer.type != "Input" else [t for t in layer.tops if "label" in t])
        elif layer.bottoms and labels.issuperset(layer.bottoms):
            labels.update(layer.tops)
    return labels


def _is_score(layer: Layer) -> bool:
    if not layer.kind.is_supported:
        return bool(layer.bottoms) and SCORES.search(layer.type) is not None
    return layer.kind.training_only


def _renamed(layer: Layer, old: str, new: str) -> Layer:
    """The layer with one blob under another name."""
    bottoms, tops = (tuple(new if b == old else b for b in blobs) for blobs in (layer.bottoms, layer.tops))
    return replace(layer, bottoms=bottoms, tops=tops)


def _without_copies(net: Net, notes: list[str]) -> Net:
    """The net without layers that only copy in testing, and would ask for labels to do it."""
    for layer in net.layers:
        if layer.kind.copies_first and len(layer.bottoms) > 1:
            notes.append(f"layer {layer.title} left out: in testing it copies '{layer.bottoms[0]}'")
            old, new = layer.tops[0], layer.bottoms[0]
            if "@" in new or not net.readers(old):  # the name that users know stays
                old, new = new, old
            net = net.with_layers(_renamed(x, old, new) for x in net.layers if x is not layer)
    return net


def _has_weights(layer: Layer) -> bool:
    return bool(layer.weights) or layer.kind.has_weights


def _gone(net: Net, scores: set[int]) -> set[str]:
    """Blobs that losses and scores compute, and what is computed from them; but not an activation that a loss also gives."""
    gone: set[str] = set()
    for layer in net.layers:
        if id(layer) in scores:
            gone.update(layer.tops[:1] if _prediction(layer) else layer.tops)
        elif gone.intersection(layer.bottoms):
            gone.update(layer.tops)
    return gone


def _useful(net: Net, scores: set[int]) -> set[str]:
    """Blobs that outputs of the net, or what a score judges, are computed from; with these."""
    gone = _gone(net, scores)
    learned: set[str] = set()
    for layer in net.layers:
        if _has_weights(layer) or learned.intersection(layer.bottoms):
            learned.update(t for t in layer.tops if t not in gone)
    read = {b for layer in net.layers for b in layer.bottoms}
    useful: set[str] = set()
    for layer in reversed(net.layers):
        if id(layer) in scores:
            useful.update(_judged(layer, learned))
            if useful.intersection(layer.tops):  # what reads the activation that a loss gives
                useful.add(layer.bottoms[0])
        elif _is_source(layer) or gone.intersection(layer.bottoms):
            continue
        elif useful.intersection(layer.tops) or not read.issuperset(layer.tops):
            useful.update((*layer.bottoms, *layer.tops))
    return useful


def _judged(score: Layer, learned: set[str]) -> list[str]:
    """The bottoms of a score that are the net's answer: behind layers with weights, in a net without any the first."""
    answers = [b for b in score.bottoms if b in learned] or ([] if learned else list(score.bottoms[:1]))
    type_of = find(score.type) if not score.kind.is_supported else score.kind
    return answers[: type_of.judged] if type_of is not None and type_of.has_labels else answers


def _prediction(score: Layer) -> tuple[str, Message] | None:
    """The type and parameters of the activation inside a loss."""
    return score.kind.prediction(score.params)


def _without_scores(net: Net, scores: set[int], useful: set[str], notes: list[str]) -> list[Layer]:
    """The layers that are needed for the useful blobs, and activations in place of losses that hold one."""
    layers: list[Layer] = []
    single = sum(id(layer) in scores and _prediction(layer) is not None for layer in net.layers) == 1
    for layer in net.layers:
        if id(layer) in scores:
            activation = _activation(net, layer, single) if layer.bottoms[0] in useful else None
            if activation is not None:
                layers.append(activation)
                notes.append(
                    f"layer {layer.title} became '{activation.name}' ({activation.type}) with top '{activation.tops[0]}'"
                )
            else:
                notes.append(f"layer {layer.title} left out: it scores")
        elif _is_source(layer) or useful.intersection(layer.tops):
            layers.append(layer)
        elif not layer.tops and useful.intersection(layer.bottoms):  # Silence, of what remains
            layers.append(replace(layer, bottoms=tuple(b for b in layer.bottoms if b in useful)))
        else:
            notes.append(f"layer {layer.title} left out: only losses and scores need it")
    return layers


def _activation(net: Net, loss: Layer, single: bool) -> Layer | None:
    """The layer that computes the activation inside a loss, unless the net has it already."""
    prediction = _prediction(loss)
    if prediction is None:
        return None
    type, params = prediction
    bottom = loss.bottoms[0]
    if len(loss.tops) == 1 and any(reader.type == type for reader in net.readers(bottom)):
        return None
    top = "prob" if single else f"{bottom}_prob"
    if len(loss.tops) > 1:  # the loss gives the activation as its second top
        top = loss.tops[1]
    while top in net.blobs and top not in loss.tops:
        top += "_"
    name = top if top not in net else loss.name
    return make_layer(name, type, (bottom,), (top,), params, source=loss.source)


def _with_inputs(
    rest: Sequence[Layer], net: Net, useful: set[str], notes: list[str]
) -> tuple[list[Layer], dict[str, Layer]]:
    """The layers with an Input for each top of a data layer that is needed, its shape still open, and the data layer of each; Input
    layers without labels."""
    read = {b for layer in net.layers for b in layer.bottoms}
    taken = {layer.name for layer in rest if not _is_source(layer)}
    layers: list[Layer] = []
    data: dict[str, Layer] = {}
    for layer in rest:
        if not _is_source(layer):
            layers.append(layer)
            continue
        is_input = layer.type == "Input"
        tops = [t for t in layer.tops if t in useful or (is_input and t not in read)]
        notes.extend(f"layer {layer.title}: '{t}' left out, nothing needs it" for t in layer.tops if t not in tops)
        if is_input and tops:
            shapes = dict(zip(layer.tops, layer.kind.declared(len(layer.tops)), strict=True))
            whole = len(tops) == len(layer.tops)
            layers.append(layer if whole else make_input(layer.name, {t: shapes[t] for t in tops}, layer.source))
        elif not is_input:
            for top in tops:
                name = layer.name if len(tops) == 1 else top
                while name in taken:
                    name += "_"
                taken.add(name)
                layers.append(make_input(name, {top: None}, layer.source))
                data[top] = layer
    return layers, data
