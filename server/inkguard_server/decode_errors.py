"""Which field of a request could not be decoded: protobuf itself only says that something could not."""

from __future__ import annotations

import functools
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from inkguard.errors import InvalidInput
from inkguard.wire.v1 import guard_pb2 as pb

__all__ = ["why_undecodable"]


@functools.cache
def _twin(name: str) -> Any:
    """The message class `name` of our proto with bytes in place of every string."""
    file = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    for message in file.message_type:
        for field in message.field:
            if field.type == field.TYPE_STRING:
                field.type = field.TYPE_BYTES
    pool = descriptor_pool.DescriptorPool()
    for dependency in pb.DESCRIPTOR.dependencies:
        pool.AddSerializedFile(dependency.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def why_undecodable(request_class: Any, data: bytes) -> InvalidInput:
    """The error for a request that `request_class` cannot parse; it names a field that is not UTF-8."""
    try:
        message = _twin(request_class.DESCRIPTOR.full_name).FromString(data)
    except DecodeError:
        return InvalidInput("request", f"not a {request_class.DESCRIPTOR.name}")
    for field, value in message.ListFields():
        if isinstance(value, bytes):
            try:
                value.decode("utf-8")
            except UnicodeDecodeError as error:
                return InvalidInput(field.name, f"not UTF-8: byte {error.start} of {len(value)}")
    return InvalidInput("request", f"not a {request_class.DESCRIPTOR.name}")
