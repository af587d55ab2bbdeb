"""hub doctor: enough for a bug report, and nothing about anybody."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

SECRETS = """
[hub]
base_url = "https://shop-of-petrenko.example"

[database]
url = "sqlite:///var/hub.db"

[teams.sales]
title = "Продажі Петренка"

[channels.petrenko-form]
plugin = "web_form"
team = "sales"

[carriers.np]
plugin = "nova_poshta"
api_key = "0123456789abcdef0123456789abcdef"
base_url = "https://api.petrenko.example"
"""
PRIVATE = ("petrenko", "Петренк", "0123456789abcdef", "Олена", "+380671234567", "чоботи")


def fill(shop):
    """A person, and a customer's words in the database."""
    shop.hub("staff", "add", "Олена")

    async def post():
        from hub.app import build_process, open_hub
        from hub.settings import load

        hub = open_hub(load(shop.settings))
        process, _ = build_process(hub)
        process.door.start()
        try:
            from hub.sdk.messages import RawDelivery

            body = json.dumps({"name": "Олена", "phone": "+380671234567", "message": "чоботи"}).encode()
            raw = RawDelivery(
                account="petrenko-form", method="POST", path="/in/petrenko-form", query={}, body=body,
                headers={"content-type": "application/json"}, address="192.0.2.1", received_at=datetime.now(UTC),
            )  # fmt: skip
            await process.door.take(raw)
        finally:
            process.door.stop()
            hub.close()

    asyncio.run(post())


def test_it_tells_versions_states_and_numbers_and_nobody(shop):
    shop.write(SECRETS)
    fill(shop)
    assert "read it" in shop.hub("doctor").out
    text = Path("hub-doctor.json").read_text(encoding="utf-8")
    told = json.loads(text)
    for word in PRIVATE:
        assert word not in text, word
    assert told["database"]["schema"] == told["database"]["needed"]
    assert told["database"]["rows"]["request"] == 1
    assert told["database"]["delivery by state"] == {"stored": 1}
    assert told["database"]["findings"] == []
    assert told["settings"]["carriers"] == [{"plugin": "nova_poshta", "keys": ["api_key", "base_url"]}]
    assert told["settings"]["hub"]["base_url"] == "32 set"
    assert told["packages"]["aiohttp"]


def test_broken_settings_and_no_database_are_told_too(folder):
    folder.hub("init")
    told = json.loads(
        Path(folder.hub("doctor", "out.json", "--json").json["file"]).read_text(encoding="utf-8")
    )
    assert told["database"] == {"kind": "sqlite", "problem": "there is no file yet"}
    folder.write('[hub]\nlangauge = "петренко"\n')
    folder.hub("doctor", "out.json")
    text = Path("out.json").read_text(encoding="utf-8")
    assert json.loads(text)["settings"] == {"problems": ["hub.langauge"]}
    assert "петренко" not in text
    folder.write("[hub\n")
    folder.hub("doctor", "out.json")
    assert json.loads(Path("out.json").read_text(encoding="utf-8"))["settings"].keys() <= {
        "problem",
        "problems",
    }
