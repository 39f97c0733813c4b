"""What the layers have in common that stand for a layer written in Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...options import whole_number
from ..core import LayerType, Params, ParamStr


def settings(p: Params, title: str, *names: str) -> dict[str, Any]:
    """The entries of the layer's param_str, which must be among `names`.

    Raises: ParseError, UnsupportedError."""
    q = p.message("python_param")
    q.ignore("module", "layer", "share_in_parallel", why="they chose this class")
    values = ParamStr(q.get_str("param_str"), title, q.place("param_str")).read() if q.has("param_str") else {}
    if odd := [name for name in values if name not in names]:
        raise q.refuse(
            "param_str",
            f"param_str has '{odd[0]}', which this layer does not read",
            expected=" and ".join(names) if names else "none",
        )
    return values


def sizes(p: Params, values: dict[str, Any], name: str, usual: Sequence[float] = ()) -> list[float]:
    """A list of positive numbers among the entries of param_str, `usual` where it is not there.

    Raises: UnsupportedError if it is something else."""
    value = values.get(name, list(usual))
    if isinstance(value, list) and value and all(_is_size(v) for v in value):
        return value
    problem = f"{name} in param_str is {'not there' if name not in values else value}"
    raise p.message("python_param").refuse("param_str", problem, expected=f"positive numbers: '{name}': [8, 16, 32]")


def size(p: Params, values: dict[str, Any], name: str, usual: float | None = None) -> float:
    """A positive number among the entries of param_str. Raises: UnsupportedError if it is something else."""
    value = values.get(name, usual)
    if isinstance(value, (int, float)) and _is_size(value):
        return value
    problem = f"{name} in param_str is {'not there' if value is None else value}"
    raise p.message("python_param").refuse("param_str", problem, expected=f"a positive number: '{name}': 16")


def _is_size(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 2**31


def whole_numbers(value: object) -> list[int]:
    """The numbers of an entry like 4,8,16, which YAML takes for a word; empty if it is none."""
    numbers = [whole_number(part) for part in str(value).split(",")]
    return [n for n in numbers if n is not None] if None not in numbers else []


class NoSettings(LayerType):
    """A layer that reads no param_str."""

    def read(self, p: Params) -> None:
        why = "they chose this class, which reads no more"
        p.message("python_param").ignore("module", "layer", "share_in_parallel", "param_str", why=why)
