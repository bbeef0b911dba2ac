"""A client of an S3 server: where it is, how often it tries again, and what its errors mean."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from schemas.errors import Invalid, NotFound, Unavailable, YmirError
from schemas.schema import Digest

BUCKET: Final = "ymir"
STEP: Final = "give YMIR_S3_URL as http://host:port/bucket, with https in place of http where the server speaks it"
LOG_IN: Final = "check YMIR_S3_ACCESS_KEY, YMIR_S3_SECRET_KEY and what they are allowed to do with the bucket"
CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 30.0
# Five more tries within some three seconds.
TRIES: Final = 5
PAUSE_SECONDS: Final = 0.1

MISSING: Final = frozenset({"NoSuchKey", "NoSuchBucket", "ResourceNotFound"})
REFUSED: Final = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"})

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")
_STATUS: Final = re.compile(r"Response code: (\d+)")


class Address(NamedTuple):
    """Where blobs are kept: a server, a bucket of it, and what the names of all objects begin with."""

    endpoint: str
    is_secure: bool
    bucket: str
    prefix: str


def read_address(url: str) -> Address:
    """Return what ``http://host:port/bucket/prefix`` means; raise Invalid if it is no such URL."""
    parts = urlsplit(url)
    bucket, _, prefix = parts.path.strip("/").partition("/")
    is_server = parts.scheme in {"http", "https"} and bool(parts.netloc) and "@" not in parts.netloc
    is_place = _BUCKET.fullmatch(bucket or BUCKET) and not {".", "..", ""} & set(prefix.split("/") if prefix else ())
    if not is_server or not is_place or parts.query or parts.fragment:
        raise Invalid("The address of the S3 server cannot be used.", step=STEP)
    return Address(parts.netloc, parts.scheme == "https", bucket or BUCKET, prefix)


def connect(address: Address, *, access_key: str, secret_key: str, region: str, connections: int) -> Minio:
    """Return a client with a pool of as many connections as it may have calls under way."""
    retries = Retry(TRIES, backoff_factor=PAUSE_SECONDS, backoff_jitter=PAUSE_SECONDS, status_forcelist=range(500, 505))
    pool = PoolManager(
        maxsize=connections, retries=retries, timeout=Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    )
    try:
        return Minio(
            address.endpoint,
            access_key=access_key,
            secret_key=secret_key,
            secure=address.is_secure,
            region=region,
            http_client=pool,
        )
    except ValueError as error:
        raise Invalid(f"The address of the S3 server cannot be used: {error}.", step=STEP) from error


@contextmanager
def s3_errors(digest: Digest = "") -> Iterator[None]:
    """Turn what the client raises into errors of this project; whatever else escapes is a bug."""
    try:
        yield
    except S3Error as error:
        raise _meaning(error, f"{error.code}", error.response.status, digest) from error
    except InvalidResponseError as error:
        # Some servers call their answer text/xml, of which the client reads no further than to its log.
        code, status = _CODE.search(str(error)), _STATUS.search(str(error))
        raise _meaning(error, code[1] if code else "", int(status[1]) if status else 0, digest) from error
    except ServerError as error:
        raise _meaning(error, "", error.status_code, digest) from error
    except HTTPError as error:
        raise Unavailable(f"The S3 server does not answer: {error}.") from error


def _meaning(error: MinioException, code: str, status: int, digest: Digest) -> YmirError:
    if code in MISSING:
        return NotFound("blob", digest)
    if code in REFUSED or status in {401, 403}:
        return Invalid(f"The S3 server refuses us: {code or status}.", step=LOG_IN)
    return Unavailable(f"The S3 server cannot do that now: {code or status}: {error}.")
