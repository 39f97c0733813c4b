"""What a file is that is no Caffe model, told by how it begins."""

from __future__ import annotations

import re

from .wire import Buffer

_PROTOTXT, _TEXT, _ONNX = "this looks like a prototxt", "is a text file", "this looks like an ONNX model"

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

_STARTS = (
    (b"version https://git-lfs", "is a Git LFS pointer, not the model", "run `git lfs pull` in its repository"),
    (b"PK\x03\x04", "is a zip archive (or a PyTorch model)", "unpack it first"),
    (b"\x1f\x8b", "is a gzip archive", "unpack it first"),
    (b"BZh", "is a bzip2 archive", "unpack it first"),
    (b"\xfd7zXZ", "is an xz archive", "unpack it first"),
    (b"7z\xbc\xaf", "is a 7z archive", "unpack it first"),
    (b"Rar!", "is a RAR archive", "unpack it first"),
    (b"\x89PNG", "is a PNG picture", ""),
    (b"\xff\xd8\xff", "is a JPEG picture", ""),
    (b"\x93NUMPY", "is a NumPy array", ""),
)


HEAD = 1024
"""Bytes at the beginning of a file within which it shows what it is."""


def is_binary(head: bytes) -> bool:
    """Whether a file that begins so is no text: it holds control characters. UTF-16, which is full of them, counts as text."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or (len(head) > 3 and head[1:2] == head[3:4] == b"\0" != head[:1]):
        return False
    return re.search(rb"[\x00-\x08\x0e-\x19\x1b-\x1f]", head) is not None


def is_netdef(path: str) -> bool:
    """Whether a name is that of a NetDef of Caffe2's: .pb, or .pbtxt."""
    return path.lower().endswith((".pb", ".pbtxt"))


def describe_wrong_text(head: bytes) -> tuple[str, str] | None:
    """(what it is, what to do) for text that is surely no prototxt: a pointer of Git LFS, a web page."""
    description = describe_wrong_file(head)
    if description is None or description[0] in (_PROTOTXT, _TEXT):
        return None
    return description[0], description[2]


def is_hdf5(data: Buffer) -> bool:
    """Whether `data` is an HDF5 file (which may begin with a user block of 512 bytes, or a power of two of them)."""
    return any(data[at : at + 8] == HDF5_SIGNATURE for at in (0, 512, 1024, 2048, 4096, 8192))


def describe_wrong_file(data: Buffer) -> tuple[str, str, str] | None:
    """(what it is, what was expected, what to do) if `data` begins like what is surely no binary NetParameter."""
    expected = "a .caffemodel (binary)"
    head = bytes(data[:HEAD])
    for start, problem, fix in _STARTS:
        if head.startswith(start):
            return problem, expected, fix
    if _is_text(head):
        if re.match(r"\s*<(!doctype|html|\?xml)", head.decode("utf-8", "replace"), re.IGNORECASE):
            return "is a web page, not a model", expected, "download the file itself"
        if re.search(rb"(?m)^\s*[A-Za-z_]\w*\s*[:{]", head):
            return _PROTOTXT, expected, "were the two files swapped?"
        return _TEXT, expected, ""
    # A NetParameter's field 1 is its name, a string; these begin with a number in field 1.
    if head[:1] == b"\x08":
        if head[2:3] == b"\x10":
            return "is a single blob (a mean image, .binaryproto)", expected, "give it as the mean"
        if _second_string(head).endswith((b".caffemodel", b".caffemodel.h5")):
            return "is a .solverstate", expected, "give the .caffemodel that was saved beside it"
        return _ONNX, expected, "give the Caffe model that it was made from"
    return None


def is_onnx(head: bytes) -> bool:
    """Whether a binary file that begins so looks like an ONNX model."""
    description = describe_wrong_file(head)
    return description is not None and description[0] == _ONNX


def _second_string(head: bytes) -> bytes:
    """Field 2, a string, of a message that begins with a number: a .solverstate names its caffemodel there, a model its maker."""
    match = re.match(rb"\x08[\x80-\xff]*[\x00-\x7f]\x12([\x00-\x7f]|[\x80-\xff][\x00-\x7f])", head, re.DOTALL)
    if match is None:
        return b""
    size = match[1][0] if len(match[1]) == 1 else (match[1][0] & 127) | match[1][1] << 7
    return head[match.end() : match.end() + size]


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character may be cut in two at the end of what was looked at.
        if error.start < len(head) - 3 or len(head) < HEAD:
            return False
        text = head[: error.start].decode("utf-8")
    return re.search(r"[\x00-\x08\x0e-\x1f]", text) is None
