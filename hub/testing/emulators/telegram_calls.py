"""The form of calls to the emulated Bot API, and of its refusals (see `telegram`)."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

MARK = "telegram"
SENDING = {"sendMessage": "text", "sendPhoto": "photo", "sendDocument": "document", "sendMediaGroup": "media"}


class Refused(Exception):
    """The call fails with this status and these words."""

    def __init__(self, code: int, words: str, **parameters: int) -> None:
        super().__init__(words)
        self.code, self.words, self.parameters = code, words, parameters


def check_form(method: str, told: dict[str, Any]) -> None:
    """Telegram's limits."""
    text, caption = told.get("text", ""), told.get("caption", "")
    if method == "sendMessage" and not text:
        raise Refused(400, "Bad Request: message text is empty")
    if len(text.encode("utf-16-le")) // 2 > 4096:
        raise Refused(400, "Bad Request: message is too long")
    if len(caption.encode("utf-16-le")) // 2 > 1024:
        raise Refused(400, "Bad Request: message caption is too long")
    for row in json.loads(told.get("reply_markup", "{}")).get("inline_keyboard", []):
        if any(len(button.get("callback_data", "").encode()) > 64 for button in row):
            raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
    if method != "sendMessage" and SENDING[method] not in told:
        raise Refused(400, f"Bad Request: there is no {SENDING[method]} in the request")


async def parameters(request: web.Request) -> dict[str, Any]:
    """Query, JSON or form; of a file its name and size."""
    told: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        told |= await request.json()
        return told
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            told[name] = {"file_name": value.filename, "size": len(value.file.read())}
        else:
            told[name] = value
    return told


def refusal(refused: Refused) -> web.Response:
    """As the server words it."""
    answer: dict[str, Any] = {
        "ok": False,
        "error_code": refused.code,
        "description": refused.words,
        "emulator": MARK,
    }
    if refused.parameters:
        answer["parameters"] = refused.parameters
    return web.json_response(answer, status=refused.code)
