"""Example channel as a channel: a signed web hook brings messages, the service's API takes the answers."""

from hub.sdk import (
    Channel,
    ChannelCapabilities,
    ChannelLimits,
    ChannelPlugin,
    DeliveryRejected,
    Host,
    Outgoing,
    Parsed,
    PayloadUnreadable,
    RawDelivery,
    Refused,
    Register,
    SendResult,
    Sent,
    Verified,
    hookimpl,
)

from plugins._template.channel.example_channel import message, signature
from plugins._template.channel.example_channel.client import ExampleChannelClient
from plugins._template.channel.example_channel.settings import ExampleChannelSettings


class ExampleChannel(Channel):
    """One account of the service."""

    capabilities = ChannelCapabilities(sends=True)
    # FILL IN: the largest delivery of the service.
    limits = ChannelLimits(max_body_bytes=256 * 1024)

    def __init__(self, account: str, settings: ExampleChannelSettings, host: Host) -> None:
        self.account = account
        self._secret = settings.secret.get_secret_value()
        self._client = ExampleChannelClient(settings, host.http)

    def verify(self, raw: RawDelivery) -> Verified:
        """Signed, and known by the service's own id."""
        signature.check(raw, self._secret)
        try:
            return Verified(external_id=message.external_id(message.load(raw.body)))
        except PayloadUnreadable as unreadable:
            raise DeliveryRejected("no_id", unreadable.message, status=422) from None

    def parse(self, raw: RawDelivery) -> Parsed:
        """One event."""
        return message.parse(message.load(raw.body))

    async def send(self, outgoing: Outgoing) -> SendResult:
        """One text to one person."""
        if not outgoing.to.channel_id:
            return Refused("this person has never written here")
        if outgoing.files:
            return Refused("this channel sends no files")
        return Sent(await self._client.send(outgoing.to.channel_id, outgoing.text, outgoing.id))

    async def check(self) -> str:
        """Try the key."""
        return f"the key is accepted, this is {await self._client.whoami()}"


PLUGIN = ChannelPlugin(
    name="example_channel",
    # FILL IN: the name in both languages, and the service's page.
    title={"en": "Example channel", "uk": "Example channel"},
    settings=ExampleChannelSettings,
    create=ExampleChannel,
    version="0.1.0",
    needs_sdk="1.1",
    homepage="",
)


@hookimpl
def hub_register(register: Register) -> None:
    """Offer the channel."""
    register.channel(PLUGIN)
