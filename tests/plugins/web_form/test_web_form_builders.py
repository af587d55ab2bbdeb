"""builders.py: who sent it is recognised; where the visitor came from is kept."""

import pytest

from hub.sdk import EventKind

UTM = {
    "utm_source": "google",
    "utm_medium": "cpc",
    "utm_campaign": "brand",
    "utm_content": "a",
    "utm_term": "boots",
}


@pytest.mark.parametrize(
    ("name", "builder"),
    [
        ("tilda_lead_full.form", "Tilda"),
        ("tilda_cart.json", "Tilda"),
        ("elementor_simple.form", "Elementor"),
        ("elementor_advanced.form", "Elementor"),
        ("cf7_posted.form", "Contact Form 7"),
        ("cf7.multipart", "Contact Form 7"),
        ("wpforms_webhook.json", "WPForms"),
        ("google_forms_apps_script.json", "Google Forms"),
        ("utm_json_relay.json", ""),
    ],
)
def test_builders_are_recognised(channel, fixture, name, builder):
    assert channel.parse(fixture(name)).events[0].source.get("builder", "") == builder


def test_a_plain_form_is_told_by_its_browser_and_a_site_by_its_program(channel, delivery):
    browser = {"accept": "text/html,*/*", "user-agent": "Mozilla/5.0"}
    assert channel.parse(delivery(b"name=Ivan", headers=browser)).events[0].source == {"builder": "HTML"}
    wordpress = {"user-agent": "WordPress/6.8; https://shop.example"}
    assert channel.parse(delivery({"name": "Ivan"}, headers=wordpress)).events[0].source == {
        "builder": "WordPress"
    }


def test_tildas_test_ping_opens_no_task(channel, delivery):
    raw = delivery(b"test=test")
    channel.verify(raw)
    assert channel.parse(raw).events[0].kind is EventKind.PROBE


def test_w8_the_ping_of_a_shop_gets_its_2xx(channel, delivery):
    """[W8] WooCommerce switches a hook off after five answers that are no 2xx; its first post is no form."""
    assert channel.parse(delivery(b"webhook_id=7")).events[0].kind is EventKind.PROBE
    order = channel.parse(delivery(b"webhook_id=7&name=Ivan&phone=0501234567")).events[0]
    assert order.kind is EventKind.MESSAGE


def test_tildas_cookie_tells_the_campaign_where_the_form_does_not(channel, delivery):
    cookie = "COOKIES=_ga%3DGA1%3B+TILDAUTM%3Dutm_source%253Dfacebook%2526utm_campaign%253Dspring%3B+x%3Dy"
    event = channel.parse(delivery(f"Name=Ivan&utm_source=google&tranid=1:2&{cookie}".encode())).events[0]
    assert event.source == {"utm_source": "google", "utm_campaign": "spring", "builder": "Tilda"}
    assert "GA1" not in str(event)


def test_campaign_page_and_referrer_are_kept_from_wherever_they_stand(channel, delivery):
    page = "https://shop.example/boots?utm_source=facebook&gclid=abc#top"
    in_body = channel.parse(
        delivery({"name": "I", "page": page, "referrer": "https://news.example/", **UTM})
    ).events[0]
    assert in_body.source == {**UTM, "page": page, "referrer": "https://news.example/", "gclid": "abc"}
    by_page = channel.parse(delivery(b"name=Ivan", headers={"referer": page})).events[0]
    assert by_page.source == {"page": page, "utm_source": "facebook", "gclid": "abc"}
    by_query = channel.parse(delivery({"name": "I"}, query=UTM)).events[0]
    assert by_query.source == UTM
