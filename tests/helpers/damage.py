"""Damage to files: bits, pieces and lines anywhere; and numbers, fields and members where a format has them, everything around them
being put right again, so that what lies behind the first check of a reader is reached, too."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Sequence

from netsurgery.files.wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    MalformedError,
    fields,
    put_bytes,
    put_tag,
    put_varint,
)

WORDS = (
    b"{",
    b"}",
    b'"',
    b"[",
    b"]",
    b"#",
    b"\\",
    b":",
    b"\0",
    b"\xff",
    b"nan",
    b"-1",
    b"layer {",
    b"layers {",
    b'bottom: "x" ',
)
NUMBERS = (b"4294967295", b"2147483647", b"99999999", b"65536", b"255", b"7", b"0", b"-1", b"3.5")
HARD_NUMBERS = (*NUMBERS, b"1e39", b"9" * 5000, "\u00b2".encode(), b"-9223372036854775808", b"18446744073709551615")


def damaged(data: bytes, others: Sequence[bytes], rng: random.Random, text: bool) -> bytes:
    """The data with a few bits, bytes, pieces, lines or numbers changed."""
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        if not data:
            break
        at = rng.randrange(len(data))
        end = min(len(data), at + rng.choice((1, 10, 100, 1000)))
        match rng.randrange(10 if text else 7):
            case 0:
                data = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
            case 1:
                data = data[:at]
            case 2:
                other = rng.choice(others)
                begin = rng.randrange(len(other))
                data = data[:at] + other[begin : begin + rng.choice((10, 100, 10000))] + data[rng.choice((at, end)) :]
            case 3:
                data = data[:at] + data[end:]
            case 4:
                data = data[:at] + data[at:end] * rng.choice((2, 3, 10)) + data[end:]
            case 5:
                data = (
                    data[:at]
                    + bytes([rng.choice((0, 0x0A, 0x12, 0x7F, 0x80, 0xFF))]) * rng.choice((1, 2, 9))
                    + data[at + 1 :]
                )
            case 6:
                data = data[:at] + rng.randbytes(end - at if end - at < 20 else 20) + data[end:]
            case 7:
                data = data[:at] + rng.choice(WORDS) + data[at:]
            case 8:
                data = with_number(data, rng, NUMBERS)
            case 9:
                lines = data.split(b"\n")
                lines[rng.randrange(len(lines))] = rng.choice(rng.choice(others).split(b"\n"))
                data = b"\n".join(lines)
    return data


def with_number(data: bytes, rng: random.Random, numbers: Sequence[bytes] = HARD_NUMBERS) -> bytes:
    """One of the numbers in a text replaced."""
    places = list(re.finditer(rb"\d+", data))
    if not places:
        return data
    number = rng.choice(places)
    return data[: number.start()] + rng.choice(numbers) + data[number.end() :]


def damaged_message(data: bytes, rng: random.Random) -> bytes:
    """A message of protobuf with fields dropped, doubled, moved or given other values, all lengths right."""
    tree = _tree(data, 0)
    if not isinstance(tree, list):
        return data
    for _ in range(rng.choice((1, 1, 2, 4))):
        _damage_fields(tree, rng)
    return _bytes(tree)


Tree = "list[list[object]] | bytes"


def _tree(data: bytes, depth: int) -> object:
    """Fields as [number, wire type, value], messages within as such; bytes for what is no message."""
    if depth > 6 or len(data) > 100_000:
        return data
    try:
        found: list[list[object]] = []
        for number, wire, begin, end in fields(data, 0, len(data)):
            raw = data[begin:end]
            inner = _tree(raw, depth + 1) if wire == BYTES and raw and not raw.isalnum() else raw
            found.append([number, wire, inner])
    except MalformedError:
        return data
    return found


def _damage_fields(tree: list[list[object]], rng: random.Random) -> None:
    if not tree:
        return
    at = rng.randrange(len(tree))
    number, wire, value = tree[at]
    if isinstance(value, list) and rng.random() < 0.8:
        _damage_fields(value, rng)
        return
    match rng.randrange(7):
        case 0:
            del tree[at]
        case 1:
            tree.insert(rng.randrange(len(tree) + 1), tree[at])
        case 2:
            tree[at] = [rng.choice((1, 2, 3, 4, 5, 7, 9, 10, 12, 100, 536870911, number)), wire, value]
        case 3:
            other = rng.randrange(len(tree))
            tree[at], tree[other] = tree[other], tree[at]
        case 4:
            tree[at] = [number, rng.choice((VARINT, FIXED32, FIXED64, BYTES)), b"\xff\xff\xff\xff"]
        case 5:
            limits = (0, 1, 127, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1, rng.randrange(300))
            tree[at] = [number, VARINT, put_varint(rng.choice(limits))]
        case _:
            names = (b"", b"\xff\xfe", b"x" * rng.choice((1, 300, 70_000)), b"../../x", b"\x1b[2J\n", b"data", b"conv")
            tree[at] = [number, BYTES, rng.choice(names)]


def _bytes(tree: object) -> bytes:
    if isinstance(tree, bytes):
        return tree
    out = b""
    for number, wire, value in tree:  # type: ignore[attr-defined]
        raw = _bytes(value)
        if wire == BYTES:
            out += put_bytes(number, raw)
        else:
            width = {FIXED32: 4, FIXED64: 8}.get(wire)
            raw = raw if width is None else raw[:width].ljust(width, b"\0")
            out += put_tag(number, wire) + (raw if raw and (width or raw[-1] < 0x80) else b"\0")
    return out


def damaged_npy(data: bytes, rng: random.Random) -> bytes:
    """A .npy file with another header, its length right."""
    end = 10 + struct.unpack("<H", data[8:10])[0] if len(data) > 10 else 0
    header, values = data[10:end], data[end:]
    match rng.randrange(6):
        case 0:
            header = with_number(header, rng)
        case 1:
            kinds = (b"|O", b"<f8", b">f4", b"<U7", b"|S3", b"<M8[s]", b"|V5", b"<c16", b"<f2", b"x", b"<U0", b"<f16")
            header = re.sub(rb"'descr': '[^']*'", b"'descr': '" + rng.choice(kinds) + b"'", header)
        case 2:
            shapes = (b"()", b"(0,)", b"(-1,)", b"(99999999999,)", b"(2147483647, 2147483647)", b"3", b"(1.5,)", b"[2]")
            header = re.sub(rb"'shape': [^}]*?\)", b"'shape': " + rng.choice(shapes), header)
        case 3:
            header = rng.choice((b"", b"{}", b"[" * 5000, b"{'a':" * 300, b"\xff" * 30, b"__import__('os')", b"(" * 90))
        case 4:
            header = damaged(header, [header], rng, text=True)
        case 5:
            values = values[: rng.randrange(len(values) + 1)]
    return data[:8] + struct.pack("<H", len(header) & 0xFFFF) + header[:65535] + values


def damaged_zip(data: bytes, rng: random.Random) -> bytes:
    """A .npz file with other members, its directory and checksums right; or with a directory that says something else."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
    except Exception:
        return data
    at = rng.randrange(len(members)) if members else 0
    if members:
        name, content = members[at]
        match rng.randrange(6):
            case 0 | 1:
                members[at] = name, damaged_npy(content, rng)
            case 2:
                names = ("", "../x.npy", "/x.npy", "netsurgery.npy", "0/in/\x1b.npy", "0/out/x.npy", "x" * 300, "\xff")
                members[at] = rng.choice(names), content
            case 3:
                members.append(members[at])
            case 4:
                del members[at]
            case 5:
                record = rng.choice(
                    (b"[]", b"{", b'{"versions": 3}', b'{"sha256": {"x": 1}}', b"[" * 3000, b"\xff\xff")
                )
                array = record.decode("latin-1")
                made = io.BytesIO()
                import numpy as np

                np.save(made, np.array(array))
                members.append(("netsurgery.npy", made.getvalue()))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name or "x"), content)
    made_zip = out.getvalue()
    if rng.random() < 0.3:  # a directory that lies
        end = made_zip.rfind(b"PK\x01\x02")
        at = max(end, 0) + rng.choice((10, 16, 20, 24, 28, 30, 42))
        made_zip = made_zip[:at] + rng.choice((b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\x63\0\0\0")) + made_zip[at + 4 :]
    return made_zip


def damaged_safetensors(data: bytes, rng: random.Random) -> bytes:
    """A .safetensors file with another header, its length right."""
    (length,) = struct.unpack("<Q", data[:8])
    header, values = data[8 : 8 + length], data[8 + length :]
    match rng.randrange(4):
        case 0:
            header = with_number(header, rng)
        case 1:
            kinds = (b"BF16", b"F64", b"I64", b"BOOL", b"F8_E4M3", b"F16", b"X", b"U64")
            header = re.sub(rb'"dtype": ?"[^"]*"', b'"dtype":"' + rng.choice(kinds) + b'"', header, count=1)
        case 2:
            header = damaged(header, [header], rng, text=True)
        case 3:
            header = rng.choice(
                (b"[]", b"{}", b"[" * 5000, b'{"__metadata__": {"a": 1}}', json.dumps({"a": None}).encode())
            )
    return struct.pack("<Q", len(header)) + header + values


def damaged_png(data: bytes, rng: random.Random) -> bytes:
    """A PNG with other chunks, their lengths and checksums right."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    if not chunks:
        return data
    i = rng.randrange(len(chunks))
    kind, body = chunks[i]
    match rng.randrange(5):
        case 0:
            chunks[i] = kind, damaged(body, [body or b"\0"], rng, text=False)
        case 1:
            sizes = (0, 1, 16, 70_000, 2**31 - 1, 2**32 - 1)
            head = struct.pack(">II", rng.choice(sizes), rng.choice(sizes))
            chunks[0] = chunks[0][0], head + bytes(rng.choice((0, 1, 2, 3, 4, 6, 8, 16)) for _ in range(2)) + b"\0\0\0"
        case 2:
            chunks.insert(i, chunks[i])
        case 3:
            del chunks[i]
        case 4:
            kinds = (b"tRNS", b"PLTE", b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"gAMA", b"cHRM")
            bodies = (b"", rng.randbytes(9), b"a\0\0" + zlib.compress(b"\0" * 100_000), b"II*\0" + rng.randbytes(30))
            chunks.insert(rng.randrange(1, len(chunks) + 1), (rng.choice(kinds), rng.choice(bodies)))
    out = data[:8]
    for kind, body in chunks:
        out += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return out
