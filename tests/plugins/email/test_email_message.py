"""message.py and what it stands on: real-world MIME, who wrote it, what it answers. E5 to E13 of the pitfalls."""

import base64
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.sdk import EventKind, Mark, PayloadUnreadable, RawDelivery
from plugins.email import charsets, headers, markup, message, mime, quotes
from plugins.email.settings import EmailSettings
from tests.plugins.email.conftest import FIXTURES, SETTINGS, mail, pulled

OURS = "hub.123456789.Tok3n@example.org"
MADE = EmailSettings.model_validate(SETTINGS)
ANY = settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def made(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def multipart(*parts: tuple[str, bytes], kind: str = "mixed", **more: str) -> bytes:
    body = b""
    for head, content in parts:
        encoded = base64.encodebytes(content).replace(b"\n", b"\r\n")
        body += f"--BB\r\n{head}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode() + encoded
    start = mail("", content_type=f'multipart/{kind}; boundary="BB"', **more)
    return start + body + b"--BB--\r\n"


# --- letters ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "subject", "words"),
    [
        ("uk_koi8-u.eml", "Замовлення N17: їжа для їжака", "доставка у Ґданськ. Є знижка?"),
        ("uk_koi8-u_labelled_koi8-r.eml", "Ціни", "Є її ціна?"),
        ("uk_windows-1251_raw_subject.eml", "Питання щодо оплати", "Чи можна оплатити карткою?"),
    ],
)
def test_e7_legacy_letters_are_read(event, name, subject, words):
    found = event(made(name))
    assert found.subject == subject
    assert words in found.text
    assert "�" not in found.text + found.sender.name


TEXT = "Добрий день! Підкажіть, будь ласка, чи є в наявності їжачок із ґудзиками і коли зможете надіслати?"


LABELS = ["", "us-ascii", "utf-8", "iso-8859-1", "windows-1251", "koi8-r", "x-no-such", "\x00"]


@pytest.mark.parametrize("codec", ["cp1251", "koi8-u", "utf-8", "cp866"])
@pytest.mark.parametrize(
    "label", ["", "us-ascii", "utf-8", "iso-8859-1", "windows-1251", "koi8-r", "x-no-such", "\x00"]
)
def test_e7_a_wrong_label_does_not_spoil_the_text(codec, label):
    text = TEXT if codec != "cp866" else TEXT.replace("і", "i").replace("ґ", "г")
    if codec == "cp866" and label in {"windows-1251", "koi8-r"}:
        return  # of three Cyrillic codecs the one on the label is believed
    assert charsets.decode(text.encode(codec), label) == text


@ANY
@given(st.binary(max_size=300), st.text(max_size=20))
def test_e7_decoding_never_raises(data, label):
    assert isinstance(charsets.decode(data, label), str)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("attachment; filename*=utf-8''%D1%80%D0%B0%D1%85.pdf", "рах.pdf"),
        ("attachment; filename*0*=utf-8''%D1%80; filename*1*=%D0%B0%D1%85.pdf", "рах.pdf"),
        ("attachment; filename*=no-such-charset''%F0%E0%F5%F3%ED%EE%EA.pdf", "рахунок.pdf"),
        ('attachment; filename="=?utf-8?b?0YDQsNGFLnBkZg==?="', "рах.pdf"),
        ('attachment; filename="../../etc/pass;wd"', "pass;wd"),
        ('attachment; filename="C:\\\\temp\\\\a.pdf"', "a.pdf"),
    ],
)
def test_names_of_files_are_read_and_harmless(value, name):
    raw = multipart(("Content-Type: application/pdf\r\nContent-Disposition: " + value, b"%PDF"))
    [file] = message.read(pulled(raw), MADE).attachments
    assert (file.name, file.body) == (name, b"%PDF")


def test_a_word_cut_inside_a_letter_is_joined():
    encoded = base64.b64encode("їжак".encode())
    first, second = encoded[:4].decode(), encoded[4:].decode()
    assert headers.decode_words(f"=?utf-8?b?{first}?= =?utf-8?b?{second}?=") == "їжак"


# --- bodies -------------------------------------------------------------------------------------------------


def test_plain_text_is_preferred_and_html_is_kept(event):
    raw = multipart(
        ("Content-Type: text/plain; charset=utf-8", "Просто текст".encode()),
        ("Content-Type: text/html; charset=utf-8", b"<p>HTML</p>"),
        kind="alternative",
    )
    found = event(raw)
    assert (found.text, found.html) == ("Просто текст", "<p>HTML</p>")


def test_a_stub_of_plain_text_gives_way_to_html(event):
    html = b"<p>The order: 3 boxes</p>" + b"<p>more of it</p>" * 100
    raw = multipart(
        ("Content-Type: text/plain", b"Your mail program does not show HTML."),
        ("Content-Type: text/html", html),
        kind="alternative",
    )
    assert event(raw).text.startswith("The order: 3 boxes")


def test_a_picture_inside_the_text_keeps_its_content_id(event):
    raw = multipart(
        ("Content-Type: text/html", b'<p>Look</p><img src="cid:pic1">'),
        ("Content-Type: image/png; name=a.png\r\nContent-ID: <pic1>\r\nContent-Disposition: inline", b"PNG"),
        kind="related",
    )
    [file] = event(raw).attachments
    assert (file.inline, file.media_type, file.size) == ("pic1", "image/png", 3)


def test_a_forwarded_order_without_words_of_its_own_is_read(event):
    inner = mail("New order: 5 chairs", subject="Order 28922")
    raw = mail("", content_type='multipart/mixed; boundary="B"') + (
        b"--B\r\nContent-Type: text/plain\r\n\r\n\r\n--B\r\nContent-Type: message/rfc822\r\n\r\n"
        + inner
        + b"--B--\r\n"
    )
    found = event(raw)
    assert found.text == "New order: 5 chairs"
    assert found.attachments[0].name == "Order 28922.eml"


def test_what_html_hides_stays_hidden():
    text, _ = markup.to_text(
        "<style>x{}</style><div style='display:none'>secret<div>too</div></div><!-- no --><table><tr><td>Стілець</td>"
        "<td>3</td></tr></table><a href='https://shop.example/1'>here</a><script>alert(1)</script>"
    )
    assert text == "Стілець  3\n\nhere <https://shop.example/1>"


def test_what_html_holds_beyond_the_limits_stands_as_it_is_written():
    many = "<i>x</i>" * markup.MAX_TAGS + "<p>the last word</p>"
    text, _ = markup.to_text(many)
    assert text.startswith("xxx")
    assert text.endswith("<p>the last word</p>")
    other = "".join(f"<i id={n}>x" for n in range(markup.MAX_NEW_TAGS + 1)) + "<p>the last word</p>"
    assert markup.to_text(other)[0].endswith(f"x<i id={markup.MAX_NEW_TAGS}>x<p>the last word</p>")
    letters = "&#1087;" * (markup.MAX_LETTERS + 1) + "the last word"
    text, _ = markup.to_text(letters)
    assert text.startswith("ппп")
    assert text.endswith("&#1087;the last word")


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"x", b""])).map(b"".join))
def test_line_ends_of_the_network_become_ours_and_lone_ones_stay(data):
    assert headers.unix_lines(data) == data.replace(b"\r\n", b"\n")


def test_limits_hold():
    deep = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(200)
    )
    tree = mime.read(b"From: a@example.com\r\n" + deep + b"text")
    assert sum(1 for _ in tree.walk()) <= mime.MAX_DEPTH + 2
    many = (
        b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"--b\r\n\r\nx\r\n" * 5_000
    )
    assert sum(1 for _ in mime.read(many).walk()) <= mime.MAX_PARTS + 1


@ANY
@given(st.binary(max_size=2_000))
def test_any_bytes_give_an_event_or_say_that_they_are_unreadable(body):
    _readable(body)


@ANY
@given(
    st.sampled_from(sorted(FIXTURES.glob("*.eml"))),
    st.integers(0, 3_000),
    st.binary(max_size=30),
    st.integers(0, 40),
)
def test_damaged_mails_give_an_event_or_say_that_they_are_unreadable(path: Path, at, junk, cut):
    body = path.read_bytes()
    at %= len(body)
    _readable(body[:at] + junk + body[at + cut :])


def _readable(body: bytes) -> None:
    try:
        found = message.read(pulled(body), MADE)
    except PayloadUnreadable:
        return
    assert found.kind is not EventKind.MESSAGE or found.sender.email or found.sender.phone


def test_every_recorded_sample_is_read_or_told_to_be_unreadable(samples):
    found = sorted((samples / "channels" / "fixtures" / "email").rglob("*.eml"))
    assert len(found) > 80
    for path in found:
        _readable(path.read_bytes())


def test_recorded_bounces_lists_and_answers_of_machines_open_no_task(samples, event):
    folder = samples / "channels" / "fixtures" / "email"
    names = [*folder.glob("bounces/*.eml"), folder / "autoreply/chatwoot_x_autoreply.eml"]
    names += [
        folder / "autoreply/mimekit_disposition-notification.eml",
        folder / "notifications/rspamd_newsletter.eml",
    ]
    for path in names:
        assert event(path.read_bytes()).kind is EventKind.IGNORED, path.name


# --- keys ---------------------------------------------------------------------------------------------------


def test_e13_the_same_mail_by_another_way_has_the_same_key():
    raw = mail()
    other = b"Received: from x by y\r\nX-Spam: no\r\nDelivered-To: info@example.org\r\n" + raw
    assert message.digest(raw) == message.digest(other) == message.digest(raw.replace(b"\r\n", b"\n"))


def test_two_mails_under_one_message_id_are_two(event):
    first, second = made("uk_koi8-u.eml"), made("same_message_id_other_body.eml")
    assert message.digest(first) != message.digest(second)
    assert event(first).message_id != event(second).message_id


def test_mail_without_message_id_is_told_apart_and_known_again(event):
    one, two = mail("one", message_id=""), mail("two", message_id="")
    assert event(one).message_id == event(one).message_id != event(two).message_id
    assert message.digest(one) != message.digest(two)


def test_e5_the_key_depends_on_the_mail_alone(event):
    """The hub keeps keys when it deletes conversations; the same mail met again is known."""
    raw = mail()
    assert event(raw, {"uid": "1"}).message_id == event(raw, {"uid": "9", "folder": "Old"}).message_id


# --- quotes -------------------------------------------------------------------------------------------------

ATTRIBUTIONS = [
    "ср, 5 лист. 2025 р. о 14:02 Магазин Приклад <sales@example.org> пише:",
    "пт, 20 лист. 2026 р. о 14:05 Магазин з дуже довгою назвою\n<sales@example.org> пише:",
    "ср, 30 апр. 2025 г. в 15:19, Магазин <sales@example.org>:",
    "20.11.2026 14:05, Магазин пише:",
    '20 листопада 2026, 14:05:11, від "Магазин" <sales@example.org>:',
    "On Thu, Nov 20, 2026 at 2:05 PM Shop <\nsales@example.org> wrote:",
    "20 ноября 2026 г., 14:05 пользователь Магазин <sales@example.org> написал:",
    "-------- Переслане повідомлення --------",
    "-----Original Message-----",
    "________________________________\nВід: Магазин <sales@example.org>\nНадіслано: середа, 5 листопада 2025 р. 14:02",
    "От: Магазин <sales@example.org>\nОтправлено: среда, 5 ноября 2025 г. 14:02\nКому: Олена",
    "From: Shop <sales@example.org>\nSent: Monday, January 1, 2026\nTo: Olena",
]


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
@pytest.mark.parametrize("mark", ["> ", ""])
def test_e8_the_reply_stands_without_the_quote(attribution, mark):
    text = f"Так, підтверджую.\n\n{attribution}\n\n{mark}Сума 1200 грн\n"
    assert quotes.visible(text) == "Так, підтверджую."


@pytest.mark.parametrize(
    "text",
    [
        "Petro wrote: call me.\nIt was in 2024 that we met.",
        "Кому: Олена\nЩо: стілець\nДата: 20.11.2026",
        "Надіслано з пошти вчора, а ви не відповіли, чому?\nЧекаю.",
        "Ціни:\n- стіл\n- стілець",
    ],
)
def test_e8_words_of_ones_own_stay(text):
    assert quotes.visible(text) == text


def test_e8_answers_between_the_quoted_lines_are_all_kept():
    text = "On 1 Jan 2026 Shop <a@b.example> wrote:\n> How many?\nThree.\n> Which colour?\nRed."
    assert quotes.visible(text) == "Three.\nRed."


@pytest.mark.parametrize(
    "line", ["Надіслано з iPhone", "Отправлено с iPhone", "Sent from my iPhone", "-- \nОлена\n+380501112233"]
)
def test_signatures_are_left_out(line):
    assert quotes.visible(f"Дякую!\n\n{line}") == "Дякую!"


def test_e8_the_full_text_is_kept_and_trimming_can_be_switched_off(event):
    found = event(made("uk_reply_gmail.eml"))
    assert found.text == "Так, підтверджую."
    assert "Сума 1200 грн" in found.full_text
    assert "Сума 1200 грн" in event(made("uk_reply_gmail.eml"), trim_quotes=False).text


def test_e8_the_first_mail_of_a_thread_is_not_trimmed(event):
    text = "Please see:\r\n\r\n-----Original Message-----\r\nFrom: a@b.example\r\nThe order: 3 boxes"
    assert "3 boxes" in event(mail(text, subject="Fwd: order")).text


def test_a_reply_in_html_alone_is_cut_where_the_quote_begins(event):
    html = b"<div>Yes, please</div><div class='gmail_quote'>On 1 Jan we wrote<blockquote>How many?</blockquote></div>"
    raw = multipart(("Content-Type: text/html", html), subject="Re: order", in_reply_to=f"<{OURS}>")
    found = event(raw)
    assert found.text == "Yes, please"
    assert "How many?" in found.full_text


@pytest.mark.parametrize(
    "hostile",
    [
        "a@b:\n" * 200_000,
        ">" * 1_000_000,
        "1 Jan 2026 <" * 80_000 + ":",
        "On 2026 x wrote :\n" * 55_000,
        "\n" * 1_000_000,
        "From: x\n" * 120_000,
        "-" * 500_000 + "\n" + "_" * 500_000,
        "Sent from my iPhone\n" * 50_000,
    ],
)
def test_the_scanner_takes_at_most_a_tenth_of_a_second_for_a_hostile_megabyte(hostile):
    begun = time.thread_time()
    quotes.visible(hostile)
    assert time.thread_time() - begun < 0.1


# --- who wrote it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signs",
    [
        {"auto_submitted": "auto-replied"},
        {"x_autoreply": "yes"},
        {"precedence": "auto_reply"},
        {"subject": "Автоматична відповідь: Замовлення", "in_reply_to": f"<{OURS}>"},
        {"subject": "Automatic reply: order", "x_auto_response_suppress": "All"},
        {"list_id": "<news.example.com>"},
        {"precedence": "bulk"},
        {"from": "MAILER-DAEMON@example.com"},
        {"from": "postmaster@example.com"},
    ],
)
def test_e9_what_a_program_answers_opens_no_task(event, signs):
    assert event(mail(**signs)).kind is EventKind.IGNORED


def test_e9_the_made_vacation_reply_opens_no_task(event):
    assert event(made("uk_autoreply_vacation.eml")).kind is EventKind.IGNORED


def test_a_person_whose_subject_sounds_automatic_is_a_person(event):
    assert event(mail(subject="Автовідповідь не працює, допоможіть")).kind is EventKind.MESSAGE


def test_lists_are_taken_where_the_settings_say_so(event):
    assert event(mail(list_id="<x>"), take_lists=True).kind is EventKind.MESSAGE


def dsn(action: str, original: str) -> bytes:
    start = mail(
        "",
        content_type='multipart/report; report-type=delivery-status; boundary="B"',
        **{"from": "MAILER-DAEMON@x.example"},
    )
    return (
        start
        + (
            "--B\r\nContent-Type: text/plain\r\n\r\nwords\r\n--B\r\nContent-Type: message/delivery-status\r\n\r\n"
            "Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; olena@example.com\r\n"
            f"Action: {action}\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 no such user\r\n\r\n"
            f"--B\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{original}>\r\nSubject: x\r\n\r\n--B--\r\n"
        ).encode()
    )


def test_a_bounce_marks_the_message_that_failed(event):
    found = event(dsn("failed", OURS))
    assert (found.kind, found.mark, found.about) == (EventKind.RECEIPT, Mark.FAILED, OURS)
    assert found.text == "olena@example.com: 550 no such user"


def test_a_delay_is_no_failure_and_somebody_elses_bounce_is_none_of_ours(event):
    assert event(dsn("delayed", OURS)).kind is EventKind.IGNORED
    assert event(dsn("failed", "somebody@else.example")).kind is EventKind.IGNORED


def test_a_bounce_without_a_report_is_read_from_its_text(event):
    raw = mail(
        f"Could not deliver.\r\n\r\nMessage-ID: <{OURS}>\r\n",
        **{"from": "MAILER-DAEMON@x.example", "x_failed_recipients": "olena@example.com"},
    )
    found = event(raw)
    assert (found.kind, found.about) == (EventKind.RECEIPT, OURS)


def test_e10_our_own_copies_open_nothing(event):
    own = {"from": "Shop <sales@example.org>", "to": "olena@example.com"}
    assert event(mail(**own, message_id=f"<{OURS}>")).kind is EventKind.IGNORED
    elsewhere = event(mail(**own))
    assert (elsewhere.kind, elsewhere.sender.email) == (EventKind.ECHO, "olena@example.com")
    to_ourselves = {**own, "to": "sales@example.org"}
    assert event(mail(**to_ourselves)).kind is EventKind.IGNORED
    alias = {**own, "from": "boss@example.org"}
    assert event(mail(**alias), aliases=("boss@example.org",)).kind is EventKind.ECHO


def test_e10_a_forged_own_address_is_not_shown_as_ours(event):
    forged = mail(
        authentication_results="mx.example; dmarc=fail",
        **{"from": "sales@example.org", "to": "x@example.com"},
    )
    assert event(forged).kind is EventKind.IGNORED


# --- threads ------------------------------------------------------------------------------------------------


def test_e11_every_id_that_a_mail_answers_is_told_nearest_first(event):
    raw = mail(
        in_reply_to=f"<{OURS}>", references=f"<first-mail-1@example.com> <second@example.com> <{OURS}>"
    )
    found = event(raw)
    assert found.replies_to == (OURS, "second@example.com", "first-mail-1@example.com")
    assert found.thread_token == "Tok3n"


def test_e11_a_colleague_in_copy_answers_the_customers_own_mail(event):
    first = event(mail())
    colleague = event(
        mail(
            references="<0123456789abc@example.com>",
            message_id="<abc0123456789@x.example>",
            **{"from": "petro@example.com"},
        )
    )
    assert first.message_id in colleague.replies_to


def test_e12_a_subject_alone_joins_nothing(event):
    found = event(mail(subject="Re: A question"))
    assert (found.replies_to, found.thread_token) == ((), "")


@pytest.mark.parametrize(
    "way",
    [{"to": "sales+Tok3n@example.org"}, {"subject": "Re: order [#Tok3n]"}, {"in_reply_to": f"<{OURS}>"}],
)
def test_the_token_is_found_in_each_place(event, way):
    assert event(mail(**way)).thread_token == "Tok3n"


def test_e13_mail_that_reaches_us_by_bcc_or_alias_counts(event):
    assert event(mail(to="undisclosed-recipients:;")).kind is EventKind.MESSAGE
    assert event(mail(to="", cc="sales@example.org")).kind is EventKind.MESSAGE


# --- forms --------------------------------------------------------------------------------------------------


def test_a_sites_form_becomes_the_request_of_the_person(event):
    found = event(made("uk_webform_notification.eml"))
    assert (found.sender.name, found.sender.email) == ("Іван Тестенко", "client@example.com")
    assert found.sender.phone == "+38 (050) 000-00-00"
    assert found.text == "Передзвоніть після 18:00"
    assert "Телефон" in found.full_text
    assert not found.joins_open


def test_a_form_sent_from_our_own_address_is_no_copy_of_ours(event):
    own = {"from": "sales@example.org", "to": "sales@example.org", "reply_to": "client@example.com"}
    assert event(mail("Name: Ivan\r\nPhone: 0501112233", **own)).sender.phone == "0501112233"
    without = {"from": "sales@example.org", "to": "sales@example.org"}
    assert event(mail("Ім'я: Іван\r\nТелефон: 0501112233", **without)).sender.name == "Іван"


def test_a_configured_form_counts_even_when_marked_as_generated(event):
    raw = mail("Hello from the form", auto_submitted="auto-generated", **{"from": "info@shop.example"})
    assert not event(raw, form_senders=("info@shop.example",)).joins_open
    assert not event(raw, form_senders=("@shop.example",)).joins_open
    assert event(raw).joins_open


def test_reply_to_is_who_is_answered(event):
    found = event(mail(reply_to="assistant@example.com"))
    assert found.sender.email == "assistant@example.com"
    assert found.fields["From"] == "olena@example.com"
    assert event(mail(reply_to='<"">')).sender.email == "olena@example.com"


def test_mail_through_a_group_of_ours_keeps_its_writer(event):
    raw = mail(
        list_id="<sales.example.org>",
        x_original_sender="olena@example.com",
        **{"from": "'Olena' via Sales <sales@example.org>"},
    )
    assert event(raw).sender.email == "olena@example.com"


def test_what_our_server_says_of_authenticity_is_shown(event):
    results = "mx.example.org; dkim=pass header.d=example.com; spf=pass; dmarc=pass"
    assert (
        event(mail(authentication_results=results)).fields["Authentication-Results"]
        == "dkim=pass, spf=pass, dmarc=pass"
    )
    forged = event(mail(authentication_results="evil.example; dkim=pass"), authserv_id="mx.example.org")
    assert "Authentication-Results" not in forged.fields


# --- dates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "date", ["", "nonsense", "Thu, 05 Mar 2099 10:00:00 +0200", "Thu, 99 Foo 2026 99:99:99 +9999"]
)
def test_a_missing_or_impossible_date_is_the_servers_own(event, date):
    found = event(mail(date=date), {"internal-date": "2026-03-05T08:00:00+00:00"})
    assert found.sent_at == datetime(2026, 3, 5, 8, tzinfo=UTC)


def test_a_post_over_http_is_refused():
    from hub.sdk import DeliveryRejected
    from hub.testing.host import LoopbackHost
    from plugins.email.plugin import Email

    raw = pulled(mail())
    posted = RawDelivery(**{name: getattr(raw, name) for name in raw.__slots__} | {"method": "POST"})
    with pytest.raises(DeliveryRejected):
        Email("mail", MADE, LoopbackHost()).verify(posted)
