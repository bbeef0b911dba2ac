"""Web addresses: where something may be fetched from, or sent to, on somebody's word."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints

SCHEMES: Final = frozenset({"http", "https"})


def checked_web_address(text: str) -> str:
    """Return an absolute http(s) URL that bears no name or password; raise ValueError, which does not repeat it."""
    if any(letter.isspace() or not letter.isprintable() or letter == "\\" for letter in text):
        message = "a URL has no spaces, control characters or backslashes"
        raise ValueError(message)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        message = "this is not the URL of a file: https://host/path"
        raise ValueError(message) from None
    if parts.scheme.lower() not in SCHEMES or not host:
        message = "only URLs of the form https://host/path or http://host/path can be used"
        raise ValueError(message)
    if "@" in parts.netloc:
        message = (
            "a URL with a name or password in it is not taken, since it is kept and shown with the task; "
            "leave them out, and have an Authorization for this address set on the workers"
        )
        raise ValueError(message)
    return text


WebAddress = Annotated[str, StringConstraints(max_length=8_000), AfterValidator(checked_web_address)]
