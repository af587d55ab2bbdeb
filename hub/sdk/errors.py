"""What a plugin may raise, chosen by what happens next.

    PluginError
    ├── SettingsRejected       at start: this account stays off, `hub check` shows why
    ├── DeliveryRejected       answered with its status, counted by reason, nothing stored
    ├── PayloadUnreadable      kept raw as `unreadable`, shown, can be replayed after a fix
    ├── AnswerUnreadable       a provider's answer is not of the documented shape: tried again later
    ├── TemporaryFailure       tried again, not before `retry_after_s`
    │   ├── NotReached         no connection came about: nothing has left
    │   └── Throttled          the provider asks us to slow down: the whole account waits
    ├── AuthenticationFailed   credentials: the account stops with one alarm, no storm of retries
    ├── Conflict               another consumer has the source, or the web hook leads elsewhere: an alarm
    ├── NumbersRejected        the provider refuses these numbers: each is shown to its seller
    └── PermanentFailure       dead letter with its reason

Anything else that escapes from a plugin counts as a bug of the plugin: recorded, contained, shown.
"""

from __future__ import annotations

from collections.abc import Sequence


class PluginError(Exception):
    """A plugin could not do what it was asked to."""

    def __init__(self, message: str = "") -> None:
        self.message = message or (type(self).__doc__ or "").splitlines()[0]
        super().__init__(self.message)


class SettingsRejected(PluginError):
    """The settings cannot be used."""


class DeliveryRejected(PluginError):
    """This delivery is not accepted; the sender gets `status` and a sentence.

    `reason` is a short word for the counter ("signature", "media_type", "contact"), never the sender's text.
    """

    def __init__(self, reason: str, message: str = "", *, status: int = 401) -> None:
        super().__init__(message or f"delivery rejected: {reason}")
        self.reason = reason
        self.status = status


class PayloadUnreadable(PluginError):
    """The body cannot be understood."""


class AnswerUnreadable(PluginError):
    """The provider's answer is not of the documented shape."""


class TemporaryFailure(PluginError):
    """The provider cannot answer right now."""

    def __init__(self, message: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotReached(TemporaryFailure):
    """No connection came about: nothing has left."""


class Throttled(TemporaryFailure):
    """The provider asks us to slow down."""


class AuthenticationFailed(PluginError):
    """The provider does not accept the credentials."""


class Conflict(PluginError):
    """Somebody else reads from this source too, or the web hook leads to another address."""


class NumbersRejected(PluginError):
    """The provider refuses some of the numbers that were asked.

    `numbers` are the culprits where the provider names them; empty where it does not, and the hub
    then halves the batch until the culprit stands alone.
    """

    def __init__(self, numbers: Sequence[str] = (), message: str = "") -> None:
        super().__init__(message)
        self.numbers = tuple(numbers)


class PermanentFailure(PluginError):
    """This can never succeed."""
