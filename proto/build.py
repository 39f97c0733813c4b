"""Compile every schema of this folder to the descriptor set that the package ships.

`python proto/build.py` writes netsurgery/_proto/<name>.binpb; `--check` writes nothing and exits 1 when one is missing
or stale. Only the descriptors are compared, so that any version of protoc will do. Needs grpcio-tools.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorSet

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "netsurgery" / "_proto"


def compile_schema(source: Path) -> FileDescriptorSet:
    """The descriptors of one .proto file; exits with protoc's message when it is wrong."""
    from grpc_tools import protoc  # type: ignore[import-untyped,unused-ignore]

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.binpb"
        arguments = ["protoc", f"-I{source.parent}", f"--descriptor_set_out={out}", source.name]
        if protoc.main(arguments):
            sys.exit(f"protoc refused {source}")
        descriptors = FileDescriptorSet.FromString(out.read_bytes())
    for file in descriptors.file:
        for message in file.message_type:
            _drop_json_names(message)
    return descriptors


def _drop_json_names(message: DescriptorProto) -> None:
    """Remove what protoc adds for JSON: a fifth of the bytes, and nothing here reads it."""
    for field in message.field:
        field.ClearField("json_name")
    for nested in message.nested_type:
        _drop_json_names(nested)


def is_current(source: Path) -> bool:
    """Whether the committed descriptors are those of the source."""
    target = TARGET / f"{source.stem}.binpb"
    return target.exists() and FileDescriptorSet.FromString(target.read_bytes()) == compile_schema(source)


def main(arguments: list[str]) -> int:
    """Build or check every schema of this folder; the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: build.py [--check]", file=sys.stderr)
        return 2
    stale = 0
    for source in sorted(HERE.glob("*.proto")):
        if arguments:
            if not is_current(source):
                print(f"{source.name}: netsurgery/_proto/{source.stem}.binpb is stale, run python proto/build.py")
                stale = 1
        else:
            target = TARGET / f"{source.stem}.binpb"
            target.write_bytes(compile_schema(source).SerializeToString(deterministic=True))
            print(f"wrote {target.relative_to(HERE.parent)}")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
