"""The checks of a carrier that lists what changed, its waybills or money transfers, and of its `check`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx

from hub.sdk import (
    AuthenticationFailed,
    Carrier,
    Changes,
    Documents,
    Notice,
    PluginError,
    TemporaryFailure,
    Throttled,
    Transfers,
)
from hub.testing.face import Face, check_value, requires
from hub.testing.situations import FAULTS, RETRY_AFTER_S, Answerer, Situation, scripted

UNTIL = datetime(2026, 3, 5, 8, 40, tzinfo=UTC)
SINCE = UNTIL - timedelta(hours=2)
MAX_PAGES = 50
_KINDS: dict[Situation, type[PluginError]] = {
    Situation.UNAUTHORISED: AuthenticationFailed,
    Situation.THROTTLED: Throttled,
    Situation.BROKEN: TemporaryFailure,
    Situation.TIME_OUT: TemporaryFailure,
    Situation.UNREACHABLE: TemporaryFailure,
    Situation.HALF_BODY: PluginError,
    Situation.UNREADABLE: PluginError,
}


class CarrierLists(Face):
    """Lists and `check`: they exist only where the carrier has them.

    asks_on_check  False for a carrier that can check nothing (its API has no cheap call)
    """

    asks_on_check: ClassVar[bool] = True

    @abstractmethod
    def ask_list(self, answerer: Answerer, call: Callable[[Carrier], Awaitable[Any]]) -> Any:
        """One call against scripted answers."""
        raise NotImplementedError

    def reply(self, request: httpx.Request, situation: Situation) -> httpx.Response:
        """The carrier's answer to `check` and to the lists: all is WELL (with entries), or QUIET (none)."""
        raise NotImplementedError("write `reply`: this carrier says that it lists or checks")

    def applies(self, need: str) -> bool:
        """`checks`: `check` is the plugin's own and asks the carrier; else a capability."""
        if need == "checks":
            return (
                self.asks_on_check
                and type(self.built()).check is not Carrier.check
                and type(self).reply is not CarrierLists.reply
            )
        return super().applies(need)

    def listed(self, situation: Situation, call: Callable[[Carrier], Awaitable[Any]]) -> Any:
        """One call in one situation; an error of the contract as a value."""
        try:
            return self.ask_list(scripted(situation, self.reply), call)
        except PluginError as error:
            return error

    def _fails(self, call: Callable[[Carrier], Awaitable[Any]]) -> None:
        for situation in FAULTS:
            error = self.listed(situation, call)
            assert isinstance(error, _KINDS[situation]), f"{situation}: {type(error).__name__}"
            if isinstance(error, Throttled):
                assert error.retry_after_s == RETRY_AFTER_S

    def _pages(self, situation: Situation, call: Callable[[Carrier, str], Awaitable[Any]]) -> list[Any]:
        """All pages of a list, to its end."""
        pages, page = [], ""
        for _ in range(MAX_PAGES):
            one = self.listed(situation, lambda carrier, at=page: call(carrier, at))  # type: ignore[misc]  # a default of a lambda has no type
            assert not isinstance(one, PluginError), repr(one)
            check_value(one)
            pages.append(one)
            page = one.next_page
            if not page:
                return pages
        raise AssertionError("a list has an end")

    # check ---------------------------------------------------------------------------------------------

    @requires("checks")
    def test_check_says_a_short_sentence(self) -> None:
        said = self.listed(Situation.WELL, lambda carrier: carrier.check())
        assert isinstance(said, str), repr(said)
        assert 0 < len(said) <= 500

    @requires("checks")
    def test_check_tells_each_fault_from_success(self) -> None:
        self._fails(lambda carrier: carrier.check())

    def test_notices_are_short_sentences_that_cost_no_call(self) -> None:
        """Asked each hour: they come from settings and the account's store, never from the carrier."""

        def forbidden(request: httpx.Request) -> httpx.Response:
            raise AssertionError("`notices` asks the carrier")

        notices = self.ask_list(forbidden, lambda carrier: carrier.notices())
        assert isinstance(notices, tuple)
        assert all(isinstance(one, Notice) for one in notices)
        assert len({one.key for one in notices}) == len(notices), "a key names one notice"
        for one in notices:
            check_value(one)
            assert all(0 < len(one.text[language]) <= 500 for language in ("en", "uk"))
            assert not [place for place, secret in enumerate(self.secrets) if secret in repr(one)]

    # changes -------------------------------------------------------------------------------------------

    @requires("lists_changes")
    def test_changes_are_listed_to_their_end(self) -> None:
        pages = self._pages(Situation.WELL, lambda carrier, page: carrier.changes(SINCE, UNTIL, page))
        assert all(isinstance(page, Changes) for page in pages)
        assert any(page.tracked for page in pages)
        assert pages[-1].until is not None, "the next call begins at `until`"
        assert SINCE < pages[-1].until <= UNTIL
        assert all(page.until is None for page in pages[:-1])

    @requires("lists_changes")
    def test_no_changes_move_the_clock_on(self) -> None:
        pages = self._pages(Situation.QUIET, lambda carrier, page: carrier.changes(SINCE, UNTIL, page))
        assert not any(page.tracked for page in pages)
        assert pages[-1].until is not None, "else the same span is asked for ever"

    @requires("lists_changes")
    def test_a_long_absence_is_asked_in_pieces(self) -> None:
        """The hub was off for a month: the plugin takes what its carrier allows, and says how far it got."""
        since = UNTIL - timedelta(days=40)
        pages = self._pages(Situation.QUIET, lambda carrier, page: carrier.changes(since, UNTIL, page))
        assert since < pages[-1].until <= UNTIL

    @requires("lists_changes")
    def test_changes_tell_each_fault_from_no_changes(self) -> None:
        self._fails(lambda carrier: carrier.changes(SINCE, UNTIL, ""))

    # documents and transfers ---------------------------------------------------------------------------

    @requires("lists_documents")
    def test_documents_are_listed_to_their_end(self) -> None:
        pages = self._pages(Situation.WELL, lambda carrier, page: carrier.documents(SINCE, page))
        assert all(isinstance(page, Documents) for page in pages)
        documents = [one for page in pages for one in page.documents]
        assert documents
        assert all(
            one.number and (one.cod_expected is None or type(one.cod_expected) is int) for one in documents
        )
        assert all(one.created_at is None or one.created_at.utcoffset() == timedelta(0) for one in documents)

    @requires("lists_documents")
    def test_no_documents_are_an_empty_list(self) -> None:
        pages = self._pages(Situation.QUIET, lambda carrier, page: carrier.documents(SINCE, page))
        assert not any(page.documents for page in pages)

    @requires("lists_documents")
    def test_documents_tell_each_fault_from_no_documents(self) -> None:
        self._fails(lambda carrier: carrier.documents(SINCE, ""))

    @requires("lists_transfers")
    def test_transfers_are_listed_to_their_end(self) -> None:
        pages = self._pages(Situation.WELL, lambda carrier, page: carrier.transfers(SINCE, page))
        assert all(isinstance(page, Transfers) for page in pages)
        transfers = [one for page in pages for one in page.transfers]
        assert transfers
        assert all(
            type(one.amount) is int and one.amount >= 0 and len(one.currency) == 3 for one in transfers
        )
        assert all(
            one.paid_out_at is None or one.paid_out_at.utcoffset() == timedelta(0) for one in transfers
        )

    @requires("lists_transfers")
    def test_no_transfers_are_an_empty_list(self) -> None:
        pages = self._pages(Situation.QUIET, lambda carrier, page: carrier.transfers(SINCE, page))
        assert not any(page.transfers for page in pages)

    @requires("lists_transfers")
    def test_transfers_tell_each_fault_from_no_transfers(self) -> None:
        self._fails(lambda carrier: carrier.transfers(SINCE, ""))
