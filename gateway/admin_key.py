"""The first key: that of the administrator, which a deployment or a data folder brings."""

from datetime import datetime

from schemas.keys import ApiKey, Role, secret_digest
from schemas.schema import derived_id
from storage.contested import added
from storage.ports import Documents


async def make_known(secret: str, keys: Documents[ApiKey], *, at: datetime) -> None:
    """Keep the key of an administrator unless it is kept already."""
    digest = secret_digest(secret)
    key = ApiKey(id=derived_id("key", digest), name="admin", secret=digest, role=Role.ADMIN, created_at=at)
    await added(key, keys)
