"""Where the package of a model is for its user: in the folder of models, or brought from the service."""

import os
from pathlib import Path

from client.mir.models import hash_of
from client.mir.session import Session
from client.places import has_places, read_places
from schemas.models import Model


async def package_path(session: Session, model: Model, *, folder: str | None) -> str:
    """Return the path of a package; with ``folder`` it can be found there under the hash alone too."""
    name = hash_of(model)
    place = Path(name[-2:]) / name
    if not os.environ.get("YMIR_URL"):
        return str(_linked(session, place, folder))
    if folder is None:
        return f"{session.path}/models/{model.id}/package"
    to = Path(folder).expanduser().absolute() / name
    to.parent.mkdir(parents=True, exist_ok=True)
    await session.client.save(f"{session.path}/models/{model.id}/package", to)
    return str(to)


def _linked(session: Session, place: Path, folder: str | None) -> Path:
    data = session.repository.data
    roots = [*(read_places(data).models if has_places(data) else ()), data / "blobs"]
    found = next((root / place for root in roots if (root / place).exists()), roots[0] / place)
    if folder is not None and found.is_relative_to(root := Path(folder).expanduser().absolute()):
        link = root / place.name
        if not os.path.lexists(link):
            link.symlink_to(place)  # scripts look for the file of a model right there
        return link
    return found
