"""Web hooks out against a real server on loopback: signed, ordered, repeated, guarded, given up in sight."""

import json
import time

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hub.db import tables as t
from hub.kernel.clock import HOUR
from hub.kernel.errors import InputRejected, NotFound, VersionConflict
from hub.kernel.sealing import SecretKey, SecretKeyMissing
from hub.orders import service
from hub.orders.model import NewLine
from hub.orders.money import Method, NewPayment, PaymentKind
from hub.outbox import guarded, webhooks
from hub.outbox.guarded import PUBLIC_ONLY, UNSIGNED, Guard, NotPublic, WebhookSink
from hub.outbox.runner import OutboxRunner
from hub.sdk.public import is_public

SECRET = "0123456789abcdef"
KEY = SecretKey.of("k" * 40)


class Receiver:
    """Takes calls; answers what it is told to, else 204."""

    def __init__(self):
        self.calls, self.answers, self.url, self.busy_for = [], [], "", b"\x00"

    async def handle(self, request):
        self.calls.append((dict(request.headers), await request.read()))
        if self.busy_for in self.calls[-1][1]:  # once
            self.busy_for = b"\x00"
            return web.Response(status=503)
        status, headers = self.answers.pop(0) if self.answers else (204, {})
        return web.Response(status=status, headers=headers)

    @property
    def told(self):
        return [json.loads(body) for _, body in self.calls]


@pytest.fixture
async def receiver():
    made = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.handle)
    server = TestServer(app)
    await server.start_server()
    made.url = str(server.make_url("/hub"))
    yield made
    await server.close()


def hook(world, url, events=tuple(webhooks.EVENTS)):
    return world.write(webhooks.add, "test", url, SECRET, events, key=KEY)


def runner(world, *, private=True):
    return OutboxRunner(world.db, {"webhook": WebhookSink(world.db, private=private, key=KEY)}, "test")


async def drain(world, **options):
    world.clock.move(1_000)
    return await runner(world, **options).drain()


def lived(world):
    olena = world.worker("Олена")
    order = world.order(olena, lines=[NewLine(name="Лампа", price_minor=500)])
    world.write(service.move_stage, olena.actor, order.id, "packed")
    new = NewPayment(kind=PaymentKind.RECEIVED, amount_minor=500, method=Method.CASH, paid_at=1)
    world.write(service.record_payment, olena.actor, order.id, new)
    return order


def states(world):
    return [row.state for row in world.rows(t.outbox, t.outbox.c.lane == "webhook")]


async def test_what_happens_to_an_order_is_told_in_order_and_signed(world, receiver):
    hook(world, receiver.url)
    order = lived(world)
    await drain(world)
    assert [one["event"] for one in receiver.told] == ["order.created", "order.stage", "order.paid"]
    assert receiver.told[1]["data"]["from"] == "new"
    assert receiver.told[2]["data"]["amount"] == {"amount_minor": 500, "currency": "UAH"}
    assert all(one["data"]["number"] == order.number for one in receiver.told)
    assert "Ірина" not in str(receiver.told)
    for headers, body in receiver.calls:
        at, event_id = int(headers["Hub-Timestamp"]), headers["Hub-Event-Id"]
        assert abs(time.time() - at) < 60
        assert headers["Hub-Signature"] == webhooks.sign(SECRET, at, event_id, body)
        assert json.loads(body)["event_id"] == event_id
    assert world.rows(t.webhook)[0].last_ok_at is not None


async def test_a_hook_hears_only_what_it_wants_and_nothing_while_it_is_off(world, receiver):
    wanted = hook(world, receiver.url, ["order.paid", "request.created", "request.closed"])
    world.write(webhooks.change, "test", hook(world, receiver.url), active=False)
    lived(world)
    task = world.task()
    world.order(world.worker("Богдан", role="head"), request_id=task.request_id)
    await drain(world)
    told = [one["event"] for one in receiver.told]  # in order about one thing, side by side about several
    assert sorted(told) == ["order.paid", "request.closed", "request.created"]
    assert told.index("request.created") < told.index("request.closed")
    assert receiver.told[2]["data"]["outcome"] == "order"
    assert wanted


async def test_w4_a_failing_call_holds_back_its_own_thing_and_is_repeated_with_its_id(world, receiver):
    """[W4] what goes out carries an id and keeps its order: at least once, so the other side can tell repeats."""
    hook(world, receiver.url, ["order.created", "order.stage"])
    olena = world.worker("Олена")
    first, second = world.order(olena), world.order(olena)
    receiver.busy_for = f'"number":"{first.number}"'.encode()
    world.write(service.move_stage, olena.actor, first.id, "packed")
    await drain(world)
    numbers = [one["data"]["number"] for one in receiver.told]
    assert sorted(numbers) == [first.number, second.number]
    world.clock.move(HOUR)
    await drain(world)
    world.clock.move(HOUR)
    await drain(world)
    about_first = [h["Hub-Event-Id"] for h, body in receiver.calls if first.number in body.decode()]
    assert len(about_first) == 3
    assert about_first[0] == about_first[1]
    assert states(world) == ["done"] * 3


async def test_what_is_given_up_is_seen_and_sent_again_by_a_person(world, receiver):
    hook_id = hook(world, receiver.url, ["order.created"])
    receiver.answers = [(500, {})] * 8
    world.order(world.worker("Олена"))
    for _ in range(9):
        await drain(world)
        world.clock.move(24 * HOUR)
    [dead] = world.read(webhooks.dead, hook_id)
    assert (len(receiver.calls), dead.last_error) == (8, "tried too often")
    world.write(webhooks.send_again, dead.id)
    await drain(world)
    assert states(world) == ["done"]
    with pytest.raises(NotFound):
        world.write(webhooks.send_again, dead.id)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ((404, {}), "dead"), ((302, {"Location": "/x"}), "dead"), ((429, {"Retry-After": "1"}), "ready"),
        ((201, {}), "done"),
    ],
)  # fmt: skip
async def test_other_answers(world, receiver, answer, state):
    hook(world, receiver.url, ["order.created"])
    receiver.answers = [answer]
    world.order(world.worker("Олена"))
    await drain(world)
    assert (states(world), len(receiver.calls)) == ([state], 1)


async def test_nobody_there_is_tried_again(world):
    hook(world, "http://127.0.0.1:9/", ["order.created"])
    world.order(world.worker("Олена"))
    await drain(world)
    assert states(world) == ["ready"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]"]
)
async def test_private_addresses_are_refused_after_resolving(world, receiver, host):
    port = receiver.url.split(":")[2].split("/")[0]
    hook(world, f"http://{host}:{port}/", ["order.created"])
    world.order(world.worker("Олена"))
    await drain(world, private=False)
    assert receiver.calls == []
    [dead] = world.read(webhooks.dead)
    assert dead.last_error in {PUBLIC_ONLY, "this address cannot be called"}


async def test_one_private_address_among_public_ones_refuses_the_name(monkeypatch):
    async def both(*_args, **_kwargs):
        return [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", ("10.0.0.1", 80))]

    import asyncio

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    with pytest.raises(NotPublic):
        await Guard(private=False).resolve("rebind.example", 80)


def test_there_is_one_rule_of_what_is_public():
    assert vars(guarded)["is_public"] is is_public


@pytest.mark.parametrize(
    ("url", "secret", "events", "path"),
    [
        ("ftp://x.example/", SECRET, ["order.paid"], "url"),
        ("https://user:pw@x.example/", SECRET, ["order.paid"], "url"),
        ("https://", SECRET, ["order.paid"], "url"),
        ("https://x.example:99999/", SECRET, ["order.paid"], "url"),
        ("https://x.example/", "short", ["order.paid"], "secret"),
        ("https://x.example/", SECRET, [], "events"),
        ("https://x.example/", SECRET, ["order.sung"], "events"),
    ],
)
def test_a_hook_that_cannot_work_is_refused(world, url, secret, events, path):
    with pytest.raises(InputRejected) as refused:
        world.write(webhooks.add, "test", url, secret, events, key=KEY)
    assert [p.path for p in refused.value.problems] == [path]


def test_a_hook_is_changed_by_who_read_it_last(world):
    hook_id = hook(world, "https://x.example/")
    world.write(webhooks.change, "test", hook_id, url="https://y.example/", expected_version=1)
    with pytest.raises(VersionConflict):
        world.write(webhooks.change, "test", hook_id, active=False, expected_version=1)
    world.write(webhooks.remove, hook_id)
    with pytest.raises(NotFound):
        world.read(webhooks.get, hook_id)


def test_a_secret_stands_nowhere_in_the_clear(world):
    hook_id = hook(world, "https://x.example/")
    [row] = world.rows(t.webhook)
    assert SECRET not in "".join(str(value) for value in row)
    assert webhooks.secret_of(row, KEY) == SECRET
    world.write(webhooks.change, "test", hook_id, secret="another-secret-of-length", key=KEY)
    assert webhooks.secret_of(world.rows(t.webhook)[0], KEY) == "another-secret-of-length"
    with pytest.raises(SecretKeyMissing, match="hub init"):
        world.write(webhooks.add, "test", "https://y.example/", SECRET, ["order.paid"], key=None)


async def test_secrets_of_before_are_sealed_and_a_changed_key_seals_them_anew(world, receiver):
    hook_id = hook(world, receiver.url, ["order.created"])
    world.write(lambda tx: tx.execute(t.webhook.update().values(secret=SECRET, sealed="")))
    assert world.read(webhooks.in_plain_text) == 1
    world.write(webhooks.seal_secrets, KEY)
    assert (world.read(webhooks.in_plain_text), world.rows(t.webhook)[0].secret) == (0, "")
    both = SecretKey.of("n" * 40, "k" * 40)
    world.write(webhooks.seal_secrets, both)
    assert webhooks.secret_of(world.read(webhooks.get, hook_id), SecretKey.of("n" * 40)) == SECRET
    assert world.read(webhooks.unreadable, KEY) == [receiver.url]
    world.write(webhooks.seal_secrets, KEY)  # what it cannot open it leaves alone
    world.order(world.worker("Олена"))
    await drain(world)
    assert receiver.calls == []
    assert [dead.last_error for dead in world.read(webhooks.dead)] == [UNSIGNED]
