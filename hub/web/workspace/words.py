"""Everything a page says, in the reader's language: labels, times, sums, the domain's sentences.

Babel is imported when the first page is made: the hub's start does not wait for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hub.contacts.store import ContactRecord
from hub.kernel.clock import DAY, HOUR, MINUTE, moment, parse_rfc3339
from hub.kernel.errors import FieldProblem, HubError, Incomplete, TransitionRefused
from hub.kernel.money import Money, show_quantity
from hub.kernel.phone import show_phone
from hub.orders import rules
from hub.web.i18n import N_, catalogue
from hub.web.workspace import account_words, labels, parcel_labels

MEBIBYTE = 1024 * 1024
_NO_NAME = N_("Without a name")
_BY_HAND = "tell the customer by hand, no channel"
_APPROVAL_TASK = re.compile(r"order (\d{1,20}): approval by (\w{1,40})")
_ORDER_TASK = re.compile(r"order (\d{1,20}): ([^\n]{1,300})")
_ODD_SENTENCES = ((re.compile(r"no [a-z]+ \d+"), "There is no such thing here."),)


@dataclass(frozen=True, slots=True)
class Badge:
    """A word with a tone; the colour says nothing that the word does not."""

    text: str
    tone: str


class Words:
    """One page's language, zone and moment."""

    def __init__(self, language: str, zone: ZoneInfo, now: int) -> None:
        self.language = language
        self.zone = zone
        self.now = now
        self._catalogue = catalogue(language)

    # --- texts -------------------------------------------------------------------------------------

    def t(self, text: str, **values: object) -> str:
        """Translate a text; `values` fill its %(name)s."""
        found = self._catalogue.gettext(text) if text else ""
        return found % values if values else found

    def count(self, one: str, many: str, number: int) -> str:
        """Translate a text that counts; it holds %(num)s."""
        return self._catalogue.ngettext(one, many, number) % {"num": number}

    def sentence(self, message: str) -> str:
        """A sentence of the domain, translated where the catalogue knows its pattern."""
        return _capital(self.plain(message))

    def plain(self, message: str) -> str:
        """As `sentence`, without a capital letter; parts that a semicolon divides are looked up one by one."""
        if (whole := self._known(message, whole=True)) is not None:
            return whole
        parts = message.split("; ")
        found = [self._known(part, whole=False) for part in parts]
        if len(parts) > 1 and any(one is not None for one in found):
            return "; ".join(one or part for one, part in zip(found, parts, strict=True))
        return self._known(message, whole=False) or self.t(message)

    def _known(self, message: str, *, whole: bool) -> str | None:
        """The translation, where the catalogue knows the text or its pattern. `whole`: no fact swallows a semicolon."""
        if (same := self.t(message)) != message:
            return same
        for pattern, source in (*_ODD_SENTENCES, *_patterns()):
            if whole and "; " in message and "; " not in source:
                continue
            found = pattern.fullmatch(message)
            if found is not None:
                return self.t(source, **found.groupdict())
        return None

    def problem(self, problem: FieldProblem) -> str:
        """What is wrong with one field; a plugin says it in Ukrainian itself."""
        return (
            _capital(problem.uk) if self.language == "uk" and problem.uk else self.sentence(problem.message)
        )

    def error(self, error: HubError, people: Mapping[int, str]) -> str:
        """What a refused form is told; a conflict names who has the task."""
        if isinstance(error, TransitionRefused):
            return self.refusal(error)
        holder = str(error.facts.get("assignee_id") or "")
        if holder.isdigit() and int(holder) in people:
            return self.t(N_("%(name)s has this task now."), name=people[int(holder)])
        return self.sentence(error.message)

    def refusal(self, error: TransitionRefused) -> str:
        """A move that is not possible from where the thing stands."""
        state = str(error.facts.get("state") or "")
        if state in labels.TASK_STATE:
            text = self.t(N_("This is not possible: the task is now in the state \u201c%(state)s\u201d."))
            return text % {"state": self.task_state(state).text}
        if isinstance(error, Incomplete):
            return self.t(N_("Something has to be filled in before this step: it stands beside the button."))
        if error.facts.get("waits_for"):
            return self.t(N_("The order waits for an approval."))
        if error.facts.get("approval"):
            return self.t(N_("This approval is decided already."))
        return self.t(N_("The order cannot go there from where it stands now."))

    # --- times, sums, names --------------------------------------------------------------------------

    def _local(self, at: int) -> datetime:
        return moment(at).astimezone(self.zone)

    def iso(self, at: int) -> str:
        """For <time datetime>."""
        return self._local(at).isoformat(timespec="seconds")

    def day_field(self, at: int | None) -> str:
        """For <input type=date>."""
        return self._local(at).date().isoformat() if at is not None else ""

    def clock(self, at: int) -> str:
        """The time of day."""
        return self._local(at).strftime("%H:%M")

    def moment_field(self, at: int | None) -> str:
        """For <input type=datetime-local>."""
        return self._local(at).strftime("%Y-%m-%dT%H:%M") if at is not None else ""

    def date(self, day: date) -> str:
        """A calendar day without its year: 25 Nov."""
        from babel import dates  # noqa: PLC0415

        return dates.format_date(day, "d MMM", locale=self.language)

    def tasks(self, number: float) -> str:
        """A number of tasks, one decimal."""
        from babel import numbers  # noqa: PLC0415

        return numbers.format_decimal(number, "0.0", locale=self.language)

    def signed(self, number: float) -> str:
        """A difference, two decimals, with its sign; nothing has none."""
        return self._with_sign(number, "0.00")

    def when(self, at: int) -> str:
        """Today the hour, this year day and hour, else the date."""
        from babel import dates  # noqa: PLC0415 - see the module's docstring

        local, today = self._local(at), self._local(self.now)
        if local.date() == today.date():
            return dates.format_time(local, "HH:mm", locale=self.language)
        if local.year == today.year:
            return dates.format_datetime(local, "d MMM, HH:mm", locale=self.language)
        return dates.format_date(local.date(), "medium", locale=self.language)

    def full(self, at: int) -> str:
        """Day and hour in full, with the zone."""
        from babel import dates  # noqa: PLC0415

        return dates.format_datetime(
            self._local(at), "d MMMM y, HH:mm:ss zzz", tzinfo=self.zone, locale=self.language
        )

    def day(self, at: int) -> str:
        """A date."""
        from babel import dates  # noqa: PLC0415

        return dates.format_date(self._local(at).date(), "medium", locale=self.language)

    def span(self, milliseconds: int) -> str:
        """A length of time in one unit: 5 min, 3 h, 2 days."""
        from babel import dates  # noqa: PLC0415

        if milliseconds < MINUTE:
            return self.t(N_("less than a minute"))
        length = MINUTE if milliseconds < HOUR else HOUR if milliseconds < DAY else DAY
        whole = timedelta(milliseconds=milliseconds // length * length)
        return dates.format_timedelta(
            whole, granularity="minute", threshold=1.0, format="short", locale=self.language
        )

    def age(self, at: int) -> str:
        """How long ago."""
        return self.span(max(0, self.now - at))

    def money(self, minor: int, currency: str) -> str:
        """A sum with its currency."""
        from babel import numbers  # noqa: PLC0415

        return numbers.format_currency(Money(minor, currency).as_decimal(), currency, locale=self.language)

    def sum_field(self, minor: int | None, currency: str) -> str:
        """A sum as it stands in a form."""
        return f"{Money(minor, currency).as_decimal():f}" if minor is not None else ""

    def quantity(self, milli: int) -> str:
        """A quantity in the language's decimals."""
        text = show_quantity(milli)
        return text.replace(".", ",") if self.language == "uk" else text

    def turns(self, thousandths: int) -> str:
        """A credit of the ledger, in tasks."""
        return self._with_sign(thousandths / 1000, "0.000")

    def _with_sign(self, number: float, digits: str) -> str:
        from babel import numbers  # noqa: PLC0415

        shown = round(number, len(digits) - 2) or 0  # a difference of -0.004 is nothing
        return numbers.format_decimal(
            shown, f"+{digits};\u2212{digits}" if shown else digits, locale=self.language
        )

    def at(self, written: str) -> int:
        """The instant of a time as the API writes it."""
        return parse_rfc3339(written)

    def phone(self, number: str) -> str:
        """A telephone for reading."""
        return show_phone(number)

    def contact(self, record: ContactRecord | None) -> str:
        """What to call somebody who asks."""
        if record is None:
            return self.t(_NO_NAME)
        row = record.row
        return (
            row.name or row.organisation or show_phone(record.first("phone")) or record.first("email")
            or self.t(_NO_NAME)
        )  # fmt: skip

    def actor(self, label: str, people: Mapping[int, str]) -> str:
        """Who did something, by the label in a journal."""
        kind, _, rest = label.partition(":")
        if kind == "staff" and rest.isdigit():
            return people.get(int(rest), label)
        if kind == "token":
            return self.t(N_("API: %(name)s"), name=rest)
        return self.t(labels.ACTOR.get(label, label))

    # --- badges and labels ---------------------------------------------------------------------------

    def _badge(self, table: Mapping[str, tuple[str, str]], key: str) -> Badge:
        text, tone = table.get(key, (key, "neutral"))
        return Badge(self.t(text), tone)

    def task_state(self, state: str) -> Badge:
        """Where a task stands."""
        return self._badge(labels.TASK_STATE, state)

    def size(self, size: int) -> str:
        """A file's size: "1.4 MiB"."""
        if size >= MEBIBYTE:
            return self.t(N_("%(size)s MiB"), size=f"{size / MEBIBYTE:.1f}")
        return self.t(N_("%(size)s KiB"), size=max(1, round(size / 1024)))

    def message_state(self, state: str) -> str:
        """How far a message of ours has come."""
        return self.t(labels.MESSAGE_STATE.get(state, state))

    def request_state(self, state: str, outcome: str | None) -> Badge:
        """Open, or how it ended."""
        return self._badge(labels.OUTCOME, outcome) if outcome else self._badge(labels.REQUEST_STATE, state)

    def outcome(self, outcome: str) -> str:
        """How it ended."""
        return self._badge(labels.OUTCOME, outcome).text

    def status(self, status: str) -> Badge:
        """Where a parcel is."""
        return self._badge(labels.STATUS, status)

    def public_status(self, status: str) -> Badge:
        """Where a parcel is, as its customer is told."""
        return self._badge({**labels.STATUS, **parcel_labels.PUBLIC_STATUS}, status)

    def money_status(self, status: str) -> Badge:
        """Where the cash on delivery is."""
        return self._badge(labels.MONEY, status)

    def parcel_problem(self, problem: str) -> str:
        """What stands in the way of tracking."""
        return self.t(labels.PARCEL_PROBLEM.get(problem, problem))

    def rule(self, line: str, titles: Mapping[str, str]) -> str:
        """A rule by which an order follows its parcels; `titles` of stages. Text that is none stays as it is."""
        try:
            rule = rules.of_line(line)
        except ValueError:
            return line
        told = {
            "parcel": [self.status(one).text for one in rule.parcel],
            "money": [self.money_status(one).text for one in rule.money],
            "payment": [self.payment(one) for one in rule.payment],
        }
        parts = [self.t(parcel_labels.RULE[name], names=", ".join(v)) for name, v in told.items() if v]
        return f"{_capital('; '.join(parts))} → {titles.get(rule.stage, rule.stage)}"

    def statuses(self, keys: Sequence[str]) -> list[tuple[str, str]]:
        """Statuses of parcels to choose from."""
        return [(key, self.status(key).text) for key in keys]

    def money_statuses(self, keys: Sequence[str]) -> list[tuple[str, str]]:
        """Statuses of money to choose from."""
        return [(key, self.money_status(key).text) for key in keys]

    def concern(self, concern: str) -> str:
        """What may be the matter with a parcel."""
        return self.t(parcel_labels.CONCERN[concern])

    def no_concern(self, concern: str) -> str:
        """Nothing of the kind."""
        return self.t(parcel_labels.NO_CONCERN[concern])

    def verdict_of_line(self, verdict: str) -> Badge:
        """What happens to a line of many."""
        return self._badge(parcel_labels.VERDICT, verdict)

    def notice_step(self, step: str) -> str:
        """A step of a parcel that customers can be told."""
        return self.t(parcel_labels.NOTICE_STEP[step])

    def storage(self, at: int) -> str:
        """From when a parcel that waits costs money."""
        if at <= self.now:
            return self.t(N_("paid storage since %(day)s"), day=self.day(at))
        return self.t(N_("free storage until %(day)s"), day=self.day(at))

    def why_waybill(self, why: str) -> str:
        """Why a found waybill is proposed for an order."""
        return self.t(parcel_labels.WHY_WAYBILL.get(why, why))

    def relation(self, relation: str) -> str:
        """Why a waybill belongs to another."""
        return self.t(labels.RELATION.get(relation, relation))

    def payment(self, payment: str) -> str:
        """How the customer pays."""
        return self.t(labels.PAYMENT.get(payment, payment))

    def roles(self, roles: Sequence[str]) -> str:
        """Roles of a person."""
        return ", ".join(self.t(labels.ROLE.get(role, role)) for role in sorted(roles))

    def event(self, entity: str, event: str) -> str:
        """What a journal entry tells."""
        return self.t(labels.EVENT.get((entity, event), event))

    def reason(self, reason: str) -> str:
        """A reason: people's own words stay, the hub's own are translated."""
        return self.t(labels.REASON[reason]) if reason in labels.REASON else reason

    def excluded(self, reason: str) -> str:
        """Why somebody could not be dealt a task."""
        return self.t(labels.EXCLUDED.get(reason, reason))

    def audited(self, action: str) -> str:
        """What an entry of the audit log tells."""
        return self.t(labels.AUDIT.get(action, action))

    def source(self, source: str) -> str:
        """How a request came in, where no channel brought it."""
        return self.t(labels.SOURCE.get(source, source))

    def double(self, reason: str) -> str:
        """Why two cards are probably one."""
        return self.t(labels.DOUBLE.get(reason, reason))

    def notice(self, key: str) -> str:
        """What a form did."""
        return self.t(labels.NOTICES[key]) if key in labels.NOTICES else ""

    def task_kind(self, kind: str) -> str:
        """What kind of work."""
        return self.t(labels.TASK_KIND.get(kind, kind))

    def approval(self, state: str) -> Badge:
        """Where an approval stands."""
        return self._badge(labels.APPROVAL, state)

    def approver(self, role: str) -> str:
        """Who is asked."""
        return self.t(labels.ROLE[role]) if role in labels.ROLE else role

    def approvers(self, roles: Sequence[str]) -> str:
        """Who are asked."""
        return ", ".join(self.approver(role) for role in roles)

    def verdict(self, verdict: str) -> str:
        """What was said to an approval."""
        return self.t(labels.VERDICT.get(verdict, verdict))

    def changed(self, name: str) -> str:
        """What of an order was changed."""
        return self.t(labels.CHANGED.get(name, name))

    def payments(self) -> list[tuple[str, str]]:
        """How a customer can pay, for a select."""
        return [(key, self.payment(key)) for key in labels.PAYMENT]

    def methods(self) -> list[tuple[str, str]]:
        """How money can come, for a select."""
        return [(key, self.method(key)) for key in labels.METHOD]

    def method(self, method: str) -> str:
        """How money came."""
        return self.t(labels.METHOD.get(method, method))

    def lacking(self, path: str, message: str) -> str:
        """What an order is lacking: the hub's own checks are translated."""
        return self.t(labels.LACKING[path]) if path in labels.LACKING else message

    def sort(self, sort: str) -> str:
        """By what a registry is sorted."""
        return self.t(labels.SORT.get(sort, sort))

    def task_title(self, kind: str, title: str) -> str:
        """What a task is about; titles that the hub made itself are translated."""
        if kind == "read_by_hand":
            account = title.partition(":")[0]
            return self.t(N_("Read by hand: a delivery of %(account)s"), account=account)
        if kind == "approval" and (found := _APPROVAL_TASK.fullmatch(title)):
            return self.t(
                N_("Order № %(number)s: approval, %(role)s"), number=found[1], role=self.approver(found[2])
            )
        if kind == "order" and (found := _ORDER_TASK.fullmatch(title)):
            title = self.t(N_("tell the customer by hand")) if found[2].startswith(_BY_HAND) else found[2]
            return self.t(N_("Order № %(number)s: %(title)s"), number=found[1], title=title)
        return (
            self.sentence(title)
            if kind in {"question", "approval"}
            else title or self.t(N_("Without a subject"))
        )


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Sentences with facts in them, as patterns; the longest first."""
    found = []
    for source in sorted((*labels.SENTENCES, *account_words.SENTENCES), key=len, reverse=True):
        if "%(" in source:
            parts = re.split(r"(%\(\w+\)s)", source)
            pattern = "".join(
                f"(?P<{part[2:-2]}>[^\n]{{1,300}}?)" if part.startswith("%(") else re.escape(part)
                for part in parts
            )
            found.append((re.compile(pattern), source))
    return tuple(found)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
