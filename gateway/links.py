"""Links to images, for whoever has no key."""

from gateway.services import Services
from gateway.signing import signed_link
from schemas.datasets import Version
from schemas.schema import AssetId, Id


def image_link(services: Services, project: str, version: Version, asset: AssetId) -> str:
    """Return the signed address of an image of a version."""
    return _link(services, project, version, asset, "image")


def thumbnail_link(services: Services, project: str, version: Version, asset: AssetId) -> str:
    """Return the signed address of a small picture of an image, which takes ``size`` and ``layers``."""
    return _link(services, project, version, asset, "thumbnail")


def picture_links(services: Services, task: Id, asset: AssetId) -> tuple[str, str]:
    """Return the signed addresses of an uploaded picture, and of the same with what was found drawn on it."""
    path, at = f"/v1/tasks/{task}/pictures/{asset}", services.clock()
    return (
        signed_link(services.settings, f"{path}/image", at=at),
        signed_link(services.settings, f"{path}/drawn", at=at),
    )


def _link(services: Services, project: str, version: Version, asset: AssetId, picture: str) -> str:
    path = f"/v1/projects/{project}/datasets/{version.dataset_name}/versions/{version.number}/assets/{asset}/{picture}"
    return signed_link(services.settings, path, at=services.clock())
