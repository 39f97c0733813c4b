"""Field accounting: a layer reads its parameters through Params, which remembers what was asked. What nobody asked for is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ... import _proto
from ...errors import NetsurgeryError, ParseError, Source, UnsupportedError
from ...message import Field, Message, Token, float32
from .fillers import Filler
from .suggest import meant_field

_FILL = "fills blobs that training starts from"
_HOW = "chooses an implementation, not what is computed"
_PRECISION = "chooses the precision of an implementation; here all is float32"
_QUANTIZES = "says how an implementation may quantize; here all is float32"
_TRAINS = "steers training"
_LOADED = "applied on loading"

IRRELEVANT = {
    # Fields of any message at any depth that cannot change what a net computes in the TEST phase, each with the reason.
    "weight_filler": _FILL,
    "bias_filler": _FILL,
    "filler": _FILL,
    "scale_filler": _FILL,
    "shift_filler": _FILL,
    "slope_filler": _FILL,
    "mean_filler": _FILL,
    "variance_filler": _FILL,
    "blob_filler": _FILL,
    "engine": _HOW,
    "force_nd_im2col": _HOW,
    "conv_algorithm": _HOW,
    "conv_algos_override": _HOW,
    "cudnn_convolution_algo_seeker": _HOW,
    "cudnn_flavor": _HOW,
    "stats_batch_size": _TRAINS,
}
IRRELEVANT_OF_LAYER = {
    # Fields of LayerParameter itself.
    "include": _LOADED,
    "exclude": _LOADED,
    "phase": _LOADED,
    "param": "learning rates, and shared names that are applied on loading",
    "loss_weight": "weighs losses in training",
    "propagate_down": _TRAINS,
    "blobs_lr": _TRAINS,
    "weight_decay": _TRAINS,
    "mn_grad_compress_param": _TRAINS,
    "autotune": _HOW,
    "bottom_shared_index": _HOW,
    "cudnn_math_override": _HOW,
    "debug": "logs",
    "device": _HOW,
    "mn_activation_param": _HOW,
    "multinode": _HOW,
    "reshape_every_iter": _HOW,
    "top_shared_index": _HOW,
    "backward_math": _TRAINS,
    "backward_type": _TRAINS,
    "bottom_data_type": _PRECISION,
    "compute_data_type": _PRECISION,
    "forward_math": _PRECISION,
    "forward_type": _PRECISION,
    "top_data_type": _PRECISION,
    "blobs_quantizer": _QUANTIZES,
    "bottom_quantizer": _QUANTIZES,
    "net_quantizer": _QUANTIZES,
    "quantization_param": _QUANTIZES,
    "top_quantizer": _QUANTIZES,
}
IRRELEVANT_OF_NET = {
    # Fields of NetParameter itself.
    "name": "the net's name",
    "layer": _LOADED,
    "state": _LOADED,
    "force_backward": _TRAINS,
    "debug_info": "logs",
    "autotune": _HOW,
    "bn_stats_batch_size": _TRAINS,
    "compile_net_state": _HOW,
    "data_type": _PRECISION,
    "default_backward_math": _TRAINS,
    "default_backward_type": _TRAINS,
    "default_conv_algos_override": _HOW,
    "default_cudnn_math_override": _HOW,
    "default_forward_math": _PRECISION,
    "default_forward_type": _PRECISION,
    "eltwise_mem_sharing": _HOW,
    "engine": _HOW,
    "global_grad_scale": _TRAINS,
    "global_grad_scale_adaptive": _TRAINS,
    "mem_param": _HOW,
    "multinode": _HOW,
    "quantizer": _QUANTIZES,
    "reduce_buckets": _TRAINS,
    "richness": _HOW,
    "reduced_memory_inference": _HOW,
}


class Params:
    """The fields of one message of a layer, typed by the schema, with its defaults.

    Every `get_*` takes `default=`, for fields whose default depends on the layer or which no schema knows.
    """

    def __init__(
        self,
        message: Message,
        type: str,
        title: str,
        source: Source,
        own: Mapping[str, Any] | None = None,
        tops: Sequence[str] = (),
    ) -> None:
        self.type, self.title, self.source, self.tops = type, title, source, tops
        self._message = message
        self._names = {f.name for f in message.fields}
        self._own = dict(
            own or {}
        )  # what a user's own layer declares: field -> default, or message -> {field: default}
        self._asked: set[str] = set()
        self._inner: list[Params] = []
        self.messages_read: list[str] = []

    def has(self, name: str) -> bool:
        """Whether the file sets the field. Counts as asking for it."""
        self._asked.add(name)
        return name in self._names

    def sets(self, message: str, *names: str) -> bool:
        """Whether the file sets one of these fields of an inner message. Does not count as asking for it."""
        inner = [m for m in self._message.all(message) if isinstance(m, Message)]
        return any(m.has(name) for m in inner for name in names)

    def get_int(self, name: str, default: int | None = None) -> int:
        return int(self._scalar(name, "int32", default))

    def get_float(self, name: str, default: float | None = None) -> float:
        return float(self._scalar(name, "float", default))

    def get_bool(self, name: str, default: bool | None = None) -> bool:
        return bool(self._scalar(name, "bool", default))

    def get_str(self, name: str, default: str | None = None) -> str:
        """A string, or the name of an enum value."""
        return str(self._scalar(name, "string", default))

    def get_positive(self, name: str, default: int | None = None) -> int:
        """`get_int`. Raises: UnsupportedError unless it is 1 or more."""
        value = self.get_int(name, default)
        if value < 1:
            raise self.refuse(name, f"{name} is {value}", expected="a positive number")
        return value

    def get_ints(self, name: str) -> tuple[int, ...]:
        return tuple(int(v) for v in self._values(name, "int32"))

    def get_floats(self, name: str) -> tuple[float, ...]:
        return tuple(float(v) for v in self._values(name, "float"))

    def get_strs(self, name: str) -> tuple[str, ...]:
        return tuple(str(v) for v in self._values(name, "string"))

    def message(self, name: str) -> Params:
        """The message of that name; where the file does not set it, one in which nothing is set."""
        messages = self.messages(name)
        return messages[-1] if messages else self._inner_params(name, Message(place=self.source))

    def messages(self, name: str) -> list[Params]:
        """Every message of a repeated field."""
        self._asked.add(name)
        self.messages_read.append(name)
        inner = [self._inner_params(name, v) for v in self._message.all(name) if isinstance(v, Message)]
        self._inner += inner
        return inner

    def filler(self, name: str, usual: float = 0.0) -> Filler:
        """How a blob is filled; where the file does not say it, with the constant `usual`. It is checked when numbers are drawn."""
        self._asked.add(name)
        messages = [v for v in self._message.all(name) if isinstance(v, Message)]
        if not messages:
            return Filler(value=usual, usual=usual)
        q = self._inner_params(name, messages[-1])
        schema = _proto.message("FillerParameter")
        return Filler(
            type=q.get_str("type", "constant"),
            value=q.get_float("value", 0.0),
            min=q.get_float("min", 0.0),
            max=q.get_float("max", 1.0),
            mean=q.get_float("mean", 0.0),
            std=q.get_float("std", 1.0),
            sparse=q.get_int("sparse", -1),
            variance_norm=q.get_str("variance_norm", "FAN_IN"),
            usual=usual,
            written=True,
            unknown=tuple(f.name for f in messages[-1].fields if f.name not in schema or schema[f.name].fork),
            source=q.source,
        )

    def ignore(self, *names: str, why: str) -> None:
        """Declares that these fields do not matter to what the layer computes, and why."""
        if not why:
            raise AssertionError("a field is ignored for a reason")
        self._asked.update(names)

    def everything(self) -> dict[str, Any]:
        """Every field that the file sets, that of parameter messages included, under its own name: numbers, strings, and lists of them.
        All count as asked for. Fields that cannot matter are left out."""
        by_name: dict[str, Any] = {}
        for field in self._message.fields:
            self._asked.add(field.name)
            if field.name in IRRELEVANT or (self.type == "LayerParameter" and field.name in IRRELEVANT_OF_LAYER):
                continue
            if isinstance(field.value, Message):
                inner = self._inner_params(field.name, field.value)
                by_name |= inner.everything()
                continue
            value = _plain(field.value)
            if field.name in by_name:
                before = by_name[field.name]
                value = [*(before if isinstance(before, list) else [before]), value]
            by_name[field.name] = value
        return by_name

    def refuse(self, name: str, problem: str, *, expected: str = "", fix: str = "") -> UnsupportedError:
        """The error that refuses a field's value, with its place, to be raised."""
        return UnsupportedError(problem, layer=self.title, source=self.place(name), expected=expected, fix=fix)

    def place(self, name: str) -> Source:
        """Where the file sets the field."""
        return next((f.source for f in self._message.fields if f.name == name and f.source.line), self.source)

    def unread(self) -> Iterator[tuple[str, Field]]:
        """The fields that the file sets and that nobody asked for, each with the message's type. Irrelevant ones are left out."""
        for field in self._message.fields:
            if field.name not in self._asked and field.name not in IRRELEVANT:
                yield self.type, field
        for inner in self._inner:
            yield from inner.unread()

    def meant(self, field: Field) -> str | None:
        """What the type asks for and the file lacks, of a name that `field`, which nobody asked for, looks like."""
        if all(f is not field for f in self._message.fields):
            return next((name for inner in self._inner if (name := inner.meant(field))), None)
        if field.name in self._asked or field.name in _proto.fields(self.type):
            return None
        return meant_field(field.name, sorted(self._asked - self._names), ())

    def _inner_params(self, name: str, message: Message) -> Params:
        field = _proto.fields(self.type).get(name)
        own = self._own.get(name)
        place = message.source if message.source.line else self.source
        return Params(message, field.type if field else "", self.title, place, own if isinstance(own, dict) else None)

    def _scalar(self, name: str, kind: str, default: Any) -> Any:
        values = self._values(name, kind)
        if values:
            return values[-1]
        if default is not None:
            return default
        if name in self._own:
            return self._own[name]
        field = _proto.fields(self.type).get(name)
        if field is None or field.default is None:
            slip = next((f.name for f in self._message.fields if self.meant(f) == name), "")
            raise NetsurgeryError(
                f"field '{name}' is not set",
                layer=self,
                expected="a value: the field has no default",
                fix=f"'{slip}' is set, which nobody asked for: did you mean '{name}'?" if slip else "",
            )
        return field.default

    def _values(self, name: str, kind: str) -> list[Any]:
        self._asked.add(name)
        if name not in self._names:
            return []
        return [self._typed(f, kind) for f in self._message.fields if f.name == name]

    def _typed(self, field: Field, kind: str) -> Any:
        """The value of a field that no schema knows, as the layer wants it."""
        value = field.value
        if isinstance(value, Token):
            try:
                if kind == "int32":
                    return int(value.text, 0)
                if kind == "float":
                    return float32(float(value.text.rstrip("fF") if value.kind == "number" else value.text))
                if kind == "bool":
                    return {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}[
                        value.text.lower()
                    ]
                return value.text
            except (ValueError, KeyError):
                pass
        elif not isinstance(value, Message):
            return value
        raise ParseError(
            f"field '{field.name}' has the value {value.text if isinstance(value, Token) else '{...}'}",
            layer=self.title,
            source=field.source,
            expected={"int32": "a whole number", "float": "a number", "bool": "true or false"}.get(kind, "a string"),
        )


def _plain(value: Any) -> Any:
    """The value of a field, also where no schema says its type."""
    if not isinstance(value, Token):
        return int(value) if isinstance(value, bool) else value
    if value.kind != "number":
        return {"true": 1, "false": 0}.get(value.text, value.text) if value.kind == "name" else value.text
    try:
        return int(value.text, 0)
    except ValueError:
        return float32(float(value.text.rstrip("fF")))
