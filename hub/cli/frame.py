"""What all commands share: settings, output as table or JSON, errors as one sentence, exit codes.

Exit codes: 0 done, 1 a finding, 2 wrong use or settings.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from hub.kernel.errors import HubError, InputRejected, SettingsRejected

if TYPE_CHECKING:
    from hub.app import Hub
    from hub.opening import Ground
    from hub.settings import Loaded

FINDING, WRONG_USE = 1, 2
F = TypeVar("F", bound=Callable[..., Any])


def fail(message: str, code: int = WRONG_USE) -> NoReturn:
    """One sentence on standard error, and out."""
    click.echo(message, err=True)
    sys.exit(code)


def config_option(function: F) -> F:
    """--config, for every command that reads settings."""
    return click.option(
        "--config", metavar="FILE", envvar="HUB_CONFIG", help="Settings file (default: config/hub.toml)."
    )(function)


def json_option(function: F) -> F:
    """--json, for every command that prints a table or makes something."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Every refusal becomes one sentence; no traceback reaches a user for what he can mend."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except SettingsRejected as error:
            fail("\n".join(f"{p.path}: {p.message}" for p in error.problems))
        except InputRejected as error:
            words = "; ".join(f"{p.path}: {p.message}" for p in error.problems) or error.message
            fail(words)
        except HubError as error:
            fail(error.message)
        except Exception as error:
            if (sentence := _refusal(error)) is None:
                raise
            fail(sentence)

    return run


def _refusal(error: Exception) -> str | None:
    """The sentence for what the machine refuses; None: a mistake of ours, which shows its traceback."""
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - only where something went wrong

    from hub.db.errors import Fault, classify, describe  # noqa: PLC0415

    if isinstance(error, DBAPIError):
        down = classify(error) is Fault.UNAVAILABLE
        return f"the database cannot be used: {describe(error)}; see [database] url" if down else None
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the system'}: {error.strerror}"
    return None


def load_settings(config: str | None) -> Loaded:
    """The settings of a command."""
    from hub.settings import load, settings_file  # noqa: PLC0415 - `hub --help` needs no pydantic

    return load(settings_file(config))


@contextmanager
def ground_of(config: str | None) -> Iterator[Ground]:
    """The database for the length of a command that needs no plugin."""
    from hub.cli.logs import set_up_logs  # noqa: PLC0415 - see above
    from hub.opening import opened_ground  # noqa: PLC0415

    set_up_logs(quiet=True)
    with opened_ground(load_settings(config)) as ground:
        yield ground


@contextmanager
def hub_of(config: str | None) -> Iterator[Hub]:
    """An opened hub for the length of a command; accounts that are not valid do not stand in its way."""
    from hub.app import opened  # noqa: PLC0415 - see above
    from hub.cli.logs import set_up_logs  # noqa: PLC0415

    set_up_logs(quiet=True)
    with opened(load_settings(config)) as hub:
        yield hub


def show(rows: Sequence[Mapping[str, Any]], as_json: bool, empty: str) -> None:
    """Rows as an aligned table, or as JSON. An empty table says what to do next."""
    if as_json:
        click.echo(json.dumps(list(rows), ensure_ascii=False, indent=2))
        return
    if not rows:
        click.echo(empty)
        return
    names = list(rows[0])
    texts = [[_text(row[name]) for name in names] for row in rows]
    widths = [max(len(name), *(len(line[at]) for line in texts)) for at, name in enumerate(names)]
    for line in ([n.upper() for n in names], *texts):
        click.echo("  ".join(part.ljust(width) for part, width in zip(line, widths, strict=True)).rstrip())


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(v) for v in value) or "-"
    return str(value)


def made(result: Mapping[str, Any], as_json: bool, sentence: str) -> None:
    """What a command has made."""
    click.echo(json.dumps(result, ensure_ascii=False) if as_json else sentence)
