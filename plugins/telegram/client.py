"""All network calls of this plugin, over python-telegram-bot's `Bot`. Imported at the first call only.

What the library cannot read of an answer is no failure: the answer came, and is read here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any

from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    InputMediaPhoto,
    KeyboardButton,
    ReplyKeyboardMarkup,
    ReplyParameters,
)
from telegram.error import TelegramError

from hub.sdk import (
    AnswerUnreadable,
    AuthenticationFailed,
    Button,
    Conflict,
    Fetched,
    Later,
    NotReached,
    PermanentFailure,
    PluginError,
    Refused,
    SendResult,
    Sent,
    TemporaryFailure,
    Throttled,
    Uncertain,
)
from plugins.telegram.address import Address
from plugins.telegram.contents import integer
from plugins.telegram.outgoing import Step, Target
from plugins.telegram.refusals import is_of_the_picture, sentence
from plugins.telegram.settings import TelegramSettings
from plugins.telegram.transport import ANSWER, NoAnswer, OddAnswer, QuietRequest, Refusal, TooLarge
from plugins.telegram.updates import ALLOWED, LIMIT

MAX_DOWNLOAD = 20 * 1024 * 1024
_CONNECTIONS = 4
PAUSE_S = 5.0


class TelegramClient:
    """Calls of one bot. Long polls have a connection of their own, so that answers never wait for them."""

    def __init__(self, settings: TelegramSettings) -> None:
        base = settings.base_url.rstrip("/")
        token = settings.token.get_secret_value()
        self._bot_id = settings.bot_id
        self._files = f"{base}/file/bot{token}/"
        self._polls = QuietRequest(1)
        self._calls = QuietRequest(_CONNECTIONS)
        self._bot = Bot(token, f"{base}/bot", f"{base}/file/bot", self._calls, self._polls)

    async def close(self) -> None:
        """Close the connections."""
        for request in (self._polls, self._calls):
            await request.shutdown()

    # --- reading --------------------------------------------------------------------------------------

    async def updates(self, offset: int | None, wait_s: int) -> list[dict[str, Any]]:
        """News from `offset` on, which confirms everything below it. Raises Conflict too."""
        found = await called(
            self._bot.get_updates(
                offset=offset, limit=LIMIT, timeout=wait_s, allowed_updates=ALLOWED, read_timeout=10
            )
        )
        if not isinstance(found, list) or not all(
            isinstance(one, dict) and integer(one.get("update_id")) is not None for one in found
        ):
            raise AnswerUnreadable("getUpdates answers no list of updates")
        return found

    async def name(self) -> str:
        """How the bot is called: @name. The cheapest call."""
        told = await called(self._bot.get_me())
        return f"@{told.get('username', '?')}" if isinstance(told, dict) else "?"

    async def webhook(self) -> dict[str, Any]:
        """Where updates are delivered, how many wait, what went wrong last."""
        told = await called(self._bot.get_webhook_info())
        if not isinstance(told, dict):
            raise AnswerUnreadable("getWebhookInfo answers no object")
        return told

    async def set_webhook(self, url: str, secret: str) -> None:
        """Deliver here from now on; nothing that waits is dropped."""
        await called(self._bot.set_webhook(url, secret_token=secret, allowed_updates=ALLOWED))

    async def delete_webhook(self) -> None:
        """Deliver nowhere; nothing that waits is dropped."""
        await called(self._bot.delete_webhook(drop_pending_updates=False))

    async def answer_callback(self, callback: str) -> None:
        """Let a pressed button stop spinning."""
        await called(self._bot.answer_callback_query(callback))

    async def fetch(self, file_id: str, limit_bytes: int) -> Fetched:
        """One file. Raises PermanentFailure where it is gone or too large."""
        told = await called(self._bot.get_file(file_id))
        path = told.get("file_path") if isinstance(told, dict) else None
        size = integer(told.get("file_size")) if isinstance(told, dict) else None
        if not isinstance(path, str) or not path or ".." in path:
            raise AnswerUnreadable("getFile answers no path")
        limit = min(limit_bytes, MAX_DOWNLOAD)
        if size is not None and size > limit:
            raise PermanentFailure(f"the file is larger than {limit} bytes")
        request = QuietRequest(1, limit_bytes=limit)
        try:
            body = await request.retrieve(self._files + path.lstrip("/"))
        except TooLarge:
            raise PermanentFailure(f"the file is larger than {limit} bytes") from None
        except TelegramError as error:
            if isinstance(error, Refusal) and error.code == 404:
                raise PermanentFailure("the file is gone") from None
            raise problem(error) from None
        finally:
            await request.shutdown()
        return Fetched(body=body)

    # --- writing --------------------------------------------------------------------------------------

    async def deliver(self, step: Step, where: Target) -> SendResult:
        """One part, and what is known of it. Raises AuthenticationFailed.

        What was refused for its chat or its form alone is asked once more in the other way: nothing has left.
        """
        try:
            try:
                return self._sent(where, await self._send(step, where))
            except Refusal as refusal:
                if refusal.migrated_to is not None:
                    where = replace(where, chat=refusal.migrated_to, answers=None)
                    return self._sent(where, await self._send(step, where))
                if not (step.is_photo and is_of_the_picture(refusal.message)):
                    raise
                number = 0
                for file in step.files:
                    number = await self._send(replace(step, files=(file,), as_files=True), where)
                return self._sent(where, number)
        except TelegramError as error:
            return outcome(error)

    def _sent(self, where: Target, number: int) -> Sent:
        return Sent(str(Address(self._bot_id, where.chat, number, where.connection)))

    async def _send(self, step: Step, where: Target) -> int:
        """One call; the id of the (last) message. Raises Refusal, NoAnswer or OddAnswer."""
        told = await _answer(self._call_of(step, where))
        message = told[-1] if isinstance(told, list) and told else told
        number = integer(message.get("message_id")) if isinstance(message, dict) else None
        if number is None:
            raise OddAnswer("the answer names no message")
        return number

    def _call_of(self, step: Step, where: Target) -> Awaitable[Any]:
        common: dict[str, Any] = {
            "chat_id": where.chat,
            "business_connection_id": where.connection or None,
        }
        if where.answers is not None:
            common["reply_parameters"] = ReplyParameters(where.answers, allow_sending_without_reply=True)
        if len(step.files) > 1:
            media = [InputMediaPhoto(InputFile(f.body, f.name, attach=True)) for f in step.files]
            return self._bot.send_media_group(media=media, **common)
        common["reply_markup"] = markup(step.buttons)
        if not step.files:
            return self._bot.send_message(text=step.text, **common)
        (file,) = step.files
        content = InputFile(file.body, file.name)
        caption = step.text or None
        if step.is_photo:
            return self._bot.send_photo(photo=content, caption=caption, **common)
        return self._bot.send_document(document=content, caption=caption, **common)


def markup(rows: Sequence[Sequence[Button]]) -> InlineKeyboardMarkup | ReplyKeyboardMarkup | None:
    """Buttons under the message; where one of them shares the number, all stand in place of the keyboard."""
    if not rows:
        return None
    if any(button.share_phone for row in rows for button in row):
        keys = [
            [KeyboardButton(button.label, request_contact=button.share_phone or None) for button in row]
            for row in rows
        ]
        return ReplyKeyboardMarkup(keys, resize_keyboard=True, one_time_keyboard=True)
    return InlineKeyboardMarkup([[_inline(button) for button in row] for row in rows])


def _inline(button: Button) -> InlineKeyboardButton:
    if button.url:
        return InlineKeyboardButton(button.label, url=button.url)
    return InlineKeyboardButton(button.label, callback_data=button.action or button.label)


async def _answer(call: Awaitable[Any]) -> Any:
    """`result` of a call as Telegram sent it, whether or not the library can make an object of it."""
    mark = object()
    ANSWER.set(mark)
    try:
        await call
    except TelegramError:
        raise
    except (TypeError, KeyError, ValueError, AttributeError):
        if ANSWER.get() is mark:  # nothing came: it is no matter of reading
            raise
    return ANSWER.get()


async def called(call: Awaitable[Any]) -> Any:
    """The same with the hub's kinds of errors."""
    try:
        return await _answer(call)
    except TelegramError as error:
        raise problem(error) from None


def outcome(error: TelegramError) -> SendResult:
    """What is known of a message that was not answered for. Raises AuthenticationFailed (pure)."""
    if isinstance(error, NoAnswer) and error.unsent:
        return Later()
    if not isinstance(error, Refusal) or error.code >= 500:
        return Uncertain("Telegram did not say whether it took the message")
    if error.code == 429:
        return Later(error.retry_after_s or PAUSE_S)
    if error.code in {401, 404}:
        raise problem(error)
    return Refused(sentence(error.message))


def problem(error: TelegramError) -> PluginError:
    """What happens next (pure)."""
    if isinstance(error, NoAnswer):
        return (NotReached if error.unsent else TemporaryFailure)(f"no answer: {error.message}")
    if not isinstance(error, Refusal):
        return AnswerUnreadable("Telegram's answer is not of the documented shape")
    if error.code in {401, 404}:
        return AuthenticationFailed(
            f"Telegram does not accept the token (HTTP {error.code}): check `token`, BotFather shows it"
        )
    if error.code == 409:
        return Conflict(error.message)
    if error.code == 429:
        return Throttled("Telegram asks to slow down", retry_after_s=error.retry_after_s)
    if error.code >= 500:
        return TemporaryFailure(f"HTTP {error.code}", retry_after_s=error.retry_after_s)
    return PermanentFailure(sentence(error.message))
