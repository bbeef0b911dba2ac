"""Predictions on pictures that are in no dataset."""

from pydantic import NonNegativeInt

from schemas.annotations import Annotation
from schemas.schema import AssetId, Schema


class PredictedPicture(Schema):
    """An uploaded picture, and what was found on it."""

    asset: AssetId
    file_name: str
    """The name under which it was sent; of one out of an archive, its path in that."""
    width: NonNegativeInt
    height: NonNegativeInt
    size: NonNegativeInt
    media_type: str
    annotations: tuple[Annotation, ...]
    """In pixels of the picture as displayed."""
    image: str
    """The address of the picture as it was sent; it works without a key, for a while."""
    drawn: str
    """The address of the picture with the annotations drawn, which takes ``format``, ``confidence`` and ``size``; it
    works without a key, for a while."""
