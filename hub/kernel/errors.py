"""Every error of the hub has one root; its kind says what happens next.

    HubError
    ├── SettingsRejected        this part stays off, `hub check` names the key
    ├── InputRejected           the caller's words are wrong: 422 (or 400), nothing stored
    ├── NotFound                404
    ├── AccessDenied            403
    ├── RuleSaysNo              409: normal business, not an alarm
    │   ├── TransitionRefused
    │   │   └── Incomplete      names what is missing, each with its path
    │   └── AlreadyClaimed
    ├── VersionConflict         412: somebody else changed it meanwhile
    ├── TooMany                 429: enough of them are open, try again after `retry_after_s`
    └── Unavailable             503: nothing was stored, try again after `retry_after_s`

Errors that plugins raise stand in `hub.sdk.errors`. The class docstring is the default message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import getdoc


class HubError(Exception):
    """Something went wrong inside the hub."""

    def __init__(self, message: str = "", /, **facts: object) -> None:
        self.message = message or (getdoc(type(self)) or "").splitlines()[0]
        self.facts: Mapping[str, object] = facts
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing that is wrong in an input. `path` is dotted, `message` says what to do.

    `uk`: the same in Ukrainian, where whoever found it says so himself (a plugin); else the catalogue translates.
    """

    path: str
    message: str
    uk: str = ""


class SettingsRejected(HubError):
    """The settings are not valid."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{p.path}: {p.message}" for p in self.problems))


class InputRejected(HubError):
    """The input is not valid."""

    def __init__(self, message: str = "", /, problems: Sequence[FieldProblem] = (), **facts: object) -> None:
        super().__init__(message, **facts)
        self.problems = tuple(problems)


class NotFound(HubError):
    """There is no such thing here."""


class AccessDenied(HubError):
    """Your role does not allow this."""


class RuleSaysNo(HubError):
    """A rule of the business forbids this."""


class TransitionRefused(RuleSaysNo):
    """This move is not possible from the present state."""


class Incomplete(TransitionRefused):
    """Something has to be filled in first."""

    def __init__(self, message: str = "", /, problems: Sequence[FieldProblem] = (), **facts: object) -> None:
        super().__init__(message, **facts)
        self.problems = tuple(problems)


class AlreadyClaimed(RuleSaysNo):
    """Somebody else has this task."""


class VersionConflict(HubError):
    """It was changed by somebody else: read it again, then repeat your change."""


class TooMany(HubError):
    """Too much at once: close some and try again."""

    def __init__(self, retry_after_s: int, message: str = "", /, **facts: object) -> None:
        super().__init__(message, **facts)
        self.retry_after_s = retry_after_s


class Unavailable(HubError):
    """The hub cannot store anything right now: repeat the same call later."""

    def __init__(self, message: str = "", /, retry_after_s: int = 5, **facts: object) -> None:
        super().__init__(message, **facts)
        self.retry_after_s = retry_after_s
