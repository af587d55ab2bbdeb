"""All pages in one table, each with the right that it needs; and errors as pages.

A page that is not in the table does not exist: `tests/web` walks it with every role.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson
from aiohttp import web

from hub.access.model import May
from hub.intake.limits import RateLimit
from hub.web.context import SERVICES
from hub.web.i18n import N_
from hub.web.workspace import (
    accounts,
    byhand,
    contacts,
    conversation,
    customer_notices,
    evenness,
    live,
    notices,
    oneself,
    order_desk,
    order_forms,
    orders,
    people,
    setup,
    shipment_bulk,
    shipment_forms,
    shipments,
    signin,
    static,
    tasks,
    track,
)
from hub.web.workspace import requests as request_pages
from hub.web.workspace.visit import VISIT, Page, Visit, bound

MAX_UPLOAD = 30 * 1024 * 1024

PAGES: Sequence[Page] = (
    Page("GET", "/", tasks.my_tasks, May.SEE),
    Page("GET", "/live", live.live, May.SEE),
    Page("GET", "/tasks", tasks.all_tasks, May.SEE),
    Page("GET", "/tasks/{id}", request_pages.task_page, May.SEE),
    Page("GET", "/tasks/{id}/why", tasks.why_page, May.SEE),
    Page("POST", "/tasks/{id}/claim", tasks.verb("claim", "claimed", tasks.claim), May.WORK),
    Page("POST", "/tasks/{id}/accept", tasks.verb("accept", "accepted", tasks.accept), May.WORK),
    Page("POST", "/tasks/{id}/release", tasks.verb("release", "released", tasks.release), May.WORK),
    Page("POST", "/tasks/{id}/reassign", tasks.verb("reassign", "reassigned", tasks.reassign), May.WORK),
    Page("POST", "/tasks/{id}/complete", tasks.verb("complete", "completed", tasks.complete), May.WORK),
    Page("POST", "/tasks/{id}/void", tasks.verb("void", "voided", tasks.void), May.WORK),
    Page("POST", "/tasks/{id}/snooze", tasks.verb("snooze", "snoozed", tasks.snooze), May.WORK),
    Page("POST", "/tasks/{id}/reopen", tasks.verb("reopen", "reopened", tasks.reopen), May.WORK),
    Page("POST", "/tasks/{id}/undo-void", tasks.verb("undo_void", "void_undone", tasks.undo_void), May.LEAD),
    Page("POST", "/tasks/{id}/to-team", tasks.verb("to_team", "to_team", tasks.to_team), May.WORK),
    Page("GET", "/requests/new", byhand.form_page, May.WORK),
    Page("POST", "/requests/new", byhand.take, May.WORK),
    Page("POST", "/requests/{id}/next-contact", byhand.next_contact, May.WORK),
    Page("GET", "/people", people.week_page, May.SEE),
    Page("GET", "/people/new", people.new_page, May.LEAD),
    Page("POST", "/people/new", people.invite, May.LEAD),
    Page("GET", "/people/{id}", people.person_page, May.SEE),
    Page("POST", "/people/pause", people.pause, May.WORK),
    Page("POST", "/people/resume", people.resume, May.WORK),
    Page("POST", "/people/{id}/member", people.change_member, May.LEAD),
    Page("POST", "/people/{id}/shifts", people.set_shifts, May.LEAD),
    Page("POST", "/people/{id}/absence", people.add_absence, May.WORK),
    Page("POST", "/people/{id}/absence/{absence}/end", people.end_absence, May.WORK),
    Page("POST", "/people/{id}/link", people.make_link, May.LEAD),
    Page("POST", "/people/{id}/roles", people.give_roles, May.OPERATE),
    Page("POST", "/people/{id}/sessions/end", people.sign_out, May.OPERATE),
    Page("POST", "/people/{id}/close", people.close_person, May.LEAD),
    Page("GET", "/me", oneself.page, May.SEE),
    Page("POST", "/me/calendar", oneself.make_feed, May.WORK),
    Page("POST", "/me/calendar/revoke", oneself.end_feed, May.WORK),
    Page("POST", "/me/sessions/{id}/end", oneself.end_session, May.WORK),
    Page("POST", "/me/sessions/end", oneself.end_others, May.WORK),
    Page("POST", "/me/notices", oneself.keep_choice, May.WORK),
    Page("POST", "/me/messenger", oneself.make_code, May.WORK),
    Page("POST", "/me/messenger/end", oneself.end_link, May.WORK),
    Page("GET", "/notices", notices.page, May.SEE),
    Page("GET", "/notices/bell", notices.bell, May.SEE),
    Page("POST", "/notices/read", notices.read_all, May.WORK),
    Page("GET", "/notices/{id}", notices.open_one, May.SEE),
    Page("GET", "/undelivered", notices.undelivered, May.OPERATE),
    Page("POST", "/undelivered/{id}", notices.settle_undelivered, May.OPERATE),
    Page("GET", "/acknowledgements", notices.acknowledgements, May.LEAD),
    Page("POST", "/acknowledgements/{name}", notices.keep_acknowledgement, May.LEAD),
    Page("GET", "/audit", oneself.audit_page, May.OPERATE),
    Page("GET", "/evenness", evenness.page, May.SEE),
    Page("GET", "/requests/{id}", request_pages.request_page, May.SEE),
    Page("POST", "/requests/{id}/messages", conversation.reply, May.WORK, max_upload=MAX_UPLOAD),
    Page("GET", "/messages/{id}/html", conversation.html_page, May.SEE),
    Page("POST", "/messages/{id}/decide", conversation.decide, May.WORK),
    Page("GET", "/files/{id}", conversation.file, May.SEE),
    Page("GET", "/contacts", contacts.contact_list, May.SEE),
    Page("GET", "/contacts/new", contacts.new_form, May.WORK),
    Page("POST", "/contacts/new", contacts.make, May.WORK),
    Page("GET", "/contacts/doubles", contacts.double_list, May.LEAD),
    Page("GET", "/contacts/{id}", contacts.contact_page, May.SEE),
    Page("POST", "/contacts/{id}", contacts.change, May.WORK),
    Page("POST", "/contacts/{id}/organisation", contacts.attach, May.WORK),
    Page("GET", "/contacts/{id}/merge", contacts.merge_form, May.LEAD),
    Page("POST", "/contacts/{id}/merge", contacts.merge, May.LEAD),
    Page("GET", "/contacts/{id}/unmerge", contacts.unmerge_form, May.LEAD),
    Page("POST", "/contacts/{id}/unmerge", contacts.unmerge, May.LEAD),
    Page("POST", "/contacts/{id}/different", contacts.different, May.LEAD),
    Page("GET", "/orders", orders.order_list, May.SEE),
    Page("GET", "/orders/new", order_forms.new_order_form, May.WORK),
    Page("POST", "/orders/new", order_forms.make_order, May.WORK),
    Page("GET", "/orders/{id}", orders.order_page, May.SEE),
    Page("POST", "/orders/{id}/lines", order_forms.add_lines, May.WORK),
    Page("POST", "/orders/{id}/stage", order_forms.move_stage, May.WORK),
    Page("POST", "/orders/{id}/details", order_desk.change, May.WORK),
    Page("POST", "/orders/{id}/payments", order_desk.pay, May.WORK),
    Page("POST", "/payments/{id}/reverse", order_desk.take_back, May.WORK),
    Page("POST", "/approvals/{id}", order_desk.decide, May.WORK),
    Page("GET", "/routes", setup.route_list, May.SEE),
    Page("GET", "/routes/{name}", setup.route_page, May.SEE),
    Page("POST", "/routes/{name}", setup.keep_route, May.LEAD),
    Page("GET", "/templates", setup.template_list, May.SEE),
    Page("POST", "/templates", setup.keep_template, May.LEAD),
    Page("POST", "/templates/{id}", setup.keep_template, May.LEAD),
    Page("GET", "/webhooks", setup.hook_list, May.OPERATE),
    Page("POST", "/webhooks", setup.add_hook, May.OPERATE),
    Page("POST", "/webhooks/{id}", setup.change_hook, May.OPERATE),
    Page("POST", "/webhooks/failed/{id}", setup.again, May.OPERATE),
    Page("GET", "/accounts", accounts.account_list, May.SEE),
    Page("GET", "/new-account", accounts.new_page, May.OPERATE),
    Page("POST", "/new-account", accounts.add, May.OPERATE),
    Page("GET", "/accounts/{name}", accounts.account_page, May.OPERATE),
    Page("POST", "/accounts/{name}", accounts.change, May.OPERATE),
    Page("POST", "/accounts/{name}/check", accounts.check, May.OPERATE),
    Page("POST", "/accounts/{name}/pause", accounts.pause, May.OPERATE),
    Page("POST", "/accounts/{name}/resume", accounts.resume, May.OPERATE),
    Page("POST", "/accounts/{name}/retire", accounts.retire, May.OPERATE),
    Page("POST", "/orders/{id}/shipments", order_forms.attach, May.WORK),
    Page("POST", "/orders/{id}/track-link", shipment_forms.make_link, May.WORK),
    Page("POST", "/orders/{id}/track-link/end", shipment_forms.end_link, May.WORK),
    Page("GET", "/shipments", shipments.shipment_list, May.SEE),
    Page("GET", "/shipments/add", shipment_bulk.form_page, May.WORK),
    Page("POST", "/shipments/add", shipment_bulk.add, May.WORK, max_upload=shipment_bulk.MAX_FILE),
    Page("GET", "/shipments/export", shipment_bulk.export, May.SEE),
    Page("GET", "/unknown-codes", shipments.code_list, May.OPERATE),
    Page("POST", "/unknown-codes/listed", shipments.code_listed, May.OPERATE),
    Page("GET", "/shipments/{id}", shipments.shipment_page, May.SEE),
    Page("POST", "/shipments/{id}/order", shipment_forms.adopt, May.WORK),
    Page("POST", "/shipments/{id}/detach", shipment_forms.detach, May.WORK),
    Page("POST", "/shipments/{id}/refresh", order_forms.refresh, May.WORK),
    Page("POST", "/waybills/{id}/attach", shipment_forms.attach_waybill, May.WORK),
    Page("POST", "/waybills/{id}/dismiss", shipment_forms.dismiss_waybill, May.WORK),
    Page("GET", "/customer-notices", customer_notices.page, May.LEAD),
    Page("POST", "/customer-notices/{id}", customer_notices.keep, May.LEAD),
    Page("GET", "/t/{secret}", track.page, None),
    Page("GET", "/forgot", signin.forgot, None),
    Page("GET", "/sign-in", signin.sign_in_form, None),
    Page("POST", "/sign-in", signin.sign_in, None),
    Page("POST", "/sign-out", signin.sign_out, None),
    Page("GET", "/welcome/{secret}", signin.welcome_form, None),
    Page("POST", "/welcome/{secret}", signin.welcome, None),
    Page("POST", "/language", signin.set_language, None),
)
DEMO_PAGES: Sequence[Page] = (Page("POST", "/demo/sign-in", signin.demo_sign_in, None),)
STATIC = ("/static/{name}", "/favicon.ico")

_TITLES = {
    403: N_("You may not do this"),
    404: N_("There is nothing here"),
    405: N_("This does not work here"),
    409: N_("Somebody was faster"),
    412: N_("It was changed meanwhile"),
    413: N_("This is too much"),
    422: N_("Something is not right"),
    429: N_("Too many tries"),
    503: N_("The hub takes a short break"),
}
_NEXT = {
    403: N_("Ask the head of sales or an administrator, or go back and reload the page."),
    404: N_("Check the address. It may have been mistyped, or what stood here was removed."),
    405: N_("Go back and use the buttons of the page."),
    409: N_("Go back, reload the page and look at how it stands now."),
    412: N_("Go back, reload the page and repeat your change."),
    413: N_("Send less at once."),
    422: N_("Go back and correct what is named above."),
    429: N_("Wait 15 minutes, then try again."),
    503: N_("Nothing you did before is lost. Reload this page in a few seconds."),
}
_BROKEN = N_("Something went wrong on our side")
_TELL = N_("It is in the log. Reload the page; if it happens again, tell your administrator what you did.")


def workspace_routes(app: web.Application) -> None:
    """Add the pages to the application."""
    boards = app[live.BOARDS] = live.Boards(app[SERVICES])

    async def let_go(_app: web.Application) -> None:
        await boards.close()

    app.on_shutdown.append(let_go)
    app[track.LIMIT] = RateLimit(track.PER_MINUTE)
    app[signin.HASHING] = asyncio.Semaphore(signin.HASHING_AT_ONCE)
    for page in (*PAGES, *(DEMO_PAGES if app[SERVICES].demo else ())):
        app.router.add_route(page.method, page.path, bound(page))
    for path in STATIC:
        app.router.add_get(path, static.serve)


def page_of_error(request: web.Request, answer: web.Response) -> web.Response:
    """A problem document as a page for people: what happened, and what to do next."""
    visit = request.get(VISIT) or Visit(request, None)
    words = visit.words
    detail = ""
    if isinstance(answer.body, bytes) and answer.status < 500 and answer.status != 404:
        detail = words.sentence(str(orjson.loads(answer.body).get("detail") or ""))
    page = visit.render(
        "error.html",
        answer.status,
        code=answer.status,
        title=words.t(_TITLES.get(answer.status, _BROKEN)),
        detail=detail,
        advice=words.t(_NEXT.get(answer.status, _TELL)),
    )
    for name in ("Retry-After", "Allow"):
        if name in answer.headers:
            page.headers[name] = answer.headers[name]
    return page
