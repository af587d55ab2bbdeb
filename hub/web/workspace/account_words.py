"""What accounts, their settings and `hub check` say to people. Tables only; `Words.sentence` finds the sentences."""

from __future__ import annotations

from hub.web.i18n import N_

STATE = {
    "active": (N_("works"), "good"),
    "stopped": (N_("stopped by the hub"), "bad"),
    "paused": (N_("switched off"), "neutral"),
    "off": (N_("cannot be used"), "bad"),
    "retired": (N_("taken away"), "neutral"),
}
SILENT = (N_("silent for too long"), "bad")
FAILING = (N_("does not answer"), "bad")
UNTRIED = (N_("has not answered yet"), "neutral")
KIND = {"channel": N_("Channel"), "carrier": N_("Carrier")}
KINDS = {"channel": N_("Channels"), "carrier": N_("Carriers")}
REJECTED = {
    "signature": N_("not authentic"),
    "media_type": N_("of a kind that is not taken"),
    "too_large": N_("too large"),
    "too_slow": N_("too slow"),
    "cut_off": N_("cut off"),
    "rate": N_("too many at once"),
    "key_reused": N_("key used before"),
    "contact": N_("without a telephone or an e-mail"),
    "unreadable": N_("not readable"),
    "method": N_("by another method"),
}
WHAT, RESULT, DETAIL = N_("what"), N_("result"), N_("detail")
RESULTS = {"ok": N_("in order"), "wrong": N_("wrong"), "note": N_("note")}

SENTENCES = (
    # settings, whoever reads them
    N_("these settings are not valid"),
    N_("is missing"),
    N_("is not a key here"),
    N_("is a text"),
    N_("has at most %(number)s characters"),
    N_("has at least %(number)s characters"),
    N_("has at most %(number)s entries"),
    N_("has at least %(number)s entries"),
    N_("is one of %(names)s"),
    N_("is at least %(number)s"),
    N_("is at most %(number)s"),
    N_("is a whole number"),
    N_("is a number"),
    N_("is true or false"),
    N_("is a list"),
    N_("is a table of names and values"),
    N_("is a date such as 2026-12-31"),
    N_("is an address that begins with https:// or http://"),
    N_("does not have the expected form"),
    N_("is no time zone, such as Europe/Kyiv"),
    N_("is a short text, such as uk or wholesale"),
    N_("a name has lower-case letters, digits, - and _ only, at most 63"),
    N_("this name is taken by another account"),
    N_("this name is taken by another account: choose another one"),
    N_("this name belongs to an account of the settings file: choose another one"),
    N_("this name belonged to an account of the plugin %(plugin)s: choose another one"),
    N_(
        "this name belongs to an account made in the workspace: choose another one, "
        "or take that account away on the page Accounts"
    ),
    N_("no such plugin is loaded"),
    N_("no plugin '%(name)s' is loaded, did you mean '%(near)s'?"),
    N_("no plugin '%(name)s' is loaded"),
    N_("there are %(names)s"),
    N_("there is no such team"),
    N_("there is no [teams.%(name)s] in the settings"),
    N_("cannot be read: %(reason)s"),
    N_("is no text file"),
    N_("no such file: run `hub init` to make one"),
    N_("is no TOML: %(reason)s"),
    N_("%(key)s stands there too: keep one of them"),
    # what becomes of accounts
    N_("This account stands in the settings file: change it there, and restart the hub."),
    N_("this account was taken away"),
    N_("it is not in the settings any more"),
    N_("a person switched it off"),
    N_("it is switched off"),
    N_(
        "This account cannot be switched on from here: mend its settings or its plugin, and start the hub again."
    ),
    N_(
        "This hub has no secret key, so it can keep no secrets: run `hub init` or set HUB_SECRET_KEY, and restart it."
    ),
    N_(
        "A stored secret was written with another key: put the old key back, or enter the account's secrets anew."
    ),
    N_("account %(name)s was changed by somebody else"),
    N_("its settings are not valid any more: %(what)s"),
    N_("its plugin %(name)s cannot be imported: %(reason)s"),
    N_("its plugin raised %(error)s"),
    N_("its plugin answered with %(error)s"),
    N_("this process does not serve it: look at the other process, or restart the hub"),
    # what the other side said
    N_("enter the credentials of this account anew"),
    N_("try again in some minutes"),
    N_("if it stays so, look at base_url and at the network of this machine"),
    N_("this is a fault of the plugin: tell its author"),
    N_("no answer within %(seconds)s seconds"),
    N_("the other side does not answer"),
    N_("the other side has not answered for %(seconds)s seconds"),
    N_("set [hub] base_url to the https address under which the world reaches this hub"),
    N_("this channel has no check of its own"),
    N_("this carrier has no check of its own"),
    # what the plugins of this repository say of themselves; others are shown as they speak
    N_("the key works"),
    N_("the login works"),
    N_("the login works, all listed statuses are known"),
    N_("the login works, tracking answers with an error"),
    N_("the public tracking answers"),
    N_("it needs no key"),
    N_("no api_key: parcels are followed, sums and return data stay hidden"),
    N_("it expires on %(day)s, in %(days)s days: make a new one in the business cabinet"),
    N_("api_key_expires says it ended on %(day)s: write the new day there"),
    N_("bearer_tracking, bearer_ecom and counterparty_token work"),
    N_("bearer_tracking works"),
    N_("without bearer_ecom and counterparty_token payouts are not told"),
    N_("Telegram knows the bot as %(name)s: it is polled, %(count)s updates wait"),
    N_("Telegram knows the bot as %(name)s: its web hook leads here, %(count)s updates wait"),
    N_("Viber knows the bot as %(name)s: its web hook leads here, %(count)s subscribers"),
    N_("Telegram refuses it: %(reason)s"),
    N_("Telegram cannot deliver to the hub: %(reason)s"),
    N_("Viber answers: %(reason)s"),
    N_("logged in, %(counts)s messages"),
    N_("sending works"),
    N_("no smtp_host, so it cannot answer"),
    N_("the login is refused: check username and password"),
    N_("a fresh login is not accepted: has this login access to the API?"),
    N_("the mail server does not accept the OAuth token"),
    N_("the mail server hung up"),
    N_("the mail server hung up during the login"),
    N_("the mail server does not answer: %(error)s"),
    N_("the mail server is too slow: the connection was cut"),
    N_("the mail server takes no login right now"),
    N_("no token was given: HTTP %(status)s"),
    N_("the web hook of this bot leads to %(address)s: another program has taken it"),
    N_("the web hook of %(name)s leads to %(address)s: another program has taken it"),
    N_("%(name)s has no web hook: it was taken away, or the hub has not started yet"),
    N_("no connection: %(error)s"),
    N_("no answer: %(error)s"),
    N_("HTTP %(status)s"),
    N_("the answer is not JSON"),
    N_("The provider does not accept the credentials."),
    N_("The provider cannot answer right now."),
    N_("the carrier answers with an error"),
    N_("the seller API answers with an error"),
    # hub check
    N_("settings"),
    N_("database"),
    N_("secret key"),
    N_("old secret key"),
    N_("web hooks"),
    N_("plugin %(name)s"),
    N_("account %(name)s"),
    N_("route %(name)s"),
    N_("web hook %(address)s"),
    N_("%(file)s does not exist yet; `hub serve` makes it"),
    N_("schema %(present)s, needed %(needed)s: run `hub db upgrade`"),
    N_("key %(id)s"),
    N_("no %(file)s and no HUB_SECRET_KEY: tokens are kept in memory"),
    N_("run `hub init`"),
    N_("The secret key is too short: it has at least 32 characters"),
    N_("`hub init` makes one."),
    N_("secrets of web hooks stand in plain text (%(count)s): run `hub init` and restart the hub"),
    N_("secrets of web hooks stand in plain text (%(count)s): restart the hub, it seals them"),
    N_("its secret cannot be opened: put the old secret key back (HUB_SECRET_KEY_OLD), or enter them anew"),
    N_(
        "its stored secrets cannot be opened: put the old secret key back (HUB_SECRET_KEY_OLD), or enter them anew"
    ),
    N_("stored secrets that wait for it: %(count)s"),
    N_("the next start seals them"),
    N_("nothing needs it any more: take it away"),
    N_("it is switched off: resume it on the page Accounts"),
    N_("version %(number)s differs from the seed: %(what)s"),
    N_("%(kept)s in the database, which rules; %(value)s in the file"),
    N_('behind a proxy on this machine set it to ["127.0.0.1"], or all customers share one address'),
    N_("the secret of this web hook cannot be opened: put the old secret key back, or give it a new secret"),
)
