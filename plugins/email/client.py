"""The IMAP side: one connection, used by one thread (imapclient's objects are not safe for several).

IDLE is a hint only. `idle_check` swallows a dead connection and answers an empty list at once, for ever: an empty
answer sooner than the time-out means reconnect, and after each IDLE, whatever it said, comes a NOOP and a search
by UID. A connection lives three hours at most. Nothing is marked as seen and nothing depends on it.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import queue
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, islice
from typing import Any, Final, TypeVar

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from hub.sdk import AuthenticationFailed, PluginError, Pulled, PulledDelivery, TemporaryFailure
from plugins.email import positions
from plugins.email.positions import Folder, Stored
from plugins.email.settings import EmailSettings

PAGE: Final = 100
PAGE_BYTES: Final = 4 * 1024 * 1024  # a pull has a minute: slow lines must get through
CHUNK: Final = 20
CONNECT_S: Final = 15.0
READ_S: Final = 30.0
IDLE_S: Final = 300.0
AGE_S: Final = 3 * 3600.0
SPARE_S: Final = 300.0
LEAST_S: Final = 0.5
WIDE: Final = 50_000  # messages in a folder above which UIDs are asked for in ranges

_BUSY = (
    "[UNAVAILABLE]",
    "[INUSE]",
    "[LIMIT]",
    "[SERVERBUG]",
    "TEMPORAR",
    "TRY AGAIN",
    "TOO MANY",
    "INTERNAL ERROR",
)
_Result = TypeVar("_Result")

# At DEBUG it logs whole answers, and answers hold customers' mail.
logging.getLogger("imapclient").setLevel(logging.WARNING)


class ConnectionLost(Exception):
    """the connection is of no use any more"""


class TokenRefused(AuthenticationFailed):
    """The mail server does not accept the token: a fresh one may do."""


@dataclass(frozen=True, slots=True)
class _Mail:
    """A mail as the server lists it."""

    folder: str
    uidvalidity: int
    uid: int
    taken_at: datetime
    size: int


class Mailbox:
    """One connection to one mailbox. Only `cut` may be called from another thread."""

    def __init__(self, settings: EmailSettings, today: Callable[[], date]) -> None:
        self._settings = settings
        self._today = today
        self._client: IMAPClient | None = None
        self._connected_at = 0.0
        self._next: dict[str, int] = {}
        self._stop = threading.Event()

    # --- what the hub asks for ----------------------------------------------------------------------------

    def pull(self, position: str, wait_s: float, token: str) -> Pulled:
        """What is new; waits for it up to `wait_s`. A connection found dead is renewed once, silently."""
        self._stop.clear()
        reused = self._client is not None
        try:
            return self._pull(position, wait_s, token)
        except ConnectionLost as lost:
            if not reused:
                raise TemporaryFailure(str(lost)) from None
        try:
            return self._pull(position, 0, token)
        except ConnectionLost as lost:
            raise TemporaryFailure(str(lost)) from None

    def _pull(self, position: str, wait_s: float, token: str) -> Pulled:
        with self._connection(token) as client:
            found = self._collect(client, position)
            if found.deliveries or found.position is not None or wait_s <= 0:
                return found
            self._wait(client, wait_s)
            return self._collect(client, position)

    def taken(self, stored: Sequence[Stored], token: str) -> None:
        """Move mail that is stored; what is not there any more was moved before."""
        with self._told(), self._connection(token) as client:
            ordered = sorted(stored, key=lambda one: (one.folder, one.uidvalidity, one.uid))
            for (folder, uidvalidity), mails in groupby(
                ordered, key=lambda one: (one.folder, one.uidvalidity)
            ):
                info = client.select_folder(folder)
                if int(info.get(b"UIDVALIDITY", 0)) == uidvalidity:
                    present = client.search(["UID", ",".join(str(mail.uid) for mail in mails)])
                    if present:
                        self._move(client, present)

    def rescan(self, since: datetime, after: str, token: str) -> Pulled:
        """A page of what came since a moment. `after` is `index:uid` of the last mail looked at."""
        with self._told(), self._connection(token) as client:
            index, uid = (int(part) for part in (after or "0:0").split(":"))
            for number in range(index, len(self._settings.folders)):
                folder = self._settings.folders[number]
                uidvalidity, _, _ = self._select(client, folder)
                uids = sorted(client.search(["SINCE", since.date() - timedelta(days=1)]))
                uids = [one for one in uids if number > index or one > uid]
                if not uids:
                    continue
                page = self._listed(client, folder, uidvalidity, uids[:PAGE])
                page = _within(page)
                wanted = [mail for mail in page if mail.taken_at >= since]
                bodies = self._bodies(client, wanted)
                last = f"{number}:{page[-1].uid if page else uids[:PAGE][-1]}"
                deliveries = tuple(
                    self._delivery(m, bodies[m.folder, m.uid], last)
                    for m in wanted
                    if (m.folder, m.uid) in bodies
                )
                return Pulled(deliveries=deliveries, position=last, more=True)
            return Pulled(position=after or "0:0")

    def check(self, token: str) -> str:
        """Log in and open each folder. Raises AuthenticationFailed or TemporaryFailure."""
        with self._told(), self._connection(token) as client:
            counts = [f"{folder}: {self._select(client, folder)[2]}" for folder in self._settings.folders]
            if self._settings.move_to and not client.folder_exists(self._settings.move_to):
                client.create_folder(self._settings.move_to)
            announces = "announces new mail" if client.has_capability("IDLE") else "is asked by polling"
            return f"logged in, {', '.join(counts)} messages; the server {announces}"

    def close(self) -> None:
        """Say good-bye."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(IMAPClientError, OSError):
                client.logout()
            with suppress(IMAPClientError, OSError):
                client.shutdown()

    def cut(self) -> None:
        """From another thread: whatever is being waited for ends at once."""
        self._stop.set()
        client = self._client
        if client is not None:
            with suppress(IMAPClientError, OSError, AttributeError):
                client.socket().shutdown(2)

    # --- the connection -----------------------------------------------------------------------------------

    @contextmanager
    def _connection(self, token: str) -> Iterator[IMAPClient]:
        if self._client is not None and time.monotonic() - self._connected_at > AGE_S:
            self.close()
        try:
            if self._client is None:
                self._client = self._connected(token)
                self._connected_at = time.monotonic()
            yield self._client
        except (IMAPClientAbortError, OSError, ConnectionLost) as error:  # ssl.SSLError is an OSError
            self._drop()
            raise ConnectionLost(f"the mail server does not answer: {type(error).__name__}") from None
        except IMAPClientError as error:
            self._drop()
            raise TemporaryFailure(f"the mail server refused a command: {_code(error)}") from None
        except BaseException:
            self._drop()
            raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except ConnectionLost as lost:
            raise TemporaryFailure(str(lost)) from None

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(IMAPClientError, OSError):
                client.shutdown()

    def _connected(self, token: str) -> IMAPClient:
        server = self._settings.imap
        context = ssl.create_default_context(cafile=self._settings.ca_file or None)
        client = IMAPClient(
            server.host,
            server.port,
            ssl=server.security == "tls",
            ssl_context=context if server.security == "tls" else None,
            timeout=SocketTimeout(CONNECT_S, READ_S),
        )
        try:
            client.normalise_times = False
            if server.security == "starttls":
                client.starttls(context)
            self._login(client, token)
        except BaseException:
            with suppress(IMAPClientError, OSError):
                client.shutdown()
            raise
        return client

    def _login(self, client: IMAPClient, token: str) -> None:
        try:
            if token:
                client.oauth2_login(self._settings.login, token)
            else:
                client.login(self._settings.login, self._settings.password.get_secret_value())
        except LoginError as error:
            if isinstance(error.__context__, IMAPClientAbortError):
                raise ConnectionLost("the mail server hung up during the login") from None
            if any(word in str(error).upper() for word in _BUSY):
                raise TemporaryFailure("the mail server takes no login right now") from None
            if token:
                raise TokenRefused("the mail server does not accept the OAuth token") from None
            raise AuthenticationFailed(
                "the mail server does not accept the login: check username and password, and that IMAP is switched on"
            ) from None

    # --- looking ------------------------------------------------------------------------------------------

    def _select(self, client: IMAPClient, folder: str) -> tuple[int, int, int]:
        """UIDVALIDITY, UIDNEXT and the number of messages; read-only, so that nothing is marked."""
        info = client.select_folder(folder, readonly=True)
        uidvalidity, exists = int(info.get(b"UIDVALIDITY", 0)), int(info.get(b"EXISTS", 0))
        uidnext = int(info.get(b"UIDNEXT", 0))
        if not uidnext:
            uidnext = max(client.search(["UID", "*"]) or [0]) + 1
        self._next[folder] = uidnext
        return uidvalidity, uidnext, exists

    def _collect(self, client: IMAPClient, position: str) -> Pulled:
        before = positions.read(position)
        states: dict[str, Folder] = {}
        listed: list[list[_Mail]] = []
        more = False
        for folder in self._settings.folders:
            states[folder], uids = self._new(client, folder, before.get(folder))
            listed.append(self._listed(client, folder, states[folder].uidvalidity, uids[:PAGE]))
            more = more or len(uids) > PAGE
        merged = list(heapq.merge(*listed, key=lambda mail: mail.taken_at))
        chosen = _within(merged[:PAGE])
        bodies = self._bodies(client, chosen)
        deliveries = []
        for mail in chosen:
            states[mail.folder] = states[mail.folder].passed(mail.uid)
            body = bodies.get((mail.folder, mail.uid))
            if body is not None:  # else it was deleted meanwhile
                at = positions.write(states, Stored(mail.folder, mail.uidvalidity, mail.uid))
                deliveries.append(self._delivery(mail, body, at))
        reached = deliveries[-1].position if deliveries else position
        settled = positions.read(reached) == states
        return Pulled(
            deliveries=tuple(deliveries),
            position=None if settled else positions.write(states),
            more=more or len(chosen) < len(merged),
        )

    def _new(self, client: IMAPClient, folder: str, state: Folder | None) -> tuple[Folder, list[int]]:
        """The folder's state, and the UIDs beyond it, ascending."""
        uidvalidity, uidnext, exists = self._select(client, folder)
        if state is None or state.uidvalidity != uidvalidity:
            days = self._settings.history_days if state is None else self._settings.resync_days
            since = self._today() - timedelta(days=days + 1) if days else None
            state = Folder(uidvalidity, 0, uidnext - 1, since) if since else Folder(uidvalidity, uidnext - 1)
        if state.since is not None:
            uids = []
            if state.until > state.uid:
                found = client.search(["UID", f"{state.uid + 1}:{state.until}", "SINCE", state.since])
                uids = sorted(one for one in found if state.uid < one <= state.until)
            if uids:
                return state, uids
            state = state.caught_up()
        if uidnext <= state.uid + 1:
            return state, []
        return state, self._beyond(client, state.uid, uidnext, exists)

    def _beyond(self, client: IMAPClient, uid: int, uidnext: int, exists: int) -> list[int]:
        """UIDs above `uid`. `n:*` always gives the last message too, whatever its UID: filtered here."""
        if exists <= WIDE:
            return sorted(one for one in client.search(["UID", f"{uid + 1}:*"]) if one > uid)
        low, width = uid + 1, WIDE
        while low < uidnext:
            found = sorted(one for one in client.search(["UID", f"{low}:{low + width}"]) if one > uid)
            if found:
                return found
            low, width = low + width + 1, width * 2
        return []

    def _listed(self, client: IMAPClient, folder: str, uidvalidity: int, uids: Sequence[int]) -> list[_Mail]:
        if not uids:
            return []
        answers = client.fetch(list(uids), ["INTERNALDATE", "RFC822.SIZE"])
        return [
            _Mail(
                folder,
                uidvalidity,
                uid,
                _aware(answers.get(uid, {}).get(b"INTERNALDATE")),
                int(answers.get(uid, {}).get(b"RFC822.SIZE") or 0),
            )
            for uid in uids
        ]

    def _bodies(self, client: IMAPClient, mails: Sequence[_Mail]) -> dict[tuple[str, int], bytes]:
        """Whole mails; of too large ones the beginning."""
        bodies: dict[tuple[str, int], bytes] = {}
        limit = self._settings.max_message_bytes
        for folder in dict.fromkeys(mail.folder for mail in mails):
            self._select(client, folder)
            within = [mail.uid for mail in mails if mail.folder == folder and mail.size <= limit]
            rest = iter(within)
            while chunk := list(islice(rest, CHUNK)):
                for uid, answer in client.fetch(chunk, ["BODY.PEEK[]"]).items():
                    if isinstance(answer.get(b"BODY[]"), bytes):
                        bodies[folder, uid] = answer[b"BODY[]"]
            for mail in mails:
                if mail.folder == folder and mail.size > limit:
                    answer = client.fetch([mail.uid], [f"BODY.PEEK[]<0.{limit}>"]).get(mail.uid, {})
                    if isinstance(answer.get(b"BODY[]<0>"), bytes):
                        bodies[folder, mail.uid] = answer[b"BODY[]<0>"]
        return bodies

    def _delivery(self, mail: _Mail, body: bytes, position: str) -> PulledDelivery:
        headers = {
            "folder": mail.folder,
            "uid": str(mail.uid),
            "uidvalidity": str(mail.uidvalidity),
            "internal-date": mail.taken_at.isoformat(),
            "size": str(mail.size),
            "content-type": "message/rfc822",
        }
        if mail.size > self._settings.max_message_bytes:
            headers["truncated"] = "1"
        return PulledDelivery(body=body, position=position, headers=headers)

    # --- waiting ------------------------------------------------------------------------------------------

    def _wait(self, client: IMAPClient, wait_s: float) -> None:
        """Until the server announces something, or the time is up."""
        folders = self._settings.folders
        announces = client.has_capability("IDLE")
        wait_s = max(LEAST_S, wait_s)
        wait_s = min(wait_s, IDLE_S if announces and len(folders) == 1 else float(self._settings.poll_s))
        if not announces:
            self._stop.wait(wait_s)
            client.noop()
            return
        seen = self._next.get(folders[0])
        if self._select(client, folders[0])[1] == seen:
            _idle(client, wait_s)

    def _move(self, client: IMAPClient, uids: Sequence[int]) -> None:
        target = self._settings.move_to
        if not client.folder_exists(target):
            client.create_folder(target)
        if client.has_capability("MOVE"):
            client.move(uids, target)
            return
        client.copy(uids, target)
        client.delete_messages(uids, silent=True)
        if client.has_capability("UIDPLUS"):
            client.uid_expunge(uids)


def _idle(client: IMAPClient, wait_s: float) -> None:
    begun = time.monotonic()
    client.idle()
    answers: list[Any] = client.idle_check(timeout=wait_s)
    spent = time.monotonic() - begun
    if any(answer and answer[0] == b"BYE" for answer in answers) or (not answers and spent < wait_s - 0.2):
        raise ConnectionLost("the mail server hung up")
    client.idle_done()
    client.noop()


def _within(mails: Sequence[_Mail]) -> list[_Mail]:
    """As many as stay below the bound of one pull, one at least."""
    chosen: list[_Mail] = []
    size = 0
    for mail in mails:
        size += mail.size
        if chosen and size > PAGE_BYTES:
            break
        chosen.append(mail)
    return chosen


def _aware(value: datetime | None) -> datetime:
    if value is None:
        return datetime.fromtimestamp(0, UTC)
    return value.astimezone(UTC) if value.tzinfo is not None else value.replace(tzinfo=UTC)


def _code(error: IMAPClientError) -> str:
    """The response code of a refusal, never its text: it may quote a mail."""
    text = str(error)
    begin, end = text.find("["), text.find("]")
    code = text[begin + 1 : end].split(" ", maxsplit=1)[0] if 0 <= begin < end else ""
    return (
        code if code.isascii() and code.replace("-", "").isalpha() and len(code) < 40 else "no reason given"
    )


# --- the thread ---------------------------------------------------------------------------------------------


class Worker:
    """One daemon thread that owns one Mailbox; started by the first call."""

    def __init__(self, name: str, mailbox: Mailbox) -> None:
        self._name = name
        self.mailbox = mailbox
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._busy = False

    async def run(self, work: Callable[[], _Result], limit_s: float) -> _Result:
        """Run in the thread; when the time is up, or the caller gives up, the connection is cut. Raises PluginError."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Result] = loop.create_future()

        def settle(result: _Result | None, error: BaseException | None) -> None:
            if not future.done():
                if error is not None:
                    future.set_exception(error)
                else:
                    future.set_result(result)  # type: ignore[arg-type]

        def job() -> None:
            result: _Result | None = None
            failed: BaseException | None = None
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - the thread's boundary: the caller gets it
                failed = error
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, result, failed)

        self._start()
        self._jobs.put(job)
        try:
            async with asyncio.timeout(limit_s):
                return await future
        except TimeoutError:
            self.mailbox.cut()
            raise TemporaryFailure("the mail server is too slow: the connection was cut") from None
        except asyncio.CancelledError:
            self.mailbox.cut()
            raise

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work, args=(self._jobs,), name=f"imap {self._name}", daemon=True
            )
            self._thread.start()

    def _work(self, jobs: queue.SimpleQueue[Callable[[], None] | None]) -> None:
        while (job := jobs.get()) is not None:
            self._busy = True
            job()
            self._busy = False
        self.mailbox.close()

    async def close(self) -> None:
        """End the thread; whatever it waits for is cut off."""
        thread, self._thread = self._thread, None
        if thread is not None:
            if self._busy:
                self.mailbox.cut()
            self._jobs.put(None)
            self._jobs = queue.SimpleQueue()  # a later call starts a thread of its own
            await asyncio.to_thread(thread.join, 2.0)


__all__ = ["Mailbox", "PluginError", "TokenRefused", "Worker"]
