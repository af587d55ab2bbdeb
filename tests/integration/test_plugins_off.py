"""A plugin that cannot be loaded or made harms only its own accounts."""

from __future__ import annotations

from types import ModuleType

from aiohttp.test_utils import TestClient, TestServer

from hub.app import build_process, open_hub
from hub.sdk import ChannelPlugin, Register, SettingsRejected, hookimpl
from hub.settings import build
from plugins.web_form.plugin import WebForm
from plugins.web_form.settings import WebFormSettings

FORM = {"name": "Олена", "phone": "+380671234567", "message": "Чи є чоботи?"}


def module_whose_accounts_refuse() -> ModuleType:
    """A plugin whose constructor refuses its settings."""

    def create(account, settings, host):
        raise SettingsRejected("the token is for another bot")

    @hookimpl
    def hub_register(register: Register) -> None:
        register.channel(
            ChannelPlugin(name="picky", title={"en": "Picky"}, settings=WebFormSettings, create=create)
        )

    module = ModuleType("picky")
    vars(module)["hub_register"] = hub_register
    return module


def module_that_cannot_register() -> ModuleType:
    """A plugin written for an SDK that does not exist yet."""

    @hookimpl
    def hub_register(register: Register) -> None:
        register.channel(
            ChannelPlugin(
                name="broken", title={"en": "x"}, settings=WebFormSettings, create=WebForm, needs_sdk="9.0"
            )
        )

    module = ModuleType("broken")
    vars(module)["hub_register"] = hub_register
    return module


async def test_the_hub_serves_without_a_plugin_that_cannot_be_loaded(tmp_path):
    loaded = build(
        {
            "channels": {
                "form": {"plugin": "web_form"},
                "bot": {"plugin": "broken", "whatever": 1},
                "picky": {"plugin": "picky"},
            }
        },
        tmp_path,
    )
    extra = [("broken", module_that_cannot_register()), ("picky", module_whose_accounts_refuse())]
    hub = open_hub(loaded, serve=True, extra=extra)
    try:
        assert "SDK 9" in hub.accounts.off["bot"]
        assert hub.accounts.off["picky"] == "the token is for another bot"
        process, app = build_process(hub)
        async with TestClient(TestServer(app)) as client:
            process.start()
            taken = await client.post("/in/form", json=FORM)
            refused = await client.post("/in/bot", json=FORM)
            await process.stop()
        assert taken.status == 201
        assert refused.status == 503, "the sender tries again, nothing is lost"
        assert refused.headers["Retry-After"] == "60"
        rows = hub.db.read_now(lambda c: c.exec_driver_sql("SELECT name, state FROM account").fetchall())
        assert sorted(tuple(row) for row in rows) == [("bot", "off"), ("form", "active"), ("picky", "off")]
    finally:
        hub.close()
