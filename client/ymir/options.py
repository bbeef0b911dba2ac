"""Options of a command out of the parameters of a type of task: one rule for all of them, and help that is true."""

import types
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import chain
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo

from client.ymir.values import WRITTEN, Reader, limits, listed, names, one_of, pair, read_json
from schemas.parameters import Parameters
from schemas.task_types import AskedParameters

PREFIX: Final = "parameters."
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {"dataset": ("--into", "--dataset")}


class Field(NamedTuple):
    """One thing that can be given: where it goes in the parameters, and of what type it is."""

    path: tuple[str, ...]
    kind: Any
    info: FieldInfo
    is_required: bool

    @property
    def dest(self) -> str:
        """Under what argparse keeps it."""
        return PREFIX + ".".join(self.path)


def parameters_named(type_name: str) -> type[Parameters]:
    """Return the parameters of a type of task."""
    kinds: tuple[type[Parameters], ...] = get_args(get_args(AskedParameters)[0])
    return next(kind for kind in kinds if kind.model_fields["type"].default == type_name)


def add_options(
    parser: ArgumentParser, kind: type[Parameters], *, positional: tuple[str, ...], without: tuple[str, ...] = ()
) -> None:
    """Add an argument for each field of some parameters: the positional ones in order, the others as options."""
    fields = {field.path: field for field in fields_of(kind) if field.path[0] not in without}
    for name in positional:
        field = fields.pop((name,))
        parser.add_argument(field.dest, **_described(field), **_arity(field))
    for field in fields.values():
        _add_option(parser, field)


def _arity(field: Field) -> dict[str, Any]:
    if _is_many(field.kind):
        return {"nargs": "+" if field.is_required else "*"}
    return {} if field.is_required else {"nargs": "?"}


def fields_of(kind: type[BaseModel], *, above: tuple[str, ...] = (), needed: bool = True) -> Iterator[Field]:
    """Yield everything that can be given, parts of parts too."""
    for name, info in kind.model_fields.items():
        plain = _plain(info.annotation)
        required = needed and info.is_required()
        if isinstance(plain, type) and issubclass(plain, BaseModel) and plain not in WRITTEN:
            yield from fields_of(plain, above=(*above, name), needed=required)
        elif above or name != "type":
            yield Field((*above, name), plain, info, required)


def parameters_of(given: Namespace) -> dict[str, Any]:
    """Return what was given as the JSON of parameters; what was not given is not in it."""
    found: dict[str, Any] = {}
    for dest, value in vars(given).items():
        if dest.startswith(PREFIX) and value is not None and value != []:
            *above, last = dest.removeprefix(PREFIX).split(".")
            part = found
            for step in above:
                part = part.setdefault(step, {})
            part[last] = _folded(value)
    return found


def by_pointer(parser: ArgumentParser) -> dict[str, str]:
    """Return what each parameter is called on the command line, by its JSON pointer."""
    actions = [action for action in parser._actions if action.dest.startswith(PREFIX)]  # noqa: SLF001 - nothing else tells it
    return {
        f"/{path.replace('.', '/')}": action.option_strings[0] if action.option_strings else path.upper()
        for action in actions
        if (path := action.dest.removeprefix(PREFIX))
    }


def _folded(value: Any) -> Any:  # noqa: ANN401 - whatever was given
    """Return what was given in several words, or under several options, as one list or map."""
    if isinstance(value, list) and all(isinstance(part, list) for part in value):
        return list(chain.from_iterable(value))
    if isinstance(value, list) and all(isinstance(part, dict) for part in value):
        return {key: part[key] for part in value for key in part}
    return value


def _add_option(parser: ArgumentParser, field: Field) -> None:
    name = field.path[-1]
    options = ALIASES.get(name, (_option(name),))
    if any(option in parser._option_string_actions for option in options):  # noqa: SLF001 - nothing else tells it
        options = (_option("-".join(field.path)),)
    arguments: dict[str, Any] = {"dest": field.dest, "required": field.is_required, "default": SUPPRESS}
    if (words := _words(field.kind)) is not None and len(words) == 1:
        parser.add_argument(*options, **arguments, action="store_const", const=words[0], help=_help(field))
    elif field.kind is bool:
        is_on = bool(field.info.default)
        options = ("--no-" + options[0].removeprefix("--"),) if is_on else options
        parser.add_argument(*options, **arguments, action="store_const", const=not is_on, help=_help(field))
    else:
        action: dict[str, Any] = {"action": "append"} if _is_many(field.kind) else {}
        parser.add_argument(*options, **arguments, **_described(field), **action)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _described(field: Field) -> dict[str, Any]:
    """Return how argparse reads and explains a field."""
    if (words := _words(field.kind)) is not None:
        return {"choices": words, "metavar": "|".join(words), "help": _help(field)}
    return {"type": _reader(field.kind, field.path[-1]), "metavar": _metavar(field), "help": _help(field)}


def _help(field: Field) -> str:
    told = " ".join((field.info.description or "").split()).replace("``", "`").rstrip(".")
    told = f"switch off: {told[:1].lower()}{told[1:]}" if field.kind is bool and field.info.default and told else told
    many = "several with commas" if _is_many(field.kind) and not _is_map(field.kind) else ""
    default = None if field.info.is_required() else field.info.get_default(call_default_factory=True)
    shown = "" if isinstance(default, bool) or default == "" or not isinstance(default, str | int | float) else default
    return "; ".join(part for part in (told, many, shown != "" and f"default: {shown}") if part).replace("%", "%%")


def _metavar(field: Field) -> str:
    inner = _item(field.kind)
    if inner in WRITTEN:
        return WRITTEN[inner].metavar
    if _is_map(field.kind):
        return "OLD=NEW" if _is_names(field.kind) else "KEY=VALUE"
    if _is_limits(field.kind):
        return "LEAST..GREATEST"
    if (words := _words(inner)) is not None:
        return "|".join(words)
    return {"classes": "CLASS", "include_classes": "CLASS", "exclude_classes": "CLASS"}.get(
        field.path[-1], field.path[-1].upper()
    )


def _reader(kind: Any, name: str) -> Reader:  # noqa: ANN401 - a type, or what stands for one
    if kind in WRITTEN:
        return WRITTEN[kind].reader
    if _is_map(kind):
        return names if _is_names(kind) else pair
    if _is_limits(kind):
        return limits
    if _is_many(kind):
        return listed(_reader(_item(kind), name))
    if (words := _words(kind)) is not None:
        return one_of(words)
    return kind if kind in {str, int, float} else read_json


def _plain(annotation: Any) -> Any:  # noqa: ANN401 - a type, or what stands for one
    """Return a type without what is said about it, and without None."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in {Union, types.UnionType}:
        parts = [part for part in get_args(annotation) if part is not type(None)]
        return _plain(parts[0]) if len(parts) == 1 else annotation
    return annotation


def _item(kind: Any) -> Any:  # noqa: ANN401 - a type, or what stands for one
    """Return the type of the items of a list, else the type itself."""
    return _plain(get_args(kind)[0]) if get_origin(kind) is tuple and not _is_limits(kind) else kind


def _is_limits(kind: Any) -> bool:  # noqa: ANN401 - a type, or what stands for one
    parts = get_args(kind)
    return get_origin(kind) is tuple and len(parts) == len("ab") and all(_plain(part) is float for part in parts)


def _is_map(kind: Any) -> bool:  # noqa: ANN401 - a type, or what stands for one
    return get_origin(kind) is dict


def _is_names(kind: Any) -> bool:  # noqa: ANN401 - a type, or what stands for one
    return get_args(kind)[1] is not JsonValue


def _is_many(kind: Any) -> bool:  # noqa: ANN401 - a type, or what stands for one
    return _is_map(kind) or (get_origin(kind) is tuple and not _is_limits(kind))


def _words(kind: Any) -> tuple[str, ...] | None:  # noqa: ANN401 - a type, or what stands for one
    """Return the words that a type allows, None if there are others."""
    if get_origin(kind) is Literal:
        return tuple(str(word) for word in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return tuple(str(word) for word in kind)
    return None
