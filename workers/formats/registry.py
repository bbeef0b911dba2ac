"""The formats there are, and which of them a folder has."""

from collections.abc import Mapping
from typing import Final

from schemas.errors import Invalid
from workers.formats.coco import Coco
from workers.formats.format import Format, Listing
from workers.formats.plain import Plain
from workers.formats.voc import Voc

FORMATS: Final[Mapping[str, Format]] = {form.name: form for form in (Voc(), Coco(), Plain())}


def format_named(name: str) -> Format:
    """Return a format by its name; raise Invalid listing those there are."""
    try:
        return FORMATS[name]
    except KeyError:
        message = f"There is no format {name!r}."
        raise Invalid(message, step=f"Use one of: {', '.join(FORMATS)}.") from None


def detect(listing: Listing) -> Format:
    """Return the one format that a folder looks like; images without annotations are ``none``.

    Raise Invalid where it looks like several, or has nothing that any format looks for.
    """
    found = [form for form in FORMATS.values() if form.name != "none" and form.detect(listing)]
    if len(found) > 1:
        message = f"The files look like several formats: {', '.join(form.name for form in found)}."
        raise Invalid(message, step="Name the one that is meant as `format`.")
    if found:
        return found[0]
    if FORMATS["none"].detect(listing):
        return FORMATS["none"]
    looked = "; ".join(f"{form.name}: {form.looks_for}" for form in FORMATS.values())
    message = f"There is nothing to import. Looked for {looked}."
    raise Invalid(message, step="Check the path; images are known by suffixes such as .jpg and .png.")
