"""The proto is linted, and the generated code is that of the proto."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from google.protobuf import descriptor_pb2

from inkguard.wire.v1 import guard_pb2

ROOT = Path(__file__).parents[2]
BUF = str(Path(sys.executable).with_name("buf"))


def compiled(folder: Path) -> descriptor_pb2.FileDescriptorProto:
    """guard.proto as buf compiles it, without comments and the JSON names that protoc leaves out."""
    command = [BUF, "build", str(folder), "-o", "-#format=binpb", "--exclude-source-info"]
    image = subprocess.run(command, capture_output=True, check=True).stdout
    files = descriptor_pb2.FileDescriptorSet.FromString(image).file
    found = next(f for f in files if f.name == "guard/v1/guard.proto")
    clean = descriptor_pb2.FileDescriptorProto.FromString(found.SerializeToString())
    clean.DiscardUnknownFields()  # buf's own notes
    for message in clean.message_type:
        for field in [*message.field, *(f for n in message.nested_type for f in n.field)]:
            field.ClearField("json_name")
    return clean


def generated() -> descriptor_pb2.FileDescriptorProto:
    found = descriptor_pb2.FileDescriptorProto()
    guard_pb2.DESCRIPTOR.CopyToProto(found)
    return found


def test_buf_lint_finds_nothing() -> None:
    """Names, comments on everything, and versions are as buf asks."""
    result = subprocess.run(
        [BUF, "lint", str(ROOT / "protos")], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (0, "")


def test_the_generated_code_is_not_stale() -> None:
    """server/inkguard_server/_pb describes exactly what the proto says: run `make protos` where this fails."""
    assert compiled(ROOT / "protos") == generated()


def test_a_changed_proto_is_noticed(tmp_path: Path) -> None:
    """One field more, and the comparison above fails."""
    folder = tmp_path / "protos"
    shutil.copytree(ROOT / "protos", folder)
    proto = folder / "guard/v1/guard.proto"
    text = proto.read_text()
    proto.write_text(text.replace("  string model = 9;", "  string model = 9;\n  bool x = 10;"))
    assert proto.read_text() != text
    assert compiled(folder) != generated()
