"""The whole contract of a plugin. A plugin imports from here, and nothing else of the hub."""

from hub.kernel.email import parse_email
from hub.kernel.money import parse_decimal, to_minor
from hub.kernel.phone import parse_phone
from hub.sdk.carrier import Carrier, CarrierCapabilities, CarrierPlugin
from hub.sdk.channel import Channel, ChannelCapabilities, ChannelLimits, ChannelPlugin
from hub.sdk.errors import (
    AnswerUnreadable,
    AuthenticationFailed,
    DeliveryRejected,
    NumbersRejected,
    PayloadUnreadable,
    PermanentFailure,
    PluginError,
    SettingsRejected,
    TemporaryFailure,
    Throttled,
)
from hub.sdk.hookspecs import Register, hookimpl
from hub.sdk.host import Host
from hub.sdk.http import HttpClient, HttpReply
from hub.sdk.messages import (
    Event,
    EventKind,
    HttpAnswer,
    Outcome,
    OutcomeKind,
    Parsed,
    RawDelivery,
    Sender,
    Verified,
)
from hub.sdk.store import AccountStore
from hub.sdk.tracking import (
    FINAL,
    RANK,
    Facts,
    Likeness,
    MoneyStatus,
    NotTracked,
    Observation,
    Problem,
    Recognition,
    RelatedNumber,
    RelationKind,
    Status,
    TrackAnswer,
    Tracked,
    TrackingNumber,
)
from hub.sdk.version import SDK_VERSION

__all__ = [
    "FINAL",
    "RANK",
    "SDK_VERSION",
    "AccountStore",
    "AnswerUnreadable",
    "AuthenticationFailed",
    "Carrier",
    "CarrierCapabilities",
    "CarrierPlugin",
    "Channel",
    "ChannelCapabilities",
    "ChannelLimits",
    "ChannelPlugin",
    "DeliveryRejected",
    "Event",
    "EventKind",
    "Facts",
    "Host",
    "HttpAnswer",
    "HttpClient",
    "HttpReply",
    "Likeness",
    "MoneyStatus",
    "NotTracked",
    "NumbersRejected",
    "Observation",
    "Outcome",
    "OutcomeKind",
    "Parsed",
    "PayloadUnreadable",
    "PermanentFailure",
    "PluginError",
    "Problem",
    "RawDelivery",
    "Recognition",
    "Register",
    "RelatedNumber",
    "RelationKind",
    "Sender",
    "SettingsRejected",
    "Status",
    "TemporaryFailure",
    "Throttled",
    "TrackAnswer",
    "Tracked",
    "TrackingNumber",
    "Verified",
    "hookimpl",
    "parse_decimal",
    "parse_email",
    "parse_phone",
    "to_minor",
]
