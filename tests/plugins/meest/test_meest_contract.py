"""The compulsory checks of a carrier: before the login, and with a login in the store."""

import json
from collections.abc import Mapping

import httpx
import pytest

from hub.sdk import AuthenticationFailed, Carrier, Host, TrackingNumber
from hub.testing.contract_carrier import CarrierContract
from hub.testing.host import START, LoopbackHost
from hub.testing.situations import Situation
from plugins.meest.login import STORE_KEY, Login
from plugins.meest.plugin import PLUGIN, Meest
from plugins.meest.settings import MeestSettings
from tests.plugins.meest.made import BARCODE, LOGIN_TOKEN, NUMBER, PASSWORD, USER, error, event, login, ok


class TestMeest(CarrierContract):
    plugin = PLUGIN
    numbers = (TrackingNumber(number=NUMBER), TrackingNumber(number=BARCODE))
    known_codes = ("606", "1622")
    bad_number = "??"
    secrets = (USER, PASSWORD, LOGIN_TOKEN)

    def make(self, host: Host, base_url: str) -> Carrier:
        settings = MeestSettings.model_validate(
            {"base_url": base_url, "username": USER, "password": PASSWORD}
        )
        return Meest("meest", settings, host)

    def answer(self, request: httpx.Request, codes: Mapping[str, str]) -> httpx.Response:
        if request.url.path.endswith("/auth"):
            assert json.loads(request.content) == {"username": USER, "password": PASSWORD}
            return httpx.Response(200, content=login())
        assert request.headers["token"] == LOGIN_TOKEN
        number = request.url.path.rsplit("/", 1)[1]
        if number not in codes:
            return httpx.Response(404, content=error("Data not found"))
        return httpx.Response(200, content=ok([event(int(codes[number]), number)]))

    def reply(self, request: httpx.Request, situation: Situation) -> httpx.Response:
        if request.url.path.endswith("/auth"):
            return httpx.Response(200, content=login())
        if situation is Situation.WELL:
            return httpx.Response(200, content=ok([event(606, NUMBER)]))
        return httpx.Response(404, content=error("Data not found"))


class TestMeestLoggedIn(TestMeest):
    """Every fault meets the tracking call itself, not the login."""

    def make(self, host: Host, base_url: str) -> Carrier:
        known = Login(token=LOGIN_TOKEN, refresh_token="refresh-1", ends_at=START + 86_400_000)
        assert isinstance(host, LoopbackHost)
        host.store._values[STORE_KEY] = known.written()
        return super().make(host, base_url)

    def test_401_stops_the_account_after_one_new_login(self) -> None:
        paths = []

        def answerer(request: httpx.Request) -> httpx.Response:
            paths.append(request.url.path)
            return httpx.Response(200, content=login("other")) if "auth" in paths[-1] else httpx.Response(401)

        with pytest.raises(AuthenticationFailed, match="fresh login"):
            self.track(answerer)
        assert paths == [f"/tracking/{NUMBER}", "/auth", f"/tracking/{NUMBER}"]
