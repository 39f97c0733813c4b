"""What netsurgery leaves in a NetDef of the layers that became several operators, so that they come back as what they were.

    arg { name: "netsurgery.layer:lstm1"  s: "layer { ... }"  ints: 3  ints: 41  strings: <hash>  strings: "lstm1_x_w" ... }

`ints` are the first operator and how many there are, `strings` a hash of these operators and the parameters that hold the layer's blobs.
Where the operators are not those that were written any more, the text counts for nothing. Caffe2 passes over arguments that it does not
know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

SHAPE, FREE, LAYER = "netsurgery.shape:", "netsurgery.free:", "netsurgery.layer:"
"""Names of the net's arguments: the declared shape of an input, which axes of it are free, and a layer."""


@dataclass(frozen=True)
class Group:
    """Operators that are one layer."""

    text: str
    first: int
    count: int
    blobs: tuple[str, ...]
    operators: tuple[Any, ...]

    def wiring(
        self, names: Sequence[tuple[list[str], list[str]]]
    ) -> Iterator[tuple[list[str], list[str], tuple[str, ...]]]:
        """Of each operator: its inputs and outputs by the names of the Net, and both as the NetDef has them."""
        for op, (read, written) in zip(self.operators, names[self.first : self.first + self.count], strict=True):
            yield read, written, (*op.input, *op.output)


def tell_group(net: Any, name: str, text: str, first: int, count: int, blobs: Sequence[str]) -> None:
    """Adds the argument that tells a layer."""
    argument = net.arg.add(name=f"{LAYER}{name}", s=text.encode("utf-8", "surrogateescape"), ints=(first, count))
    argument.strings.extend([digest(net.op[first : first + count]), *(blob.encode() for blob in blobs)])


def groups(net: Any) -> list[Group]:
    """The layers that a NetDef tells of, as far as their operators are those that were written."""
    intact = []
    for argument in net.arg:
        if not argument.name.startswith(LAYER) or len(argument.ints) != 2 or not argument.strings:
            continue
        first, count = argument.ints
        operators = net.op[first : first + count] if first >= 0 and count > 0 else []
        if len(operators) == count and digest(operators) == argument.strings[0]:
            blobs = tuple(blob.decode("utf-8", "replace") for blob in argument.strings[1:])
            text = argument.s.decode("utf-8", "replace")
            intact.append(Group(text, first, count, blobs, tuple(operators)))
    return intact


def digest(operators: Sequence[Any]) -> bytes:
    whole = hashlib.sha256()
    for op in operators:
        data = op.SerializeToString(deterministic=True)
        whole.update(len(data).to_bytes(8, "little") + data)
    return whole.hexdigest()[:32].encode()
