"""Does the cash on delivery that a carrier tells fit its order at all? Pure.

Nobody says in which unit some carriers tell sums, and a mistyped sum on a waybill looks the same: a hundred
times too much or too little. Anything nearer may be right (money paid before, several parcels, delivery on top),
so only what is out by `FACTOR` is a question to the seller, once for each new sum.
"""

from __future__ import annotations

FACTOR = 50


def is_odd(expected_minor: int | None, total_minor: int) -> bool:
    """Is this sum so far from the order's that somebody has to look?"""
    if not expected_minor or total_minor <= 0:
        return False
    return expected_minor >= total_minor * FACTOR or expected_minor * FACTOR <= total_minor
