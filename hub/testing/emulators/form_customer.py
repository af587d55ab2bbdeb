"""An emulated customer who posts forms; every request of his says that it is emulated.

    customer = FormCustomer("http://127.0.0.1:8080/in/site-form", seed=1)
    request_id = await customer.post()

The people are invented, their telephones are outside of what operators hand out to subscribers.
"""

from __future__ import annotations

import asyncio
import random

import aiohttp

MARK = {"X-Emulator": "form_customer"}
_FIRST = (
    "Олена",
    "Ігор",
    "Марія",
    "Тарас",
    "Софія",
    "Андрій",
    "Ганна",
    "Юрій",
    "Їжакевич Лев",
    "Ґалина",
    "Оксана",
    "Петро",
)
_LAST = (
    "Коваль",
    "Бондар",
    "Шевчук",
    "Мельник",
    "Кравець",
    "Лисенко",
    "Гнатюк",
    "Тимошук",
    "Власюк",
    "Дяченко",
)
_WISHES = (
    "Добрий день! Чи є в наявності чоботи 42 розміру? Скільки коштує доставка до Львова?",
    "Хочу замовити два набори посуду, оплата при отриманні.",
    "Передзвоніть, будь ласка, після 15:00. Цікавить дитячий велосипед.",
    "Скільки триває виготовлення шафи за моїми розмірами?",
    "Замовлення на 10 рушників для готелю, потрібен рахунок.",
    "Чи можна повернути товар, якщо не підійде колір?",
    "Hello! Do you ship to Odesa? I need three lamps.",
    "Потрібна консультація щодо електроінструменту, бюджет 5000 грн.",
)
_SOURCES = (("google", "cpc"), ("facebook", "cpc"), ("instagram", "social"), ("", ""))


class FormCustomer:
    """Posts made-up requests to one form. `seed` makes a run repeatable."""

    def __init__(self, address: str, seed: int = 1) -> None:
        self._address = address
        self._random = random.Random(seed)  # noqa: S311 - invented people, no secret
        self._sent = 0

    def form(self) -> dict[str, str]:
        """One filled form."""
        pick = self._random
        self._sent += 1
        source, medium = pick.choice(_SOURCES)
        return {
            "name": f"{pick.choice(_FIRST)} {pick.choice(_LAST)}",
            "phone": f"+380 67 {pick.randint(0, 999):03d} {pick.randint(0, 99):02d} {self._sent % 100:02d}",
            "email": f"customer{self._sent}@example.com",
            "message": pick.choice(_WISHES),
            "utm_source": source,
            "utm_medium": medium,
            "note": "emulated customer / емульований клієнт",
        }

    async def post(self) -> str | None:
        """Send one form; the request's id, or None where the hub took none."""
        async with (
            aiohttp.ClientSession(headers=MARK) as session,
            session.post(self._address, json=self.form()) as answer,
        ):
            if answer.status != 201:
                return None
            said = await answer.json()
            return str(said["request_id"])

    async def keep_posting(self, every_s: float) -> None:
        """Post until cancelled, at uneven distances."""
        while True:
            await asyncio.sleep(every_s * self._random.uniform(0.5, 1.5))
            await self.post()
