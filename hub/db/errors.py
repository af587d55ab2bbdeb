"""What a database error means for what waits in the queue.

    DATA         this batch holds something the database refuses: halve it until the culprit stands alone
    CONFLICT     somebody else was quicker (unique, deadlock, serialisation, busy): the whole batch again
    UNAVAILABLE  connection lost, disk full, read only: nothing can be stored now, 503 for all
    BUG          our own mistake: treated as DATA, and the traceback is logged

Error texts of databases carry customers' data ("Key (value)=(+380...) already exists"): `describe` gives
the code and the constraint's name only, and nothing else of such an error may reach a log.
"""

from __future__ import annotations

import sqlite3
from enum import Enum

from sqlalchemy.exc import DBAPIError


class Fault(Enum):
    """What happens next."""

    DATA = "data"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"
    BUG = "bug"


_SQLITE_CONFLICT = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
}
_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLITE_DOWN = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOMEM,
}
_PG_CONFLICT = {"23505", "40001", "40P01", "55P03"}
_PG_DOWN_CLASSES = {"08", "53", "57", "58"}


def driver_error(error: BaseException) -> BaseException:
    """The driver's own exception below SQLAlchemy's."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig
    return error


def classify(error: BaseException) -> Fault:
    """Say what an exception out of a transaction means."""
    cause = driver_error(error)
    if isinstance(cause, sqlite3.Error):
        return _classify_sqlite(cause)
    if _is_psycopg(cause):
        return _classify_psycopg(cause)
    if isinstance(cause, (OverflowError, UnicodeError)):
        return Fault.DATA
    if isinstance(cause, (OSError, MemoryError)):
        return Fault.UNAVAILABLE
    return Fault.BUG


def _classify_sqlite(error: sqlite3.Error) -> Fault:
    code = getattr(error, "sqlite_errorcode", 0) or 0
    if code in _SQLITE_CONFLICT or code & 0xFF in _SQLITE_BUSY:
        return Fault.CONFLICT
    if code & 0xFF in _SQLITE_DOWN:
        return Fault.UNAVAILABLE
    if isinstance(error, sqlite3.OperationalError):
        return Fault.BUG
    return Fault.DATA


def _is_psycopg(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] == "psycopg"


def _classify_psycopg(error: BaseException) -> Fault:
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        # No SQLSTATE: the driver speaks. OperationalError and InterfaceError mean the connection is gone.
        gone = {"OperationalError", "InterfaceError", "ConnectionTimeout", "PipelineAborted"}
        return Fault.UNAVAILABLE if type(error).__name__ in gone else Fault.DATA
    if state in _PG_CONFLICT:
        return Fault.CONFLICT
    if state[:2] in _PG_DOWN_CLASSES or state == "25006":
        return Fault.UNAVAILABLE
    return Fault.DATA if state[:2] in {"22", "23"} else Fault.BUG


def describe(error: BaseException) -> str:
    """Code and constraint of a database error; only the type's name of anything else."""
    cause = driver_error(error)
    if isinstance(cause, sqlite3.Error):
        return str(getattr(cause, "sqlite_errorname", None) or type(cause).__name__)
    if _is_psycopg(cause):
        diag = getattr(cause, "diag", None)
        constraint = getattr(diag, "constraint_name", None)
        state = getattr(cause, "sqlstate", None) or type(cause).__name__
        return f"{state} {constraint}" if constraint else str(state)
    return type(cause).__name__
