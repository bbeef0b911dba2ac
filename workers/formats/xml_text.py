"""Text as XML says it."""

import re
from functools import lru_cache
from typing import Final

UNSAYABLE: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to say."""
_ESCAPED: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_QUOTED: Final = str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


@lru_cache(maxsize=10_000)
def escaped(text: str) -> str:
    """Return the content of an element that is read as this text, without what cannot be said."""
    return UNSAYABLE.sub("", text).translate(_ESCAPED)


@lru_cache(maxsize=10_000)
def quoted(text: str) -> str:
    """Return an attribute's value, in its quotes, that is read as this text."""
    return f'"{escaped(text).translate(_QUOTED)}"'
