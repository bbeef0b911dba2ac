"""How values are written on the command line."""

import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pydantic import JsonValue
from pydantic_core import from_json

from schemas.exchange_parameters import ImportSource
from schemas.model_parameters import ModelStage
from schemas.refs import Source
from schemas.splits import Split

Reader = Callable[[str], Any]

SPLITS: Final[Mapping[str, Split]] = {"tr": Split.TRAINING, "va": Split.VALIDATION, "te": Split.TEST}
URL: Final = re.compile(r"[a-z][a-z0-9+]*://.", re.IGNORECASE)


def read_json(text: str) -> JsonValue:
    """Return what a JSON text says; what is none is taken as the text itself."""
    try:
        value: JsonValue = from_json(text, allow_inf_nan=False)
    except ValueError:
        return text
    return value


def listed(item: Reader) -> Reader:
    """Return what reads a list, written with commas or semicolons: no name or ref has one."""

    def read(text: str) -> list[Any]:
        return [item(part.strip()) for part in re.split("[,;]", text) if part.strip()]

    return read


def one_of(values: Sequence[str]) -> Reader:
    """Return what reads one of some words."""

    def read(text: str) -> str:
        if text not in values:
            raise ArgumentTypeError(f"{text!r} is none of {', '.join(values)}")
        return text

    return read


def pair(text: str) -> dict[str, JsonValue]:
    """Return what ``KEY=VALUE`` says; a value that is JSON is taken as that."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    return {key.strip(): read_json(value)}


def names(text: str) -> dict[str, JsonValue]:
    """Return what ``OLD=NEW`` says."""
    return {key: text.partition("=")[2].strip() for key in pair(text)}


def limits(text: str) -> list[float | None]:
    """Return the least and the greatest of ``10..500``, ``10..`` or ``..500``."""
    least, dots, greatest = text.partition("..")
    if not dots or not (least or greatest):
        raise ArgumentTypeError(f"{text!r} is not of the form LEAST..GREATEST, of which one may be left out")
    try:
        return [float(end) if end else None for end in (least, greatest)]
    except ValueError:
        raise ArgumentTypeError(f"{text!r} has an end that is no number") from None


def source(text: str) -> dict[str, str]:
    """Return the version that ``[tr:|va:|te:]name[@tag]`` names, and the split that all its images are put to."""
    before, colon, ref = text.rpartition(":")
    if not colon:
        return {"ref": ref}
    if before not in SPLITS:
        raise ArgumentTypeError(f"{text!r} begins with none of {', '.join(f'{split}:' for split in SPLITS)}")
    return {"ref": ref, "split": str(SPLITS[before])}


def model_stage(text: str) -> dict[str, str]:
    """Return the model, and perhaps its stage, that ``ID[@STAGE]`` names."""
    identity, at, stage = text.partition("@")
    return {"id": identity, "stage": stage} if at else {"id": identity}


def import_source(text: str) -> dict[str, str]:
    """Return where files come from: an address of the web or of S3, ``upload:ID``, or else a path."""
    if text.lower().startswith("s3://"):
        return {"s3": text}
    if URL.match(text):
        return {"url": text}
    if text.startswith("upload:"):
        return {"upload": text.removeprefix("upload:")}
    return {"path": text}


class Written:
    """How a schema is written in one word, and what that is called in the help."""

    def __init__(self, reader: Reader, metavar: str) -> None:
        self.reader = reader
        self.metavar = metavar


WRITTEN: Final[Mapping[type, Written]] = {
    Source: Written(source, "[tr:|va:|te:]REF"),
    ModelStage: Written(model_stage, "ID[@STAGE]"),
    ImportSource: Written(import_source, "SOURCE"),
}
