"""The traps that users of other clients ran into, by number, and which of them cannot be met here yet.

N Nova Poshta, U Ukrposhta, M Meest, D Delivery, I international carriers. A number is answered by a test whose
name begins with it (`test_n7_...`), or stands in NOT_YET with the reason.
"""

NUMBERS = frozenset(
    f"{letter}{number}"
    for letter, last in {"N": 30, "U": 12, "M": 6, "D": 4, "I": 4}.items()
    for number in range(1, last + 1)
)

NOT_YET = {
    "N9": "directories of branches are not read: there is none that an empty answer could replace",
    "N17": "payouts to a card are ordered with a waybill, and no waybills are made",
    "N29": "descriptions stand in waybills, and no waybills are made",
    "N30": "pallets and wheels are kinds of waybills, and no waybills are made",
}
