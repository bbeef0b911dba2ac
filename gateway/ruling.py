"""What a rule says to an event: whether it is for it, and the parameters of the task, filled in."""

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from schemas.errors import Fault, Invalid
from schemas.events import CloudEvent
from schemas.rules import PLACEHOLDER, Rule, When

MISSING: Final = object()


def is_for(when: When, event: CloudEvent) -> bool:
    """Return whether an event is of the type, and has the values, that a rule is for."""
    if event.type is not when.type:
        return False
    fields = event.model_dump(mode="json")
    for path, wanted in when.where.items():
        found = _at(fields, path)
        if not any(_same(found, one) for one in (wanted if isinstance(wanted, tuple) else (wanted,))):
            return False
    return True


def filled_in(rule: Rule, event: CloudEvent) -> dict[str, JsonValue]:
    """Return the parameters of the task that a rule asks for; raise Invalid naming what the event lacks."""
    faults: list[Fault] = []
    fields = event.model_dump(mode="json")
    filled = {name: _filled(value, fields, f"/then/{name}", faults) for name, value in rule.then.items()}
    if faults:
        message = f"The rule {rule.name!r} cannot be filled in: {faults[0].detail}"
        raise Invalid(message, step="Name what events of this type have; see docs/events.md.", faults=faults)
    return filled


def _filled(value: JsonValue, fields: Mapping[str, JsonValue], where: str, faults: list[Fault]) -> JsonValue:
    match value:
        case str():
            return _text(value, fields, where, faults)
        case dict():
            return {name: _filled(inner, fields, f"{where}/{name}", faults) for name, inner in value.items()}
        case list():
            return [_filled(inner, fields, f"{where}/{place}", faults) for place, inner in enumerate(value)]
    return value


def _text(text: str, fields: Mapping[str, JsonValue], where: str, faults: list[Fault]) -> JsonValue:
    """Return a text filled in; one that is a placeholder and nothing else becomes what is there, of whatever type."""
    values: dict[str, JsonValue] = {}
    for path in PLACEHOLDER.findall(text):
        found = _at(fields, path)
        if found is MISSING:
            faults.append(Fault(f"The event has nothing at {path}.", where))
            return text
        values[path] = found  # type: ignore[assignment]
    whole = PLACEHOLDER.fullmatch(text)
    if whole is not None:
        return values[whole[1]]
    return PLACEHOLDER.sub(lambda match: _written(values[match[1]]), text)


def _written(value: JsonValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _at(fields: Mapping[str, JsonValue], path: str) -> object:
    found: object = fields
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return MISSING
        found = found[name]
    return found


def _same(found: object, wanted: object) -> bool:
    """Return whether two values are equal as JSON has it: true is not 1, and what is missing is null."""
    if found is MISSING:
        return wanted is None
    return isinstance(found, bool) == isinstance(wanted, bool) and found == wanted
