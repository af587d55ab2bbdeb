"""Invented people and what they write, for emulated customers of every channel."""

from __future__ import annotations

import random

NAMES = ("Олена Коваль", "Ігор Бондар", "Марія Шевчук", "Тарас Мельник", "Софія Кравець", "Ґалина Лисенко")
WISHES = (
    "Добрий день! Чи є чоботи 42 розміру?",
    "Скільки коштує доставка до Львова?",
    "Хочу замовити два набори посуду, оплата при отриманні.",
    "Коли відправите моє замовлення?",
    "Передзвоніть, будь ласка, після 15:00.",
    "Hello! Do you ship to Odesa?",
)


class Crowd:
    """People in turn, wishes at random; `seed` makes a run repeatable."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311 - invented people, no secret
        self._turn = 0

    def next(self) -> tuple[int, str, str]:
        """Number and name of a person, and a wish. The name says that the person is emulated."""
        number = self._turn % len(NAMES)
        self._turn += 1
        return number, f"{NAMES[number]} (емуляція)", self._random.choice(WISHES)

    def pause_s(self, every_s: float) -> float:
        """Uneven distances."""
        return every_s * self._random.uniform(0.5, 1.5)
