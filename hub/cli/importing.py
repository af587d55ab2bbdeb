"""hub import: contacts and orders out of a table. The whole file is checked first, every fault with its line.

Again is harmless: a contact is who has this telephone or e-mail, an order is its number. What is known stays as
it is; of a contact only empty fields and missing telephones and addresses are filled in. What `hub export` wrote
can be read back, its further columns are passed over.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.frame import FINDING, config_option, ground_of, guarded, json_option, made
from hub.kernel.errors import InputRejected

if TYPE_CHECKING:
    from decimal import Decimal

    from hub.contacts.model import IdentityKey, Person
    from hub.db.tx import Tx
    from hub.orders.model import NewLine

BATCH = 200
SHOWN = 200
_WORDS = {
    "number": ("number", "номер", "номер замовлення", "замовлення", "order"),
    "name": ("name", "ім'я", "імя", "піб", "клієнт", "контакт", "contact", "customer"),
    "organisation": ("organisation", "organization", "company", "організація", "компанія", "фірма"),
    "phone": ("phone", "phones", "телефон", "тел", "тел.", "номер телефону"),
    "email": ("email", "e-mail", "emails", "пошта", "електронна пошта"),
    "language": ("language", "мова"),
    "note": ("note", "comment", "примітка", "коментар", "нотатка"),
    "responsible": ("responsible", "відповідальний", "менеджер", "manager"),
    "payment": ("payment", "оплата", "спосіб оплати"),
    "item": ("item", "product", "товар", "назва товару", "позиція"),
    "sku": ("sku", "артикул"),
    "quantity": ("quantity", "кількість", "к-сть"),
    "price": ("price", "ціна"),
    "paid": ("paid", "сплачено", "оплачено"),
}
_PAYMENTS = {
    "cod": "cod", "післяплата": "cod", "накладений платіж": "cod", "prepaid": "prepaid", "передоплата": "prepaid",
    "other": "other", "інше": "other", "": "other",
}  # fmt: skip


@dataclass(slots=True)
class Found:
    """What a file holds: values by (line, column), and what is wrong."""

    rows: list[tuple[int, Mapping[str, str]]]
    faults: list[tuple[int, str]] = field(default_factory=list)

    def fault(self, line: int, message: str) -> None:
        """Something is wrong with a line."""
        self.faults.append((line, message))


@click.command("import")
@click.argument("what", type=click.Choice(["contacts", "orders"]))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--responsible", help="Who answers for orders whose line names nobody: a person's name.")
@click.option("--dry-run", is_flag=True, help="Only check the file.")
@config_option
@json_option
@guarded
def import_(
    what: str, file: Path, responsible: str | None, dry_run: bool, config: str | None, as_json: bool
) -> None:
    """Take contacts or orders out of a CSV, XLSX or JSON lines FILE. Nothing is written while a line is wrong."""
    found = _read(file)
    with ground_of(config) as ground:
        region, currency = ground.loaded.settings.hub.region, ground.loaded.settings.hub.currency
        if what == "contacts":
            people = _check_contacts(found, region)
            steps: Sequence[Callable[[Tx], str]] = [_contact_step(*one) for one in people]
        else:
            names = ground.db.read_now(_people)
            steps = [
                _order_step(one, currency)
                for one in _check_orders(found, region, currency, names, responsible)
            ]
        if found.faults:
            _refuse(found.faults, as_json)
        counted = {"read": len(steps), "added": 0, "changed": 0, "known": 0}
        if not dry_run:
            for at in range(0, len(steps), BATCH):
                part = steps[at : at + BATCH]
                for outcome in ground.db.write_now(partial(_run, part)):
                    counted[outcome] += 1
                if not as_json and len(steps) > BATCH:
                    click.echo(f"{min(at + BATCH, len(steps))} of {len(steps)}", err=True)
    words = "checked, nothing written" if dry_run else (
        f"added {counted['added']}, completed {counted['changed']}, known already {counted['known']}"
    )  # fmt: skip
    made(counted, as_json, f"read {counted['read']} {what}: {words}")


def _run(steps: Sequence[Callable[[Tx], str]], tx: Tx) -> list[str]:
    return [step(tx) for step in steps]


def _refuse(faults: list[tuple[int, str]], as_json: bool) -> None:
    faults.sort()
    if as_json:
        made({"errors": [{"line": line, "message": message} for line, message in faults]}, True, "")
    else:
        for line, message in faults[:SHOWN]:
            click.echo(f"line {line}: {message}", err=True)
        if len(faults) > SHOWN:
            click.echo(f"and {len(faults) - SHOWN} more", err=True)
        click.echo("nothing was written: correct the lines and import again", err=True)
    sys.exit(FINDING)


# --- reading -------------------------------------------------------------------------------------------------


def _read(file: Path) -> Found:
    """Rows by our own names of columns."""
    from hub.kernel import sheets  # noqa: PLC0415

    body = file.read_bytes()
    if file.suffix.lower() in {".jsonl", ".ndjson"}:
        return Found([(line, _named(row)) for line, row in sheets.read_jsonl(body)])
    rows = sheets.read_rows(body)
    if not rows:
        raise InputRejected(f"{file} is empty")
    head = rows[0]
    if not _named(dict.fromkeys(head, "x")):
        known = ", ".join(words[0] for words in _WORDS.values())
        raise InputRejected(f"line 1 of {file} names no column that is known: there are {known}")
    found: list[tuple[int, Mapping[str, str]]] = []
    for line, row in enumerate(rows[1:], 2):
        if any(cell.strip() for cell in row):
            found.append((line, _named(dict(zip(head, row, strict=False)))))
    return Found(found)


def _named(row: Mapping[str, str]) -> dict[str, str]:
    names = {word: key for key, words in _WORDS.items() for word in words}
    told: dict[str, str] = {}
    for title, value in row.items():
        key = names.get(" ".join(title.replace("\u02bc", "'").replace("\u2019", "'").casefold().split()))
        if key is not None:
            told.setdefault(key, value.strip())
    return told


def _person(found: Found, line: int, row: Mapping[str, str], region: str) -> Person:
    """Who it is; several telephones or addresses stand in one cell with spaces, commas or semicolons between."""
    from hub.contacts.model import EMAIL, PHONE, IdentityKey, Person  # noqa: PLC0415
    from hub.kernel import text  # noqa: PLC0415
    from hub.kernel.email import parse_email  # noqa: PLC0415

    keys: list[IdentityKey] = []
    for told in _phones(row.get("phone", ""), region):
        number, written = told
        if number is None:
            found.fault(line, f"{written} is no telephone number, such as +380671234567")
        else:
            keys.append(IdentityKey(PHONE, number))
    for written in row.get("email", "").replace(",", " ").replace(";", " ").split():
        address = parse_email(written)
        if address is None:
            found.fault(line, f"{written} is no e-mail address")
        else:
            keys.append(IdentityKey(EMAIL, address))
    if not keys and not (row.get("phone") or row.get("email")):
        found.fault(line, "a telephone or an e-mail is needed: without one the next import would double it")
    language = row.get("language", "").lower() or None
    if language not in {None, "uk", "en"}:
        found.fault(line, f"the language {language} is not known: uk or en")
    return Person(
        text.one_line(row.get("name", ""), text.NAME),
        text.one_line(row.get("organisation", ""), text.NAME),
        language,
        tuple(dict.fromkeys(keys)),
    )


def _phones(cell: str, region: str) -> list[tuple[str | None, str]]:
    from hub.kernel.phone import parse_phone  # noqa: PLC0415

    if not cell:
        return []
    whole = parse_phone(cell, region)
    if whole is not None:
        return [(whole, cell)]
    parts = [part.strip() for part in cell.replace(",", ";").split(";") if part.strip()]
    if len(parts) == 1:
        parts = cell.split()
    return [(parse_phone(part, region), part) for part in parts]


# --- contacts ------------------------------------------------------------------------------------------------


def _check_contacts(found: Found, region: str) -> list[tuple[Person, str]]:
    from hub.kernel import text  # noqa: PLC0415

    return [
        (_person(found, line, row, region), text.clean(row.get("note", ""), text.BODY))
        for line, row in found.rows
    ]


def _contact_step(person: Person, note: str) -> Callable[[Tx], str]:
    def step(tx: Tx) -> str:
        from hub.contacts import store  # noqa: PLC0415
        from hub.orders.service import index_contact  # noqa: PLC0415

        owners = store.owners(tx.conn, person.identities)
        contact_id = store.find_or_add(tx, person)
        record = store.get(tx.conn, contact_id)
        told = {
            "name": person.name,
            "organisation": person.organisation,
            "language": person.language,
            "note": note,
        }
        empty: dict[str, Any] = {k: v for k, v in told.items() if v and not getattr(record.row, k)}
        if empty:
            store.save(tx, contact_id, None, **empty)
        if not owners:
            return "added"
        if empty or len(owners) < len(person.identities):
            index_contact(tx, contact_id)
            return "changed"
        return "known"

    return step


# --- orders --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sold:
    """One order of a file, its lines gathered by its number."""

    number: str
    person: Person
    responsible_id: int
    payment: str
    note: str
    lines: list[NewLine]
    paid_minor: int


def _people(conn: Any) -> dict[str, int]:
    from sqlalchemy import select  # noqa: PLC0415

    from hub.db.tables import staff  # noqa: PLC0415

    query = select(staff.c.id, staff.c.name).where(staff.c.state == "active")
    return {row.name.casefold(): row.id for row in conn.execute(query)}


def _check_orders(
    found: Found, region: str, currency: str, people: Mapping[str, int], default: str | None
) -> list[Sold]:
    """Orders by number; a further line of the same number adds what was sold."""
    if default is not None and default.casefold() not in people:
        raise InputRejected(
            f"--responsible: there is no {default}; people: {', '.join(people) or 'none yet'}"
        )
    sold: dict[str, Sold] = {}
    for line, row in found.rows:
        number = row.get("number", "").lstrip("#№ ")
        if not number or len(number) > 40:
            found.fault(line, "an order needs its number: without one the next import would double it")
            continue
        known = sold.get(number)
        if known is None:
            responsible = row.get("responsible") or default or ""
            if responsible.casefold() not in people:
                found.fault(
                    line, f"nobody called {responsible or '(empty)'} works here: correct it, or --responsible"
                )
            payment = row.get("payment", "").casefold()
            if payment not in _PAYMENTS:
                found.fault(line, f"the payment {payment} is not known: cod, prepaid or other")
            known = sold[number] = Sold(
                number,
                _person(found, line, row, region),
                people.get(responsible.casefold(), 0),
                _PAYMENTS.get(payment, "other"),
                row.get("note", ""),
                [],
                _minor(found, line, "paid", row, currency),
            )
        if row.get("item"):
            known.lines.append(_line(found, line, row, currency))
    return list(sold.values())


def _line(found: Found, line: int, row: Mapping[str, str], currency: str) -> NewLine:
    from hub.kernel.money import parse_quantity  # noqa: PLC0415
    from hub.orders.model import NewLine  # noqa: PLC0415

    quantity = 1000
    try:
        quantity = parse_quantity(row["quantity"]) if row.get("quantity") else 1000
    except ValueError as error:
        found.fault(line, str(error))
    price = _minor(found, line, "price", row, currency)
    return NewLine(name=row["item"], sku=row.get("sku") or None, quantity_milli=quantity, price_minor=price)


def _minor(found: Found, line: int, key: str, row: Mapping[str, str], currency: str) -> int:
    from hub.kernel.money import parse_decimal, to_minor  # noqa: PLC0415

    if not row.get(key):
        return 0
    value: Decimal | None = parse_decimal(row[key])
    try:
        if value is not None and value >= 0:
            return to_minor(value, currency)
    except ValueError:
        pass
    found.fault(line, f"{key}: {row[key][:40]} is no sum, such as 1250,50")
    return 0


def _order_step(sold: Sold, currency: str) -> Callable[[Tx], str]:
    def step(tx: Tx) -> str:
        from sqlalchemy import select  # noqa: PLC0415

        from hub.access.model import system  # noqa: PLC0415
        from hub.db.tables import orders as table  # noqa: PLC0415
        from hub.orders import service  # noqa: PLC0415
        from hub.orders.model import NewOrder, Payment  # noqa: PLC0415
        from hub.orders.money import Method, NewPayment, PaymentKind  # noqa: PLC0415

        if tx.execute(select(table.c.id).where(table.c.number == sold.number)).first() is not None:
            return "known"
        cli = system("cli")
        new = NewOrder(
            contact_id=None,
            request_id=None,
            responsible_id=sold.responsible_id,
            lines=sold.lines,
            payment=Payment(sold.payment),
            currency=currency,
            note=sold.note,
            number=sold.number,
        )
        row = service.create(tx, cli, new, sold.person)
        if sold.paid_minor:
            paid = NewPayment(
                kind=PaymentKind.RECEIVED,
                amount_minor=sold.paid_minor,
                method=Method.OTHER,
                paid_at=tx.now,
                note="",
            )
            service.record_payment(tx, cli, row.id, paid)
        return "added"

    return step


COMMANDS = (import_,)
