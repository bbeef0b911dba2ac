"""Signed links: addresses of images that work without a key, for browsers and labeling tools."""

import hmac
import math
from datetime import datetime
from typing import Final
from urllib.parse import quote

from aiohttp import web

from gateway.services import SERVICES
from gateway.settings import GatewaySettings

# All links of an hour end together, so that a list read twice has the same links and images stay cached.
ROUND_SECONDS: Final = 3600
SIGNED_PATHS: Final = ("/image", "/thumbnail", "/drawn")


def signed_link(settings: GatewaySettings, path: str, *, at: datetime) -> str:
    """Return the whole address of a path (not quoted), with when it expires and a signature."""
    expires = math.ceil((at.timestamp() + settings.link_seconds) / ROUND_SECONDS) * ROUND_SECONDS
    signature = _signature(settings, path, expires)
    return f"{settings.public_url.rstrip('/')}{quote(path)}?expires={expires}&signature={signature}"


def is_signed(request: web.Request) -> bool:
    """Return whether a request is for an image, signed by this deployment, and not expired."""
    services = request.app[SERVICES]
    expires = request.query.get("expires", "")
    if not (expires.isascii() and expires.isdigit() and len(expires) <= len("1" * 12)):
        return False
    if not request.path.endswith(SIGNED_PATHS) or int(expires) < services.clock().timestamp():
        return False
    expected = _signature(services.settings, request.path, int(expires))
    return hmac.compare_digest(expected.encode(), request.query.get("signature", "").encode())


def _signature(settings: GatewaySettings, path: str, expires: int) -> str:
    message = f"{path}\n{expires}".encode()
    return hmac.digest(settings.link_key.get_secret_value().encode(), message, "sha256").hex()
