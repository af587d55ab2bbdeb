"""A carrier that can everything, in memory, and the kit for it. `tests/contract/test_kit_of_carriers.py` breaks it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    Carrier,
    CarrierCapabilities,
    CarrierPlugin,
    Changes,
    Document,
    Documents,
    Facts,
    Host,
    Likeness,
    NotTracked,
    NumbersRejected,
    Observation,
    Problem,
    Recognition,
    Status,
    TemporaryFailure,
    TrackAnswer,
    Tracked,
    TrackingNumber,
    Transfer,
    Transfers,
)
from hub.sdk.reading import read_json, told_minor, told_text, told_time
from hub.testing.contract_carrier import CarrierContract
from hub.testing.situations import Situation

KEY = "the-key-of-the-whole"
CODES = {"moves": Status.IN_TRANSIT, "there": Status.ARRIVED}
NUMBERS = ("WH1000001", "WH1000002", "WH1000003", "WH1000004")
DAY = timedelta(days=1)


class WholeSettings(BaseModel):
    """Two keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base_url: str = Field(default="http://carrier.invalid/", description="Where it is.")
    api_key: SecretStr = Field(default=SecretStr(KEY), description="Its key.")


class Whole(Carrier):
    """Everything as it ought to be."""

    capabilities = CarrierCapabilities(
        batch_size=10,
        lists_changes=True,
        lists_documents=True,
        lists_transfers=True,
        tracking_page="https://whole.example/track/{number}",
    )

    def __init__(self, account: str, settings: WholeSettings, host: Host) -> None:
        self._key = settings.api_key.get_secret_value()
        self._base = settings.base_url.rstrip("/")
        self._http = host.http

    def looks_like(self, text: str) -> Recognition:
        number = text.strip().upper()
        own = len(number) == 9 and number[:2] == "WH" and number[2:].isascii() and number[2:].isdigit()
        return (
            Recognition(likeness=Likeness.SURE, number=number) if own else Recognition(likeness=Likeness.NO)
        )

    async def call(self, path: str, **parameters: Any) -> dict[str, Any]:
        headers = {"x-key": self._key}
        reply = await self._http.request(
            "POST", f"{self._base}/{path}", content=json.dumps(parameters).encode(), headers=headers
        )
        if reply.status in {401, 403}:
            raise AuthenticationFailed("the key is not accepted")
        if reply.status != 200:
            raise TemporaryFailure(f"HTTP {reply.status}")
        answer = self.read(reply.body)
        if not isinstance(answer, dict) or answer.get("ok") is not True:
            raise AnswerUnreadable("no answer of this carrier")
        if answer.get("refused"):
            raise NumbersRejected([told_text(answer["refused"], 40)])
        return answer

    def read(self, body: bytes) -> Any:
        return read_json(body)

    async def track(self, numbers: Sequence[TrackingNumber]) -> TrackAnswer:
        asked = list(dict.fromkeys(one.number for one in numbers))
        good = [number for number in asked if self.looks_like(number).number]
        if not asked:
            return TrackAnswer()
        items = (await self.call("track", numbers=good)).get("items") if good else []
        if not isinstance(items, list):
            raise AnswerUnreadable("no list of parcels")
        told = {item.get("number"): item for item in items if isinstance(item, dict) and _is_text(item)}
        entries = [self.entry(number, told.get(number), number in good) for number in asked]
        return self.joined(entries)

    def joined(self, entries: Sequence[Tracked | NotTracked]) -> TrackAnswer:
        return TrackAnswer(
            tracked=tuple(one for one in entries if isinstance(one, Tracked)),
            problems=tuple(one for one in entries if isinstance(one, NotTracked)),
        )

    def entry(self, number: str, item: Mapping[str, Any] | None, good: bool) -> Tracked | NotTracked:
        if not good:
            return NotTracked(number=number, problem=Problem.BAD_NUMBER)
        code = told_text(item.get("code"), 40) if item is not None else ""
        if item is None or not code:
            return NotTracked(number=number, problem=Problem.NO_NEWS)
        return Tracked(number=number, observations=(self.observe(item, code),), document=b"{}")

    def observe(self, item: Mapping[str, Any], code: str) -> Observation:
        return Observation(
            status=CODES.get(code, Status.UNKNOWN),
            raw_code=code,
            clock=told_time(item.get("at"), "UTC"),
            facts=Facts(cod_expected=told_minor(item.get("cod"))),
        )

    async def changes(self, since: datetime, until: datetime, page: str) -> Changes:
        reached = min(until, since + DAY)
        answer = await self.call("changes", page=page)
        tracked = self.joined(
            [self.entry(one["number"], one, True) for one in answer.get("items", ())]
        ).tracked
        following = told_text(answer.get("next"), 40)
        return Changes(tracked=tracked, next_page=following, until=None if following else reached)

    async def documents(self, since: datetime, page: str) -> Documents:
        answer = await self.call("documents", page=page)
        documents = tuple(Document(number=one["number"]) for one in answer.get("items", ()))
        return Documents(documents=documents, next_page=told_text(answer.get("next"), 40))

    async def transfers(self, since: datetime, page: str) -> Transfers:
        answer = await self.call("transfers", page=page)
        transfers = tuple(Transfer(number=one["number"], amount=100) for one in answer.get("items", ()))
        return Transfers(transfers=transfers, next_page=told_text(answer.get("next"), 40))

    async def check(self) -> str:
        await self.call("check")
        return "the key is accepted"


def _is_text(item: Mapping[str, Any]) -> bool:
    return isinstance(item.get("number"), str)


PLUGIN = CarrierPlugin(
    name="whole", title={"en": "Whole", "uk": "Ціле"}, settings=WholeSettings, create=Whole, version="1.0"
)


class WholeContract(CarrierContract):
    """Not collected: its name does not begin with Test."""

    plugin = PLUGIN
    settings = {"api_key": KEY}
    secrets = (KEY,)
    numbers = tuple(TrackingNumber(number=number) for number in NUMBERS)
    known_codes = ("moves", "there")
    bad_number = "?"
    kind: type[Carrier] = Whole

    def make(self, host: Host, base_url: str) -> Carrier:
        return self.kind("account", WholeSettings(base_url=base_url), host)  # type: ignore[call-arg]

    def answer(self, _: httpx.Request, codes: Mapping[str, str]) -> httpx.Response:
        items = [
            {"number": number, "code": code, "at": "2026-03-04T10:00:00Z", "cod": "12.50"}
            for number, code in codes.items()
        ]
        return httpx.Response(200, json={"ok": True, "items": items})

    def refusal(self, request: httpx.Request, number: str) -> httpx.Response | None:
        return httpx.Response(200, json={"ok": True, "refused": number})

    def reply(self, request: httpx.Request, situation: Situation) -> httpx.Response:
        first = not json.loads(request.content).get("page")
        items = (
            [{"number": NUMBERS[0 if first else 1], "code": "moves"}] if situation is Situation.WELL else []
        )
        following = "2" if first and items else ""
        return httpx.Response(200, json={"ok": True, "items": items, "next": following})
