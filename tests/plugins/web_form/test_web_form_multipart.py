"""multipart.py: parts of a body, bounded, and never a half of them."""

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.sdk import DeliveryRejected
from plugins.web_form.multipart import MAX_PARTS, Part, digest_of, read_multipart
from tests.plugins.web_form.made import multipart, multipart_type

TYPE = multipart_type("X")


def refusal(body: bytes, content_type: str = TYPE) -> DeliveryRejected:
    with pytest.raises(DeliveryRejected) as caught:
        read_multipart(body, content_type)
    return caught.value


def part(head: str, body: bytes = b"v") -> bytes:
    return b"--X\r\n" + head.encode() + b"\r\n\r\n" + body + b"\r\n--X--\r\n"


def only(body: bytes, content_type: str = TYPE) -> Part:
    (found,) = read_multipart(body, content_type)
    return found


def test_fields_and_files_in_their_order():
    body = multipart(
        {"name": "Олена", "message": "рядок\r\nдругий"}, [("photo", "я.png", b"\r\n--\x00\r\n")], "X"
    )
    assert read_multipart(body, TYPE) == [
        Part("name", None, "Олена".encode()),
        Part("message", None, "рядок\r\nдругий".encode()),
        Part("photo", "я.png", b"\r\n--\x00\r\n"),
    ]


@pytest.mark.parametrize(
    ("head", "name", "filename"),
    [
        ('Content-Disposition: form-data; name="a%22b"', 'a"b', None),
        ("content-disposition:form-data;name=a", "a", None),
        ('Content-Disposition: form-data; name="50%25 %D1"; filename="%D1%8F %.txt"', "50%25 %D1", "я %.txt"),
        ('Content-Disposition: form-data; name="a"; filename=""', "a", ""),
        ('Content-Disposition: form-data; name="a"; filename="C:\\fakepath\\b.txt"', "a", "b.txt"),
        ('Content-Disposition: form-data; name="a"; filename="../../etc/passwd"', "a", "passwd"),
        ('Content-Disposition: form-data; name="a"; filename="b\\"c;d.txt"', "a", 'b"c;d.txt'),
        (
            'Content-Disposition: form-data; name="a"; filename="x"; filename*=UTF-8\'\'%D1%8F.txt',
            "a",
            "я.txt",
        ),
        ("Content-Disposition: form-data; name=\"a\"; filename*=windows-1251''%FF.txt", "a", "я.txt"),
        ('Content-Type: text/plain; charset=koi8-r\r\nContent-Disposition: form-data; name="a"', "a", None),
    ],
)
def test_names_as_browsers_and_old_clients_write_them(head, name, filename):
    found = only(part(head))
    assert (found.name, found.filename, found.body) == (name, filename, b"v")


def test_quoted_boundary_preamble_epilogue_and_bare_line_feeds():
    body = multipart({"a": "1"}, boundary="it's b")
    assert (
        only(
            b"preamble\r\n" + body + b"epilogue", 'multipart/form-data; charset=utf-8; boundary="it\'s b"'
        ).body
        == b"1"
    )
    assert only(multipart({"a": "1"}, boundary="X").replace(b"\r\n", b"\n")).body == b"1"


def test_base64_parts_are_decoded():
    head = 'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: BASE64'
    assert only(part(head, b"0K8=")).body == "Я".encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--Y\r\n",
        b"--X",
        b"--X\r\n--X--",
        multipart({"name": "Ivan", "phone": "0501234567"}, boundary="X")[:-8],
        part('Content-Disposition: form-data; filename="a"'),
        part('Content-Disposition: form-data; name=""'),
        part('Content-Disposition: form-data; name="a'),
        part('Content-Disposition: attachment; name="a"'),
        part("Content-Type: text/plain"),
        part('Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: quoted-printable'),
        part('Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64', b"A"),
        part('Content-Disposition: form-data; name="a"\r\nX: ' + "y" * 9_000),
        b'--XY\r\nContent-Disposition: form-data; name="a"\r\n\r\nv\r\n--X--',
    ],
)
def test_malformed_bodies_are_refused_with_400(body):
    """Cut off on the way, or never right: nothing of it is stored, and the sender hears it."""
    rejection = refusal(body)
    assert (rejection.reason, rejection.status) == ("unreadable", 400)


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\udcff",
                     "multipart/form-data; boundary=" + "x" * 201]
)  # fmt: skip
def test_a_missing_or_odd_boundary_is_refused(content_type):
    assert refusal(multipart({"a": "1"}), content_type).status == 400


def test_too_many_parts_are_refused_with_422():
    assert (
        len(read_multipart(multipart(dict.fromkeys(map(str, range(MAX_PARTS)), "v"), boundary="X"), TYPE))
        == MAX_PARTS
    )
    assert refusal(multipart(dict.fromkeys(map(str, range(MAX_PARTS + 1)), "v"), boundary="X")).status == 422


def test_w3_the_same_form_under_another_boundary_is_the_same():
    """[W3] a browser draws a new boundary at each click."""
    one, other = (
        read_multipart(multipart({"a": "1"}, [("f", "n", b"x")], b), multipart_type(b)) for b in ("A", "BB")
    )
    assert digest_of(one) == digest_of(other)
    assert digest_of(one) != digest_of([Part("a", None, b"1"), Part("f", "n", b"y")])
    assert digest_of([Part("ab", None, b"c")]) != digest_of([Part("a", None, b"bc")])


@settings(max_examples=200, deadline=None, database=None)
@given(st.binary(max_size=400), st.sampled_from([TYPE, "multipart/form-data; boundary=a", ""]))
def test_any_bytes_give_parts_or_the_documented_error(body, content_type):
    statuses = set()
    for whole in (
        body,
        b"--X\r\n" + body,
        b'--X\r\nContent-Disposition: form-data; name="a"; ' + body + b"\r\n\r\n--X--",
    ):
        try:
            assert all(part.name for part in read_multipart(whole, content_type))
        except DeliveryRejected as rejected:
            statuses.add(rejected.status)
    assert statuses <= {400, 422}


def test_large_and_hostile_bodies_take_little_time():
    hostile = [
        multipart({}, [("f", "n", b"\r\n--X" * 10_000)], "Y" * 60),
        b"--X\r\n" + b'Content-Disposition: form-data; name="' + b'\\"' * 4_000,
        b"\r\n--X" * 400_000,
        multipart({}, [("f", "n", b"-" * 8_000_000)], "-" * 70),
    ]
    started = time.thread_time()
    for body in hostile:
        for content_type in (TYPE, multipart_type("-" * 70), multipart_type("Y" * 60)):
            with suppress(DeliveryRejected):
                read_multipart(body, content_type)
    assert time.thread_time() - started < 1.0
