"""The HTTP client of plugins: time-outs, Retry-After, and nothing private in what it says."""

import asyncio
import email.utils
import logging
import socket
import time
import traceback

import httpx
import pytest

from hub.sdk import (
    AnswerUnreadable,
    HttpClient,
    HttpReply,
    NotReached,
    PermanentFailure,
    TemporaryFailure,
    Throttled,
)
from hub.sdk.http import MAX_RETRY_AFTER_S, retry_after_s

URL = "http://provider.invalid/bot-the-secret/send?key=the-secret"


def client(answer) -> HttpClient:
    return HttpClient(timeout_s=0.2, transport=httpx.MockTransport(answer))


def raises(kind):
    def answer(request):
        raise kind("the-secret in httpx's own words", request=request)

    return answer


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (raises(httpx.ConnectError), NotReached),
        (raises(httpx.ConnectTimeout), NotReached),
        (raises(httpx.PoolTimeout), NotReached),
        (raises(httpx.ReadTimeout), TemporaryFailure),
        (raises(httpx.WriteError), TemporaryFailure),
        (raises(httpx.RemoteProtocolError), TemporaryFailure),
        (raises(httpx.DecodingError), AnswerUnreadable),
        (lambda _: httpx.Response(429, content=b"the-secret"), Throttled),
        (lambda _: httpx.Response(500, content=b"the-secret"), TemporaryFailure),
    ],
)
async def test_each_failure_has_its_kind_and_tells_neither_address_nor_body(answer, kind, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(TemporaryFailure if kind is TemporaryFailure else kind) as caught:
        await client(answer).request("POST", URL, content=b"the-secret", headers={"x-key": "the-secret"})
    assert type(caught.value) is kind
    words = "".join(traceback.format_exception_only(caught.value)) + repr(caught.value) + caplog.text
    assert "the-secret" not in words
    assert caught.value.__context__ is None or caught.value.__suppress_context__


async def test_a_key_that_cannot_be_written_is_refused_without_being_shown():
    with pytest.raises(PermanentFailure) as caught:
        await client(lambda _: httpx.Response(200)).request("GET", URL, headers={"x-key": KEY})
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_reply_shows_neither_body_nor_headers():
    reply = HttpReply(status=200, body=b"Olena", headers={"set-cookie": "the-secret"})
    assert repr(reply) == "HttpReply(status=200)"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("-5", None),
        ("7.5", None),
        ("soon", None),
        ("٧", None),
        ("9" * 40, MAX_RETRY_AFTER_S),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
    ],
)
def test_retry_after_is_read_in_both_forms(value, seconds):
    assert retry_after_s(value) == seconds


def test_retry_after_as_a_date_is_the_time_until_then():
    at = email.utils.formatdate(time.time() + 100, usegmt=True)
    assert 90 < (retry_after_s(at) or 0) <= 100


@pytest.mark.parametrize("status", [429, 503])
async def test_the_provider_s_word_on_waiting_reaches_the_plugin(status):
    def answer(_):
        return httpx.Response(status, headers={"Retry-After": "7"})

    with pytest.raises(TemporaryFailure) as caught:
        await client(answer).request("GET", URL)
    assert caught.value.retry_after_s == 7


KEY = "таємниця"


class Dripping(httpx.AsyncByteStream):
    """A byte now and then, without end."""

    async def __aiter__(self):
        while True:
            await asyncio.sleep(0.02)
            yield b"."


@pytest.mark.parametrize("timeout_s", [None, 0.1])
async def test_a_dripping_peer_holds_nobody(timeout_s):
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Dripping()))
    http = HttpClient(timeout_s=0.1 if timeout_s is None else 60.0, transport=transport)
    began = time.monotonic()
    with pytest.raises(TemporaryFailure):
        await http.request("GET", URL, timeout_s=timeout_s)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("timeout_s", [None, 0.1])
async def test_a_silent_peer_holds_nobody(timeout_s):
    http = HttpClient(timeout_s=0.1 if timeout_s is None else 60.0)
    with socket.create_server(("127.0.0.1", 0)) as listening:  # the connection comes about, and nobody reads
        began = time.monotonic()
        with pytest.raises(TemporaryFailure):
            await http.request("GET", f"http://127.0.0.1:{listening.getsockname()[1]}/", timeout_s=timeout_s)
        assert time.monotonic() - began < 3
        await http.close()


async def test_an_answer_beyond_the_limit_is_cut_off():
    def answer(_):
        return httpx.Response(200, content=b"x" * 2_000)

    with pytest.raises(PermanentFailure):
        await client(answer).request("GET", URL, limit_bytes=1_000)
    assert len((await client(answer).request("GET", URL, limit_bytes=2_000)).body) == 2_000
