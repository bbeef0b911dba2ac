"""What MongoDB's driver raises, as errors of this project."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from bson.errors import BSONError, InvalidDocument
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidOperation,
    OperationFailure,
    WriteConcernError,
)

from schemas.errors import Conflict, Invalid, Unavailable
from storage.mongo_forms import key_of

DUPLICATE: Final = 11000
# https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml: refused to whoever asks like this.
REFUSED: Final = frozenset({13, 18, 8000})
# What may be over by the next call: elections, shutting down, time that ran out, a full disk.
PASSING: Final = frozenset(
    {6, 7, 24, 46, 50, 64, 89, 91, 112, 133, 134, 189, 202, 262, 9001, 10107, 11600, 11602, 14031}
)
NOT_PRIMARY: Final = frozenset({13435, 13436})
LOOK: Final = "check the host in YMIR_MONGO_URL, and whether its name can be looked up here"
LOG_IN: Final = "check the user, the password and the authSource in YMIR_MONGO_URL"

# The driver tells of all servers that it knows, and of all that the last one said.
_SHORT: Final = re.compile(r", full error: | \(configured timeouts: |, Timeout: ")


@contextmanager
def driver_errors(kind: str, identity: str = "") -> Iterator[None]:
    """Turn what the driver raises into errors of this project; whatever else escapes is a bug."""
    try:
        yield
    except DuplicateKeyError as error:
        raise conflict(kind, identity, error.details or {}) from error
    except (ConnectionFailure, ExecutionTimeout, WriteConcernError) as error:
        raise Unavailable(f"MongoDB does not answer: {_SHORT.split(str(error), maxsplit=1)[0]}.") from error
    except ConfigurationError as error:
        # Found out only now: what a URL of mongodb+srv leads to is asked of the name servers.
        raise Unavailable(f"MongoDB cannot be found: {error}.", step=LOOK) from error
    except InvalidOperation as error:
        # The client was closed, or somebody's bulk was empty: the first is the only one that happens.
        raise Unavailable(f"The connection to MongoDB is closed: {error}.") from error
    except OperationFailure as error:
        raise _failure(error) from _cause(error)
    except (BSONError, DocumentTooLarge, InvalidDocument, OverflowError, UnicodeError) as error:
        raise Invalid(f"MongoDB cannot hold or look for that: {error}.", step="store less in one document") from error


def conflict(kind: str, identity: str, details: Mapping[str, Any]) -> Conflict:
    """Return the conflict that the server describes; its key is the ``id`` or the fields of a unique key."""
    return Conflict(kind, identity, key=key_of(details.get("keyPattern", {})))


def duplicates(error: BulkWriteError) -> dict[int, Mapping[str, Any]]:
    """Return what a bulk of inserts says of the keys that are taken, by number; raise what else went wrong."""
    details = error.details or {}
    if details.get("writeConcernErrors"):
        raise Unavailable(f"MongoDB kept that with no majority: {details['writeConcernErrors'][0]}.") from error
    for one in details["writeErrors"]:
        if one["code"] != DUPLICATE:
            raise _failure(OperationFailure(one["errmsg"], one["code"], one)) from None
    return {one["index"]: one for one in details["writeErrors"]}


def _failure(error: OperationFailure) -> Exception:
    if error.code in REFUSED:
        return Invalid(f"MongoDB refuses us: {_name(error)}.", step=LOG_IN)
    if error.code == DUPLICATE:
        key = "+".join((error.details or {}).get("keyPattern", {}))
        return Invalid(f"A unique key cannot be made: {key}.", step="restore the database from a back-up")
    is_passing = error.code in PASSING | NOT_PRIMARY or error.has_error_label("RetryableWriteError")
    return Unavailable(f"MongoDB cannot do that now: {_name(error)}.") if is_passing else error


def _name(error: OperationFailure) -> str:
    return f"{(error.details or {}).get('codeName', 'error')} ({error.code})"


def _cause(error: OperationFailure) -> OperationFailure | None:
    """Return an error as the cause of ours, unless it repeats what was asked or stored, and so perhaps a secret."""
    return None if error.code in REFUSED | {DUPLICATE} else error
