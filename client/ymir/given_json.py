"""JSON that is given on the command line, or piped in."""

import sys
from typing import Any

from pydantic_core import from_json

from schemas.errors import Invalid


def object_of(text: str) -> dict[str, Any]:
    """Return the JSON object that a text is, or for ``-`` standard input; raise Invalid."""
    try:
        found = from_json(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise Invalid(f"That is no JSON: {error}.", step="Quote it for the shell, or give - and pipe it in.") from error
    if not isinstance(found, dict):
        raise Invalid("That is no JSON object.", step="Begin with {.")
    return found
