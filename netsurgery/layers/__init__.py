"""The layer types: one file each. To add one: write its file, add its line to _FILES, put its cases into fixtures/."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from difflib import get_close_matches
from functools import cache
from importlib import import_module

from .. import _proto
from ..errors import NetsurgeryError, ShapeError, Source, UnsupportedError
from ..message import Field, Message, Token
from ..net import Layer, Refused
from .core.layer_type import LayerType
from .core.params import IRRELEVANT_OF_LAYER, Params

# Caffe's type name -> the file whose class answers to it (LayerType.types), loaded when a net needs it.
_FILES: dict[str, str] = {
    # BVLC Caffe
    "AbsVal": "absval",
    "Accuracy": "accuracy",
    "ArgMax": "argmax",
    "BatchNorm": "batchnorm",
    "BatchReindex": "batchreindex",
    "Bias": "bias",
    "BNLL": "bnll",
    "Clip": "clip",
    "Concat": "concat",
    "ContrastiveLoss": "contrastiveloss",
    "Convolution": "convolution",
    "Crop": "crop",
    "Data": "data",
    "Deconvolution": "deconvolution",
    "Dropout": "dropout",
    "DummyData": "dummydata",
    "ELU": "elu",
    "Eltwise": "eltwise",
    "Embed": "embed",
    "EuclideanLoss": "euclideanloss",
    "Exp": "exp",
    "Filter": "filter",
    "Flatten": "flatten",
    "HDF5Data": "data",
    "HDF5Output": "silence",
    "HingeLoss": "hingeloss",
    "Im2col": "im2col",
    "ImageData": "data",
    "InfogainLoss": "infogainloss",
    "InnerProduct": "innerproduct",
    "Input": "input",
    "LRN": "lrn",
    "LSTM": "lstm",
    "Log": "log",
    "MVN": "mvn",
    "MemoryData": "data",
    "MultinomialLogisticLoss": "multinomiallogisticloss",
    "PReLU": "prelu",
    "Parameter": "parameter",
    "Pooling": "pooling",
    "Power": "power",
    "Python": "python",
    "Python:rpn.proposal_layer.ProposalLayer": "rpnproposal",
    "Python:spatial_dropout.SpatialDropoutLayer": "enetdropout",
    "RNN": "rnn",
    "ReLU": "relu",
    "Reduction": "reduction",
    "Reshape": "reshape",
    "SPP": "spp",
    "Scale": "scale",
    "Sigmoid": "sigmoid",
    "SigmoidCrossEntropyLoss": "sigmoidcrossentropyloss",
    "Silence": "silence",
    "Slice": "slice",
    "Softmax": "softmax",
    "SoftmaxWithLoss": "softmaxwithloss",
    "Split": "split",
    "Swish": "swish",
    "TanH": "tanh",
    "Threshold": "threshold",
    "Tile": "tile",
    "WindowData": "data",
    # the SSD branch
    "AnnotatedData": "data",
    "DetectionOutput": "detectionoutput",
    "Normalize": "normalize",
    "Permute": "permute",
    "PriorBox": "priorbox",
    "SmoothL1Loss": "smoothl1loss",
    "VideoData": "data",
    # forks
    "AutoCrop": "autocrop",
    "Axpy": "axpy",
    "BilinearInterpolation": "bilinearinterpolation",
    "BN": "bn",
    "BReLU": "brelu",
    "ChannelNorm": "channelnorm",
    "ChannelScale": "channelscale",
    "Combination": "combination",
    "ContinuationIndicator": "continuationindicator",
    "ConvLSTM": "convlstm",
    "Convolution3D": "convolution3d",
    "Convolution:fused": "convolutionfused",
    "ConvolutionSK": "convolution",
    "ConvolutionDepthwise": "convolutiondepthwise",
    "Correlation": "correlation",
    "CReLU": "crelu",
    "CropCenter": "cropcenter",
    "CuDNNBatchNorm": "batchnorm",
    "CTCGreedyDecoder": "ctcgreedydecoder",
    "DenseBlock": "denseblock",
    "DenseImageData": "data",
    "DepthwiseConvolution": "depthwiseconvolution",
    "Division": "division",
    "Downsample": "downsample",
    "ExpMax": "expmax",
    "Flip": "flip",
    "FlowWarp": "flowwarp",
    "GELU": "gelu",
    "Gelu": "gelu",
    "Grid": "grid",
    "GroupNorm": "groupnorm",
    "HardSigmoid": "hardsigmoid",
    "HardSwish": "hardswish",
    "HSigmoid": "hardsigmoid",
    "HSwish": "hardswish",
    "HyperColumns": "hypercolumns",
    "ImResize": "imresize",
    "InnerDistance": "innerdistance",
    "Insanity": "insanity",
    "Interp": "interp",
    "LabelSpecificAdd": "labelspecific",
    "LabelSpecificMargin": "labelspecific",
    "LabelSpecificRescale": "labelspecific",
    "Local": "local",
    "Lstm": "lstm_junhyuk",
    "MatMul": "matmul",
    "MergeCrop": "mergecrop",
    "Mish": "mish",
    "NegSquare": "negsquare",
    "Nms": "nms",
    "NdConvolution": "convolution",
    "NdPooling": "pooling",
    "Pooling3D": "pooling3d",
    "PoolingND": "poolingnd",
    "PoolingSK": "pooling",
    "Proposal": "proposal",
    "PSROIPooling": "psroipooling",
    "ReLU6": "relu6",
    "Reorg": "reorg",
    "Resample": "resample",
    "Reverse": "reverse",
    "ReverseTime": "reversetime",
    "ROIPooling": "roipooling",
    "SeLU": "selu",
    "SeLu": "selu",
    "SeLUDropout": "selu",
    "SeLuDropout": "selu",
    "ShuffleChannel": "shufflechannel",
    "SimpleCrop": "simplecrop",
    "SoftTruncation": "softtruncation",
    "SpatialDropout": "spatialdropout",
    "Transpose": "transpose",
    "Unpooling": "unpooling",
    "Upsample": "upsample",
    "Warp": "warp",
    "YoloDetectionOutput": "yolodetectionoutput",
    "Yolov3DetectionOutput": "yolov3detectionoutput",
}


@cache
def _registered() -> dict[str, type[LayerType]]:
    """Layer types added at run time: by `register`, and by the entry point group `netsurgery.layers`."""
    from importlib.metadata import entry_points

    found: dict[str, type[LayerType]] = {}
    for entry in entry_points(group="netsurgery.layers"):
        for name in (cls := entry.load()).types:
            found[name] = cls
    return found


def register(cls: type[LayerType]) -> type[LayerType]:
    """Adds a layer type of one's own, for every net loaded from now on; usable as a decorator. It may replace a built-in one."""
    if not cls.types:
        raise NetsurgeryError(
            f"{cls.__name__}.types is empty", expected="the type names that it answers to, as in the prototxt"
        )
    for name in cls.types:
        _registered()[name] = cls
    return cls


def load_plugin(path: str | os.PathLike[str]) -> None:
    """Runs a Python file that registers layer types of one's own. Raises: NetsurgeryError if it fails."""
    from importlib.util import module_from_spec, spec_from_file_location

    source = Source(os.fspath(path))
    spec = spec_from_file_location(f"netsurgery_plugin_{len(_registered())}", path)
    if spec is None or spec.loader is None:
        raise NetsurgeryError("is no Python file", source=source, expected="a .py file that calls netsurgery.register")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except NetsurgeryError:
        raise
    except Exception as error:  # it is somebody's program: whatever it raises is an error of the plug-in
        line = next(
            (f.lineno or 0 for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename == spec.origin), 0
        )
        raise NetsurgeryError(
            f"the plug-in failed: {type(error).__name__}: {error}",
            source=Source(source.file, line),
            fix="mend the plug-in",
        ) from error


def names() -> tuple[str, ...]:
    """Every layer type that netsurgery knows, sorted."""
    return tuple(sorted({*_FILES, *_registered()}, key=str.lower))


def find(type: str) -> type[LayerType] | None:
    """The class that answers to a type name, None if none does."""
    if type in _registered():
        return _registered()[type]
    return _built_in(_FILES[type]).get(type) if type in _FILES else None


@cache
def _built_in(file: str) -> dict[str, type[LayerType]]:
    module = import_module(f"{__name__}.{file}")
    classes = [
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, LayerType) and c.__module__ == module.__name__
    ]
    return {name: c for c in classes for name in c.types}


def make_layer(
    name: str,
    type: str,
    bottoms: Sequence[str] = (),
    tops: Sequence[str] = (),
    params: Message = Message("LayerParameter"),
    *,
    source: Source = Source(),
    weights: Sequence[object] = (),
    layers: Mapping[str, type[LayerType]] | None = None,
    ignored: MutableSequence[str] | None = None,
    blob_count: int | None = None,
) -> Layer:
    """A Layer with its kind: parameters read, every field accounted for. A layer that is refused carries the error (net.Refused).

    `layers` replaces layer types by others for this layer; `ignored`, if given, takes a line for each field that no schema knows,
    which is then passed over instead of refused. `blob_count` tells variants of a type apart by the number of their blobs where the
    weights come later.
    """
    kind: object
    try:
        kind = _kind(
            name,
            type,
            bottoms,
            tops,
            params,
            source,
            layers or {},
            ignored,
            len(weights) if blob_count is None else blob_count,
        )
    except NetsurgeryError as error:
        kind = Refused(error)
    return Layer(name, type, tuple(bottoms), tuple(tops), params, tuple(weights), source, kind)  # type: ignore[arg-type]


def _kind(
    name: str,
    type: str,
    bottoms: Sequence[str],
    tops: Sequence[str],
    params: Message,
    source: Source,
    layers: Mapping[str, type[LayerType]],
    ignored: MutableSequence[str] | None,
    blob_count: int,
) -> LayerType:
    cls = layers.get(type) or find(type)
    title = f"'{name}' ({type})"
    if cls is None:
        near = get_close_matches(type, names(), n=1)
        raise UnsupportedError(
            f"layer type '{type}' is not known",
            layer=title,
            source=source,
            expected="a type that `netsurgery layers` lists",
            fix="give the prototxt as well: it names the type"
            if type.startswith("#")
            else f"did you mean '{near[0]}'?"
            if near
            else f"register a layer of your own (README: Your own layer), or hand it on: --as-custom-op {type}",
        )
    p = Params(params, "LayerParameter", title, source, cls.parameters)
    cls = cls.variant(p, title, len(bottoms))
    for word, found, (least, most) in (("bottoms", bottoms, cls.bottoms), ("tops", tops, cls.tops)):
        if len(found) < least or (most is not None and len(found) > most):
            wanted = f"{least}" if most == least else f"at least {least}" if most is None else f"{least} to {most}"
            raise ShapeError(
                f"{len(found)} {word}: {', '.join(found) or 'none'}",
                layer=title,
                source=source,
                expected=f"{wanted} {word}",
            )
    numbered = [("LayerParameter", f) for f in params.fields if f.name.startswith("#")]
    if numbered and ignored is None:  # of a binary net: the layer may miss what they say
        raise _unread_error(title, numbered)
    try:
        kind = cls(name, type, source, p, blob_count, len(bottoms), len(tops))
    except NetsurgeryError:
        if misspelt := [] if cls.parameters else list(_misspelt("LayerParameter", params)):
            raise _unread_error(title, misspelt) from None  # the cause of what the layer complains about
        raise
    unread = [(t, f) for t, f in p.unread() if not (t == "LayerParameter" and _passed_over(f))]
    if ignored is not None:
        for t, f in [(t, f) for t, f in unread if not _known(t, f.name)]:
            ignored.append(f"{f.source}: layer {title}: field '{f.name}' is not known and was ignored")
            unread.remove((t, f))
    if unread:
        raise _unread_error(title, unread)
    return kind


def _misspelt(type: str, message: Message) -> Iterator[tuple[str, Field]]:
    """Fields that no schema knows, of a name that looks like one that it knows."""
    for field in message.fields:
        known = _proto.message(type).get(field.name) if _known_message(type) else None
        if known is None and get_close_matches(field.name, _proto.message(type) if _known_message(type) else (), n=1):
            yield type, field
        elif known is not None and isinstance(field.value, Message):
            yield from _misspelt(known.type, field.value)


def _passed_over(field: Field) -> bool:
    """Whether a field of LayerParameter cannot matter: training, or the parameters of another BVLC or SSD type, which Caffe never reads."""
    if field.name in IRRELEVANT_OF_LAYER:
        return True
    known = _proto.message("LayerParameter").get(field.name)
    return known is not None and known.kind == "message" and not known.fork


def _known(type: str, name: str) -> bool:
    return bool(type) and _proto.has_message(type) and name in _proto.message(type)


def _unread_error(title: str, unread: Sequence[tuple[str, Field]]) -> UnsupportedError:
    type, field = unread[0]
    shown = (
        field.value.text
        if isinstance(field.value, Token)
        else "{...}"
        if isinstance(field.value, Message)
        else repr(field.value)
    )
    more = f" (and {', '.join(f.name for _, f in unread[1:])})" if len(unread) > 1 else ""
    if _known(type, field.name):
        problem = f"field '{field.name}: {shown}' is not used by this layer type{more}"
        fix = "remove the field if it changes nothing in the net that was trained"
    elif field.name.startswith("#"):
        problem = f"field {field.name[1:]} of {type or 'a message'} is not known in a binary net{more}"
        fix = "give the prototxt as well: it names the fields, whose numbers forks reuse"
    else:
        near = get_close_matches(field.name, _proto.message(type) if _known_message(type) else (), n=1)
        problem = f"field '{field.name}: {shown}' is not known in {type or 'this message'}{more}"
        fix = f"did you mean '{near[0]}'?" if near else "--ignore-unknown passes over fields of unknown meaning"
    return UnsupportedError(
        problem, layer=title, source=field.source, expected="a field that is known and used", fix=fix
    )


def _known_message(type: str) -> bool:
    return bool(type) and _proto.has_message(type)
