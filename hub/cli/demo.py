"""`hub demo`: the real hub on a database of its own, with emulated customers and an emulated carrier.

Nothing in the hub itself is emulated: forms come over HTTP, tasks are dealt, parcels are asked for with
the real plugin. Only time runs faster for the planner, and every page says that it is a demonstration.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import click
import structlog

from hub.access.model import Role
from hub.access.store import add_token
from hub.app import opened
from hub.assignment.members import join_team
from hub.assignment.schedules import set_weekly
from hub.cli.run import serve_forever
from hub.kernel.clock import SystemClock
from hub.opening import CLI
from hub.settings import Loaded, build
from hub.staff import service as people
from hub.staff import store as staff
from hub.testing.emulators.form_customer import MARK, FormCustomer
from hub.testing.emulators.nova_poshta import NovaPoshtaEmulator

if TYPE_CHECKING:
    from collections.abc import Coroutine

log = structlog.get_logger("hub.demo")

SPEED = 300.0
SECONDS_PER_STEP = 20.0
FORM_EVERY_S = 12.0
PEOPLE = (
    ("Олена Коваль", "seller", 2, ("08:00", "20:00")),
    ("Ігор Бондар", "seller", 2, ("07:00", "22:00")),
    ("Марія Шевчук", "seller", 1, None),  # at night too somebody is there
    ("Андрій Мельник", "head", 1, None),
)
WORKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat")
SINCE = date(2026, 1, 1)
GOODS = (
    ("Чоботи зимові, 42", 189_900),
    ("Набір посуду", 74_950),
    ("Лампа настільна", 62_500),
    ("Рушник", 12_990),
)
FIRST_NUMBER = 20_450_700_000_001


def run_demo(host: str, port: int, data: Path | None) -> None:
    """Run until stopped; a temporary folder goes with it."""
    with tempfile.TemporaryDirectory(prefix="hub-demo-") as temporary:
        folder = data.resolve() if data is not None else Path(temporary)
        carrier_port = _free_port()
        loaded = _settings(folder, carrier_port)
        token = _seed(loaded)
        click.echo("Demonstration: emulated customers and carriers, nothing leaves this machine.")

        def beside(address: str) -> Coroutine[Any, Any, None]:
            return Company(address, token, carrier_port).live()

        serve_forever(loaded, host, port, demo=True, speed=SPEED, beside=beside)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _settings(folder: Path, carrier_port: int) -> Loaded:
    return build(
        {
            "teams": {"sales": {"title": "Продажі"}},
            "channels": {"site-form": {"plugin": "web_form", "rate_per_minute": 0}},
            "carriers": {
                "nova-poshta": {
                    "plugin": "nova_poshta",
                    "base_url": f"http://127.0.0.1:{carrier_port}/v2.0/json/",
                    "api_key": "emulated-key",
                }
            },
        },
        folder,
    )


def _seed(loaded: Loaded) -> str:
    """People, and a token for the emulated seller."""
    with opened(loaded) as hub:

        def seed(tx: Any) -> str:
            if not staff.all_staff(tx.conn):
                team = staff.team_by_name(tx.conn, "sales")
                for name, role, share, hours in PEOPLE:
                    staff_id = people.add_person(tx, name, [role])
                    join_team(tx, CLI, team.id, staff_id, share)
                    if hours:
                        set_weekly(tx, CLI, staff_id, {day: [hours] for day in WORKDAYS}, SINCE)
            first = staff.all_staff(tx.conn)[0]
            return add_token(tx, "demo", Role.HEAD, first.id)[1]

        return hub.db.write_now(seed)


class Company:
    """Everybody around the demonstration: customers, a seller in a hurry, the carrier."""

    def __init__(self, address: str, token: str, carrier_port: int) -> None:
        self._address = address
        self._token = token
        self._carrier_port = carrier_port
        self._customer = FormCustomer(f"{address}/in/site-form")
        self._carrier = NovaPoshtaEmulator(SystemClock(), seconds_per_step=SECONDS_PER_STEP)
        self._parcels = 0

    async def live(self) -> None:
        """Until cancelled."""
        await self._carrier.start(port=self._carrier_port)
        try:
            first = [await self._customer.post() for _ in range(9)]
            for request_id in first[:4]:
                await self._to_order(request_id)
            await asyncio.gather(self._customer.keep_posting(FORM_EVERY_S), self._keep_selling())
        finally:
            await self._carrier.stop()

    async def _keep_selling(self) -> None:
        while True:
            await asyncio.sleep(4 * FORM_EVERY_S)
            with suppress(aiohttp.ClientError):
                await self._to_order(await self._customer.post())

    async def _to_order(self, request_id: str | None) -> None:
        """An emulated seller makes an order of a request and sends its parcel."""
        if request_id is None:
            return
        name, price = GOODS[self._parcels % len(GOODS)]
        cash = self._parcels % 2 == 0
        order = await self._call(
            "/orders",
            {
                "request_id": request_id,
                "payment": "cod" if cash else "prepaid",
                "lines": [
                    {"name": name, "quantity": "1", "price": {"amount_minor": price, "currency": "UAH"}}
                ],
                "note": "emulated / емуляція",
            },
        )
        number = str(FIRST_NUMBER + self._parcels)
        self._parcels += 1
        refused = self._parcels % 4 == 0
        self._carrier.add_parcel(
            number, cod_minor=price if cash else None, route="refused" if refused else None
        )
        await self._call(f"/orders/{order['id']}/shipments", {"carrier": "nova-poshta", "number": number})

    async def _call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {**MARK, "Authorization": f"Bearer {self._token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self._address}/api/v1{path}", json=body) as answer,
        ):
            answer.raise_for_status()
            said: dict[str, Any] = await answer.json()
            return said
