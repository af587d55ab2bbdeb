"""One sending call of a plugin under its guard and time limit.

What a plugin says is believed; what it raises is read by what is certain: Throttled and NotReached mean that
nothing has left, PermanentFailure that it never will. Whatever else happens during the call leaves it open
whether the message has left.
"""

from __future__ import annotations

import asyncio

import structlog

from hub.accounts import store as accounts
from hub.db.database import Database
from hub.sdk.channel import Channel
from hub.sdk.errors import AuthenticationFailed, NotReached, PermanentFailure, Throttled
from hub.sdk.messages import Later, Outgoing, Refused, SendResult, Sent, Uncertain

log = structlog.get_logger("hub.runtime")

SEND_WITHIN_S = 30.0
LOGIN_WAIT_S = 300.0


async def send_guarded(db: Database, account: str, channel: Channel, outgoing: Outgoing) -> SendResult:
    """What became of it; never raises what a plugin raises."""
    try:
        async with asyncio.timeout(SEND_WITHIN_S):
            result: object = await channel.send(outgoing)
    except Throttled as error:
        return Later(error.retry_after_s or 0)
    except NotReached as error:
        return Later(error.retry_after_s or 0)
    except PermanentFailure as error:
        return Refused(error.message)
    except AuthenticationFailed as error:
        reason = error.message
        await db.write(lambda tx: accounts.note_error(tx, account, reason))
        return Later(LOGIN_WAIT_S)
    except TimeoutError:
        return Uncertain("the other side did not answer in time")
    except Exception as error:  # noqa: BLE001 - the guard around a plugin
        log.error("plugin_raised", account=account, call="send", error=type(error).__name__)
        return Uncertain(f"the plugin raised {type(error).__name__}")
    if isinstance(result, Sent | Refused | Later | Uncertain):
        return result
    log.error("plugin_returned_nonsense", account=account, call="send", type=type(result).__name__)
    return Uncertain("the plugin did not say what became of it")
