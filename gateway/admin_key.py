"""The first key: that of the administrator, which a deployment or a data folder brings."""

from datetime import datetime

from schemas.errors import Conflict
from schemas.keys import ApiKey, Role, secret_digest
from schemas.schema import derived_id
from storage.ports import Documents


async def make_known(secret: str, keys: Documents[ApiKey], *, at: datetime) -> None:
    """Keep the key of an administrator unless it is kept already."""
    digest = secret_digest(secret)
    key = ApiKey(id=derived_id("key", digest), name="admin", secret=digest, role=Role.ADMIN, created_at=at)
    if not await keys.get_many([key.id]):
        try:
            await keys.add(key)
        except Conflict:
            return  # another gateway was faster
