"""The messages in which YMIR kept a revision, those of all its releases at once: no number ever meant two fields."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from schemas.errors import Invalid

PACKAGE: Final = "mir.command"
# Field by field: its number, and its type; `[…]` is a list, `{…}` a map from text.
_MESSAGES: Final[Mapping[str, Mapping[str, tuple[int, str]]]] = {
    "MirMetadatas": {"attributes": (1, "{MetadataAttributes}")},
    "MetadataAttributes": {
        "tvt_type": (3, "int32"),
        "width": (5, "int32"),
        "height": (6, "int32"),
        "origin_filename": (9, "string"),
    },
    # 1 and 2 until 1.1, the others since 1.2.
    "MirAnnotations": {
        "task_annotations": (1, "{SingleTaskAnnotations}"),
        "head_task_id": (2, "string"),
        "ground_truth": (3, "SingleTaskAnnotations"),
        "prediction": (4, "SingleTaskAnnotations"),
        "image_cks": (5, "{SingleImageCks}"),
    },
    "SingleTaskAnnotations": {
        "image_annotations": (1, "{SingleImageAnnotations}"),
        "type": (3, "int32"),
        "eval_class_ids": (10, "[int32]"),
        "model": (11, "ModelMeta"),
        "executor_config": (12, "string"),
    },
    "SingleImageAnnotations": {
        "boxes": (2, "[ObjectAnnotation]"),
        "polygons": (3, "[ObjectAnnotation]"),
        "mask": (4, "MaskAnnotation"),
    },
    "MaskAnnotation": {"semantic_mask": (1, "bytes"), "instance_mask": (2, "bytes")},
    "SingleImageCks": {"cks": (1, "{string}"), "image_quality": (2, "float")},
    "ObjectAnnotation": {
        "box": (2, "Rect"),
        "class_id": (3, "int32"),
        "score": (4, "double"),
        "anno_quality": (5, "float"),
        "tags": (6, "{string}"),
        "class_name": (9, "string"),
        "polygon": (10, "[IntPoint]"),
        "mask": (11, "string"),
        "iscrowd": (12, "int32"),
        "prompt": (15, "string"),
    },
    "Rect": {
        "x": (1, "int32"),
        "y": (2, "int32"),
        "w": (3, "int32"),
        "h": (4, "int32"),
        "rotate_angle": (5, "float"),
    },
    "IntPoint": {"x": (1, "int32"), "y": (2, "int32")},
    "MirKeywords": {"keywords": (1, "{Keywords}")},
    "Keywords": {"customized_keywords": (2, "[string]")},
    "MirTasks": {"tasks": (1, "{Task}"), "head_task_id": (2, "string")},
    "Task": {
        "type": (1, "int32"),
        "name": (2, "string"),
        "timestamp": (5, "int64"),
        "model": (6, "ModelMeta"),
        "return_code": (8, "int32"),
        "return_msg": (9, "string"),
        "src_revs": (104, "string"),
        "executor": (106, "string"),
    },
    "ModelMeta": {
        "model_hash": (1, "string"),
        "best_stage_name": (5, "string"),
        "class_names": (6, "[string]"),
    },
}
_SCALARS: Final = {
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}


def parsed(message: str, data: bytes, *, name: str) -> Any:  # noqa: ANN401 - made at run time
    """Return a message read from its bytes; raise Invalid naming the file that they are."""
    try:
        return message_class(message).FromString(data)
    except DecodeError as error:
        step = "Restore the repository from a back-up, or leave the revision out with --revs."
        raise Invalid(f"{name} is damaged: {error}.", step=step) from None


@cache
def message_class(message: str) -> Any:  # noqa: ANN401 - made at run time
    """Return the class of a message."""
    return GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{message}"))


@cache
def _pool() -> DescriptorPool:
    file = FileDescriptorProto(name="mir_command.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _add_field(message, field, number, kind)
    pool = DescriptorPool()
    pool.Add(file)
    return pool


def _add_field(message: DescriptorProto, name: str, number: int, kind: str) -> None:
    inner = kind.strip("[]{}")
    field = message.field.add(name=name, number=number)
    field.label = field.LABEL_OPTIONAL if inner == kind else field.LABEL_REPEATED
    if kind.startswith("{"):
        inner = f"{message.name}.{''.join(word.capitalize() for word in name.split('_'))}Entry"
        entry = message.nested_type.add(name=inner.rpartition(".")[2])
        entry.options.map_entry = True
        _add_field(entry, "key", 1, "string")
        _add_field(entry, "value", 2, kind.strip("{}"))
    if inner in _SCALARS:
        field.type = _SCALARS[inner]
    else:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{PACKAGE}.{inner}"
