"""Addresses found in content lead to the Internet or nowhere."""

import httpx
import pytest

from hub.sdk import AddressRefused, HttpClient, NotReached, PermanentFailure
from hub.sdk import http as module
from hub.sdk.public import Target, is_public, resolve_public

OURS = [
    *("127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1"),
    *("ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::1", "2001::1"),
    "nonsense",
]


@pytest.mark.parametrize("address", [*OURS, ""])
def test_addresses_of_our_own_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://127.0.0.1/",
            "http://localhost:5432/",
            "http://[::1]/",
            "http://2130706433/",
            "http://0x7f.1/",
        ),
        *("http://169.254.169.254/latest/meta-data/", "http://[::ffff:10.0.0.1]/", "ftp://example.com/"),
        *(
            "file:///etc/passwd",
            "http://user:pass@8.8.8.8/",
            "http:///nothing",
            "http://[broken",
            "//8.8.8.8/",
        ),
    ],
)
async def test_an_address_inside_is_refused_before_any_call(url):
    def forbidden(request):
        raise AssertionError("it was called")

    client = HttpClient(transport=httpx.MockTransport(forbidden))
    with pytest.raises(AddressRefused):
        await client.get_public(url)


async def test_a_name_that_nobody_knows_is_not_reached():
    with pytest.raises(NotReached):
        await resolve_public("http://no-such-name.invalid/")


async def test_the_call_goes_to_the_address_that_was_looked_at_under_its_name():
    seen = []

    def answer(request):
        seen.append(request)
        return httpx.Response(200, content=b"picture")

    client = HttpClient(transport=httpx.MockTransport(answer))
    reply = await client.get_public("http://8.8.8.8:8080/a?b=c")
    assert reply.body == b"picture"
    (request,) = seen
    assert (request.url.host, request.url.port, request.headers["host"]) == ("8.8.8.8", 8080, "8.8.8.8:8080")
    assert request.extensions["sni_hostname"] == "8.8.8.8"
    assert str(request.url).endswith("/a?b=c")


def test_a_target_keeps_the_name_apart_from_the_address():
    target = Target("https", "files.example", 443, "2606:4700::1", "/x")
    assert (target.url, target.authority) == ("https://[2606:4700::1]:443/x", "files.example")


@pytest.mark.parametrize("inside", ["http://127.0.0.1/", "//localhost/", "http://10.0.0.1:5432/"])
async def test_a_redirect_to_the_inside_is_refused(inside):
    client = HttpClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(302, headers={"location": inside}))
    )
    with pytest.raises(AddressRefused):
        await client.get_public("http://8.8.8.8/")


async def test_redirects_have_an_end():
    calls = []

    def onwards(request):
        calls.append(request)
        return httpx.Response(302, headers={"location": "/again"})

    with pytest.raises(PermanentFailure, match="on and on"):
        await HttpClient(transport=httpx.MockTransport(onwards)).get_public("http://8.8.8.8/")
    assert len(calls) == 1 + module.MAX_REDIRECTS


async def test_a_large_file_is_cut_off():
    client = HttpClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=b"x" * 2_000)))
    with pytest.raises(PermanentFailure, match="larger than 1000"):
        await client.get_public("http://8.8.8.8/", limit_bytes=1_000)
