"""Every table of the hub, one schema for SQLite and PostgreSQL.

Conventions, held by tests:
  * ids are made in the process (`hub.kernel.ids`); `*_at` columns are instants (milliseconds, UTC);
  * sums are `*_minor`, quantities `*_milli`; JSON stands as canonical text, so that both databases give
    back what was put in; enums are plain text and checked in Python;
  * in unique indexes the selective column stands first (external_id, account): otherwise a fresh
    PostgreSQL reads the whole account at each look-up;
  * bodies live apart from keys: retention and erasure delete bodies, never keys.

Foreign keys are declared where a parent can be deleted or mistyped by a person; the rows that the group
commit writes together carry none (15 % of its cost on PostgreSQL): `hub db check` looks for orphans.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


# On SQLite only a column declared INTEGER PRIMARY KEY is the row's own key (64 bits); any other type
# costs a second tree, a fifth of the intake's inserts.
KEY_TYPE = BigInteger().with_variant(Integer, "sqlite")


def _id(name: str = "id") -> Column[int]:
    return Column(name, KEY_TYPE, primary_key=True, autoincrement=False)


def _ref(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _at(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _text(name: str, *, null: bool = False, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=null, server_default=None if default is None else text(f"'{default}'"))


def _key(name: str, *, null: bool = False, default: str | None = None) -> Column[str]:
    preset = None if default is None else text(f"'{default}'")
    return Column(name, String(200), nullable=null, server_default=preset)


def _count(name: str, default: int | None = 0, *, null: bool = False) -> Column[int]:
    return Column(
        name, BigInteger, nullable=null, server_default=None if default is None else text(str(default))
    )


# --- the machine -----------------------------------------------------------------------------------

node = Table(
    "node",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    _key("owner"),
    _at("until_at"),
    comment="who may make ids with which node number, until when",
)

lease = Table(
    "lease",
    metadata,
    Column("name", String(200), primary_key=True),
    _key("owner"),
    _at("until_at"),
    _count("token", 1),
    comment="one holder of an exclusive source; token is the fence",
)

counter = Table(
    "counter",
    metadata,
    Column("name", String(200), primary_key=True),
    _count("value"),
    comment="numbers without gaps for people: order numbers",
)

# --- accounts --------------------------------------------------------------------------------------

account = Table(
    "account",
    metadata,
    Column("name", String(200), primary_key=True),
    _key("kind"),  # channel | carrier
    _key("plugin"),
    _key("team", null=True),
    _key("state"),  # active | stopped | paused | off | retired
    _text("reason", null=True),
    _at("created_at"),
    _at("last_ok_at", null=True),
    _at("last_error_at", null=True),
    _text("last_error", null=True),
    _count("stored"),
    _count("repeated"),
    _key("origin", default="file"),  # file | workspace
    _text("keys", default="{}"),  # JSON; of those made in the workspace, without secrets
    _count("version", 1),
    comment="one configured login of a plugin, its health and its counters",
)

rejection = Table(
    "rejection",
    metadata,
    Column("account", String(200)),
    Column("reason", String(200)),
    _count("count"),
    PrimaryKeyConstraint("account", "reason"),
    comment="what was not accepted, by reason: offered = stored + repeated + sum of these",
)

cursor = Table(
    "cursor",
    metadata,
    Column("account", String(200), primary_key=True),
    _text("position"),
    _count("fence"),
    _at("updated_at"),
    comment="where a pull channel has got to; moves in the transaction of what it covers",
)

account_secret = Table(
    "account_secret",
    metadata,
    Column("account", String(200)),
    Column("key", String(200)),
    _text("value"),
    _at("updated_at"),
    PrimaryKeyConstraint("account", "key"),
    comment="tokens that providers hand out, encrypted",
)

# --- people who work -------------------------------------------------------------------------------

team = Table(
    "team",
    metadata,
    _id(),
    _key("name"),
    _text("title"),
    _text("settings"),  # JSON: language, reaction limit, intercept, gather
    _at("created_at"),
    UniqueConstraint("name"),
)

staff = Table(
    "staff",
    metadata,
    _id(),
    _text("name"),
    _key("login"),
    _key("language", null=True),
    _text("password_hash", null=True),
    _key("state"),  # active | closed
    _at("created_at"),
    _at("closed_at", null=True),
    _count("version", 1),
    UniqueConstraint("login"),
)

staff_role = Table(
    "staff_role",
    metadata,
    Column("staff_id", BigInteger, ForeignKey("staff.id"), nullable=False),
    Column("role", String(50)),
    _at("given_at"),
    PrimaryKeyConstraint("staff_id", "role"),
)

membership = Table(
    "membership",
    metadata,
    _id(),
    Column("team_id", BigInteger, ForeignKey("team.id"), nullable=False),
    Column("staff_id", BigInteger, ForeignKey("staff.id"), nullable=False),
    _count("share", 1),
    _count("open_limit", None, null=True),
    _at("opened_at"),
    _at("closed_at", null=True),
    _text("rules", default="{}"),  # JSON: channels, languages, skills; an absent or empty list allows all
    CheckConstraint("share >= 1", name="share_positive"),
    comment="a person in a team; share and limit as they are now, their past in eligibility_fact",
)
Index(
    "uq_membership_open",
    membership.c.staff_id,
    membership.c.team_id,
    unique=True,
    sqlite_where=membership.c.closed_at.is_(None),
    postgresql_where=membership.c.closed_at.is_(None),
)

eligibility_fact = Table(
    "eligibility_fact",
    metadata,
    _id(),
    _ref("team_id"),
    _ref("membership_id"),
    _key("kind"),  # member | share | limit | rules | load | duty
    _text("value"),  # JSON
    _at("valid_from_at"),
    _at("recorded_at"),
    _key("actor"),
    _count("seq"),  # the team's ledger seq when it was recorded: it holds for the entries beyond
    _count("number"),  # without gaps within a team
    _key("hash", default=""),  # facts and entries of a team are one chain
    comment="append-only: why somebody could or could not be dealt a task at a moment",
)
Index("ix_eligibility_fact_team", eligibility_fact.c.team_id, eligibility_fact.c.id)

schedule_entry = Table(
    "schedule_entry",
    metadata,
    _id(),
    Column("staff_id", BigInteger, ForeignKey("staff.id"), nullable=False),
    _key("kind"),  # weekly | exception | absence | pause
    _text("body"),  # JSON, see hub.staff.calendar
    _at("from_at", null=True),  # absence, pause: the instants between which it holds
    _at("until_at", null=True),
    _key("actor"),
    _at("recorded_at"),
    _at("replaced_at", null=True),  # no longer believed since; never deleted
    _key("replaced_by", null=True),
    comment="when somebody works: append-only, what was believed when can be read later",
)
Index("ix_schedule_entry_staff", schedule_entry.c.staff_id, schedule_entry.c.id)

calendar_feed = Table(
    "calendar_feed",
    metadata,
    _id(),
    _key("token_hash"),
    Column("staff_id", BigInteger, ForeignKey("staff.id"), nullable=False),
    _at("created_at"),
    _at("revoked_at", null=True),
    UniqueConstraint("token_hash"),
    comment="secret addresses of iCalendar feeds",
)

# --- the ledger ------------------------------------------------------------------------------------

ledger_head = Table(
    "ledger_head",
    metadata,
    _id("team_id"),
    _count("seq"),
    _key("hash"),
    _text(
        "state"
    ),  # JSON: house, members {id: [staff, share, limit, credit, last, load, closed, away, rules]}
    _at("due_at", null=True),  # the next instant at which somebody comes or goes by the calendar
    comment="one row a team: everyone's credit, last number and load; the lock of all dealing",
)

eligible_set = Table(
    "eligible_set",
    metadata,
    _id(),
    _key("hash"),
    _ref("team_id"),
    _text("body"),  # JSON: eligible ids with shares, exclusions with reasons, rule version
    _at("created_at"),
    UniqueConstraint("hash"),
    comment="interned: who could be dealt to and who not, and why",
)

ledger = Table(
    "ledger",
    metadata,
    _ref("team_id"),
    _ref("seq"),
    _ref("task_id", null=True),
    _key("event"),
    _ref("set_id", null=True),
    _ref("taker_id", null=True),  # membership that pays; null = house
    _ref("giver_id", null=True),  # membership that is given back; null = house or grants
    _count("units", None),
    _count("taker_credit", None),  # after the entry, in units
    _text("credits"),  # before the choice, thousandths of a task, in the order of the set
    _key("actor"),
    _text("reason", null=True),
    _at("at"),
    _ref("correlation_id"),
    _key("hash"),
    PrimaryKeyConstraint("team_id", "seq"),
    sqlite_with_rowid=False,
    comment="append-only; each entry carries the hash over the one before and itself",
)
Index("ix_ledger_task", ledger.c.task_id)

# --- people who ask --------------------------------------------------------------------------------

contact = Table(
    "contact",
    metadata,
    _id(),
    _key("kind"),  # person | organisation
    _text("name"),
    _text("organisation"),
    _key("language", null=True),
    _text("note"),
    _at("created_at"),
    _at("updated_at"),
    _count("version", 1),
    _at("erased_at", null=True),
    _ref("merged_into_id", null=True),  # the card that stands for it now, at the end of a chain
    _ref("organisation_id", null=True),  # a person's organisation, where it has a card of its own
    _text("position", default=""),
)
Index(
    "ix_contact_merged",
    contact.c.merged_into_id,
    sqlite_where=contact.c.merged_into_id.is_not(None),
    postgresql_where=contact.c.merged_into_id.is_not(None),
)
Index(
    "ix_contact_organisation",
    contact.c.organisation_id,
    sqlite_where=contact.c.organisation_id.is_not(None),
    postgresql_where=contact.c.organisation_id.is_not(None),
)

identity = Table(
    "identity",
    metadata,
    Column("value", String(320)),
    Column("kind", String(200)),  # phone | email | channel:<account>
    _ref("contact_id"),
    _at("created_at"),
    _ref("home_id", null=True),  # the card it goes back to when a merge is undone; null: it was never moved
    PrimaryKeyConstraint("value", "kind"),
    sqlite_with_rowid=False,
)
Index("ix_identity_contact", identity.c.contact_id)

contact_owner = Table(
    "contact_owner",
    metadata,
    _ref("contact_id"),
    _ref("team_id"),
    _ref("membership_id"),  # who finished the contact's last request in this team
    _ref("request_id"),
    _at("closed_at"),
    _count("card_id"),  # the card that stands for the contact now; one card may have several such rows
    PrimaryKeyConstraint("contact_id", "team_id"),
    comment="whose customer it is: a returning one goes to his person",
)
Index("ix_contact_owner_card", contact_owner.c.card_id)

contact_doubt = Table(
    "contact_doubt",
    metadata,
    _id(),
    _ref("request_id"),  # 0: a rule found it, no message
    _ref("contact_id"),
    _ref("other_contact_id"),
    _key("reason"),  # two contacts | same mailbox
    _at("created_at"),
    _at("settled_at", null=True),
    _key("settled_by", null=True),
    _key("decision", null=True),  # different | erased
    comment="one message named two different contacts: a person decides, nothing is merged",
)
Index("ix_contact_doubt_contact", contact_doubt.c.contact_id)
Index("ix_contact_doubt_other", contact_doubt.c.other_contact_id)
Index("ix_contact_doubt_request", contact_doubt.c.request_id)

contact_merge = Table(
    "contact_merge",
    metadata,
    _id(),
    _ref("survivor_id"),
    _ref("merged_id"),
    _key("actor"),
    _text("reason"),
    _at("at"),
    _at("undone_at", null=True),
    _key("undone_by", null=True),
    comment="which card was merged into which; what belonged to it stands in the home_id of each row",
)
Index(
    "uq_contact_merge_open",
    contact_merge.c.merged_id,
    unique=True,
    sqlite_where=contact_merge.c.undone_at.is_(None),
    postgresql_where=contact_merge.c.undone_at.is_(None),
)
Index("ix_contact_merge_survivor", contact_merge.c.survivor_id)

joined_before = Table(
    "joined_before",
    metadata,
    _id("request_id"),
    comment="requests that messages joined when their card was merged: an undo gives that role back",
)

# --- intake ----------------------------------------------------------------------------------------

delivery = Table(
    "delivery",
    metadata,
    _id(),
    _key("external_id", null=True),  # null: the sender has no id for it, each is new
    _key("account"),
    _key("digest"),
    _key("state"),  # stored | pending | unreadable | failed | spam | noted
    _ref("request_id", null=True),
    _ref("task_id", null=True),
    _text("reason", null=True),
    _count("attempts", 1),
    _count("repeats"),
    _at("received_at"),
    _at("next_try_at", null=True),
    _ref("correlation_id"),
    comment="the key of one raw delivery and its first outcome; never deleted",
)
Index(
    "uq_delivery_key",
    delivery.c.external_id,
    delivery.c.account,
    unique=True,
    sqlite_where=delivery.c.external_id.is_not(None),
    postgresql_where=delivery.c.external_id.is_not(None),
)
Index(
    "ix_delivery_unfinished",
    delivery.c.next_try_at,
    sqlite_where=delivery.c.next_try_at.is_not(None),
    postgresql_where=delivery.c.next_try_at.is_not(None),
)

delivery_body = Table(
    "delivery_body",
    metadata,
    _id("delivery_id"),
    _key("method"),
    _text("path"),
    _text("headers"),  # JSON
    _text("query"),  # JSON
    _key("address"),
    Column("body", LargeBinary, nullable=True),
    _key("blob", null=True),  # sha256 of a body in the blob store
    _count("size"),
    comment="the bytes as they came; deleted by retention and erasure",
)

request = Table(
    "request",
    metadata,
    _id(),
    _ref("team_id"),
    _ref("contact_id"),
    _key("account", null=True),
    _key("state"),  # open | closed
    Column("joining", Boolean, nullable=False),
    _text("subject"),
    _text("source"),  # JSON: utm, page, form
    _key("language", null=True),
    _key("text_key"),
    _count("sent_again"),
    _count("priority"),
    _at("opened_at"),
    _at("next_contact_at", null=True),
    _at("closed_at", null=True),
    _key("outcome", null=True),
    _text("reason", null=True),
    _text("asked_product", null=True),
    _count("asked_quantity_milli", None, null=True),
    _count("asked_value_minor", None, null=True),
    _key("asked_currency", null=True),
    _key("actor"),
    _ref("correlation_id"),
    _at("updated_at"),
    _count("version", 1),
    _ref("home_id", null=True),  # as in identity
)
Index(
    "uq_request_joining",
    request.c.contact_id,
    request.c.team_id,
    unique=True,  # a closed request is never joining, so `joining` alone says it
    sqlite_where=text("joining"),
    postgresql_where=text("joining"),
)
Index("ix_request_contact", request.c.contact_id, request.c.id)
Index("ix_request_state", request.c.state, request.c.id)

message = Table(
    "message",
    metadata,
    _id(),
    _key("message_key", null=True),  # null: the provider has no id apart from the delivery's
    _key("account"),
    _ref("request_id"),
    _ref("contact_id"),
    _ref("delivery_id", null=True),
    _key("direction"),  # in | out | note
    _ref("staff_id", null=True),
    _text("body"),
    _text("fields"),  # JSON
    _at("sent_at", null=True),
    _at("created_at"),
    _key("state"),  # received | repeat | sending | sent | failed | uncertain
)
Index(
    "uq_message_key",
    message.c.message_key,
    message.c.account,
    unique=True,
    sqlite_where=message.c.message_key.is_not(None),
    postgresql_where=message.c.message_key.is_not(None),
)
Index("ix_message_request", message.c.request_id, message.c.id)

message_extra = Table(
    "message_extra",
    metadata,
    _id("message_id"),
    _key("kind"),  # message | reply | acknowledgement | notice
    _text("subject"),
    _text("full_text"),  # "" where the message's body is all there is
    _text("html"),  # as it came; sanitised where it is shown
    _key("group_key"),  # messages of one album share it
    _text("edits", default="[]"),  # JSON: earlier texts with when they were replaced
    _at("changed_at", null=True),
    _text("problem", null=True),  # why a message of ours failed
    comment="what only some messages have; the hot rows stay short",
)

message_mark = Table(
    "message_mark",
    metadata,
    Column("about", String(200)),
    Column("account", String(200)),
    Column("mark", String(20)),  # delivered | seen | failed
    _text("reason"),
    _at("at"),
    PrimaryKeyConstraint("about", "account", "mark"),
    comment="receipts by the provider's id: they may come before the answer of the sending call",
)

thread_token = Table(
    "thread_token",
    metadata,
    Column("token", String(40), primary_key=True),
    _ref("request_id"),
    _at("created_at"),
    comment="what our messages carry, so that an answer finds its request",
)
Index("ix_thread_token_request", thread_token.c.request_id)

attachment = Table(
    "attachment",
    metadata,
    _id(),
    _ref("message_id"),
    _text("name"),
    _key("media_type"),
    _count("size"),
    _key("blob", null=True),  # sha256 in the blob store
    _text("ref", null=True),  # handle at the provider, while the bytes are not here
    _key("inline"),
    _key("state"),  # stored | pending | refused | gone
    _text("reason", null=True),
    _count("attempts"),
    _at("next_try_at", null=True),
    _at("created_at"),
)
Index("ix_attachment_message", attachment.c.message_id, attachment.c.id)
Index(
    "ix_attachment_due",
    attachment.c.next_try_at,
    sqlite_where=attachment.c.next_try_at.is_not(None),
    postgresql_where=attachment.c.next_try_at.is_not(None),
)

reachability = Table(
    "reachability",
    metadata,
    _ref("contact_id"),
    Column("account", String(200)),
    _key("state"),  # open | left
    _at("at"),
    PrimaryKeyConstraint("contact_id", "account"),
    comment="who can be written to on which channel: a person who left or blocked us cannot",
)

# --- tasks -----------------------------------------------------------------------------------------

task = Table(
    "task",
    metadata,
    _id(),
    _ref("team_id"),
    _ref("request_id", null=True),
    _key("kind"),  # request | read_by_hand | question
    _key("state"),  # waiting | assigned | accepted | snoozed | done | cancelled
    _ref("membership_id", null=True),
    _ref("assignee_id", null=True),
    _text("title"),
    _ref("entry_seq", null=True),
    _count("paid_units"),  # what its holder paid for it and gets back on a move
    _text("held_by"),  # JSON list of memberships that had it and let it go
    _at("created_at"),
    _at("assigned_at", null=True),
    _at("accepted_at", null=True),
    _at("due_at", null=True),
    _at("snoozed_until_at", null=True),
    _at("done_at", null=True),
    _key("outcome", null=True),
    _text("reason", null=True),
    _ref("subject_id", null=True),  # the delivery, order or shipment that a question is about
    _key("actor"),
    _ref("correlation_id"),
    _at("updated_at"),
    _count("version", 1),
    _text("needs", default="{}"),  # JSON: account, language, skill; who may be dealt it
    _at("react_by_at", null=True),  # its person has to react before it; null: no clock runs
    _ref("reaction_ms", null=True),  # its own limit of working time to react; null: its team's
)
Index(
    "ix_task_react",
    task.c.react_by_at,
    sqlite_where=text("state = 'assigned' AND react_by_at IS NOT NULL"),
    postgresql_where=text("state = 'assigned' AND react_by_at IS NOT NULL"),
)
Index(
    "ix_task_snoozed",
    task.c.snoozed_until_at,
    sqlite_where=text("state = 'snoozed'"),
    postgresql_where=text("state = 'snoozed'"),
)
Index(
    "uq_task_open_request",
    task.c.request_id,
    unique=True,
    sqlite_where=text("state NOT IN ('done', 'cancelled')"),
    postgresql_where=text("state NOT IN ('done', 'cancelled')"),
)
Index("ix_task_assignee_state", task.c.assignee_id, task.c.state, task.c.id)
Index(
    "ix_task_waiting",
    task.c.team_id,
    task.c.id,
    sqlite_where=text("state = 'waiting'"),
    postgresql_where=text("state = 'waiting'"),
)
Index("ix_task_state", task.c.state, task.c.id)

# --- what happened, and what must leave --------------------------------------------------------------

journal = Table(
    "journal",
    metadata,
    _id(),
    _key("entity"),  # request | task | contact | staff | account
    _ref("entity_id"),
    _key("event"),
    _key("actor"),
    _text("reason", null=True),
    _text("body"),  # JSON, ids and words of the business; no message text
    _at("at"),
    _ref("correlation_id"),
)
Index("ix_journal_entity", journal.c.entity_id, journal.c.id)

job = Table(
    "job",
    metadata,
    _id(),
    _key("kind"),
    _text("payload"),  # JSON
    _key("order_key"),  # "" stands for none
    _key("state"),  # ready | busy | done | dead | cancelled
    _count("attempts"),
    _at("created_at"),
    _at("run_at"),
    _at("lease_until_at", null=True),
    _key("lease_owner", null=True),
    _at("done_at", null=True),
    _text("last_error", null=True),
    _ref("correlation_id"),
    comment="work behind the scenes; on PostgreSQL procrastinate says whose turn it is",
)
Index(
    "ix_job_open",
    job.c.run_at,
    sqlite_where=text("state IN ('ready', 'busy')"),
    postgresql_where=text("state IN ('ready', 'busy')"),
)
Index(
    "ix_job_key",
    job.c.order_key,
    job.c.id,
    sqlite_where=text("state IN ('ready', 'busy')"),
    postgresql_where=text("state IN ('ready', 'busy')"),
)

planned = Table(
    "planned",
    metadata,
    _key("kind"),
    _at("at"),
    PrimaryKeyConstraint("at", "kind"),
    comment="ticks that were enqueued already, by any process",
)

outbox = Table(
    "outbox",
    metadata,
    _id(),
    _key("lane"),  # notice | staff_message | staff_bot | acknowledgement | reply | webhook | order_message
    _key("kind"),
    _key("order_key"),
    _text("payload"),  # JSON
    _key("state"),  # ready | sending | done | dead | uncertain
    _count("attempts"),
    _at("created_at"),
    _at("next_try_at", null=True),
    _at("lease_until_at", null=True),
    _key("lease_owner", null=True),
    _at("done_at", null=True),
    _text("last_error", null=True),
    _key("provider_id", null=True),
    _ref("correlation_id"),
)
Index(
    "ix_outbox_due",
    outbox.c.next_try_at,
    sqlite_where=outbox.c.next_try_at.is_not(None),
    postgresql_where=outbox.c.next_try_at.is_not(None),
)

Index(
    "ix_outbox_stuck",  # what a person has to look at; what was sent is never counted
    outbox.c.lane,
    outbox.c.state,
    sqlite_where=text("state IN ('dead', 'uncertain')"),
    postgresql_where=text("state IN ('dead', 'uncertain')"),
)

webhook = Table(
    "webhook",
    metadata,
    _id(),
    _text("url"),
    _text("secret"),  # in plain text only where it was written before there was a key to seal it with
    _text("events"),  # JSON list
    Column("active", Boolean, nullable=False),
    _at("last_ok_at", null=True),
    _at("last_failed_at", null=True),
    _text("last_error", null=True),
    _key("actor"),
    _at("created_at"),
    _at("updated_at"),
    _count("version", 1),
    _text("sealed", default=""),  # the secret, encrypted
    comment="whom to tell what happened, by signed calls of the outbox lane `webhook`",
)

# --- notices to the staff --------------------------------------------------------------------------

notice = Table(
    "notice",
    metadata,
    _id(),
    _ref("staff_id"),
    _key("kind"),
    _text("body"),  # JSON: ids and numbers, never a customer's words
    _at("created_at"),
    _at("read_at", null=True),
    comment="what a person was told, as his list in the workspace shows it",
)
Index("ix_notice_staff", notice.c.staff_id, notice.c.id)
Index(
    "ix_notice_unread",
    notice.c.staff_id,
    notice.c.kind,
    sqlite_where=text("read_at IS NULL"),
    postgresql_where=text("read_at IS NULL"),
)

notice_choice = Table(
    "notice_choice",
    metadata,
    Column("staff_id", BigInteger, ForeignKey("staff.id"), primary_key=True, autoincrement=False),
    _text("body"),  # JSON: where each group of notices goes, e-mail, quiet hours, zone, time of the digest
    _at("digest_at", null=True),  # when the next morning digest is due
    _at("updated_at"),
    _count("version", 1),
    comment="where a person wants to be told, and when not",
)
Index(
    "ix_notice_choice_digest",
    notice_choice.c.digest_at,
    sqlite_where=notice_choice.c.digest_at.is_not(None),
    postgresql_where=notice_choice.c.digest_at.is_not(None),
)

staff_link = Table(
    "staff_link",
    metadata,
    _id(),
    Column("staff_id", BigInteger, ForeignKey("staff.id"), nullable=False),
    _key("code_hash", null=True),  # null once it is used
    _at("expires_at"),  # of the code
    _key("account", null=True),
    _key("channel_id", null=True),
    _at("created_at"),
    _at("linked_at", null=True),
    _at("ended_at", null=True),
    UniqueConstraint("code_hash"),
    comment="which messenger belongs to which person of the staff; before that, the one-time code",
)
_LINKED = text("linked_at IS NOT NULL AND ended_at IS NULL")
Index(
    "uq_staff_link_address",
    staff_link.c.channel_id,
    staff_link.c.account,
    unique=True,
    sqlite_where=_LINKED,
    postgresql_where=_LINKED,
)
Index("ix_staff_link_staff", staff_link.c.staff_id)

staff_message = Table(
    "staff_message",
    metadata,
    Column("about", String(200)),
    Column("account", String(200)),
    _ref("staff_id"),
    _ref("task_id", null=True),  # null: it was about several things
    _at("at"),
    PrimaryKeyConstraint("about", "account"),
    comment="what the staff bot wrote, by the provider's id: an answer to it finds its task",
)

acknowledgement = Table(
    "acknowledgement",
    metadata,
    Column("account", String(200), primary_key=True),
    Column("active", Boolean, nullable=False),
    _text("texts"),  # JSON: language -> text
    _text("away_texts"),  # JSON: language -> text outside the team's hours
    _key("actor"),
    _at("updated_at"),
    _count("version", 1),
    comment="what an account answers by itself to a new request; off unless somebody switched it on",
)

start_source = Table(
    "start_source",
    metadata,
    Column("channel_id", String(200)),
    Column("account", String(200)),
    _text("source"),  # JSON
    _at("at"),
    PrimaryKeyConstraint("channel_id", "account"),
    comment="by which link somebody opened a chat before he has asked anything: his next request keeps it",
)

file_link = Table(
    "file_link",
    metadata,
    Column("token_hash", String(200), primary_key=True),
    _ref("attachment_id"),
    _at("created_at"),
    _at("expires_at"),
    comment="public addresses of files that a provider fetches itself",
)
Index("ix_file_link_expires", file_link.c.expires_at)

# --- orders ----------------------------------------------------------------------------------------

route = Table(
    "route",
    metadata,
    Column("name", String(200)),
    _count("version", None),
    _text("body"),  # JSON: titles, stages, moves
    _at("created_at"),
    PrimaryKeyConstraint("name", "version"),
    comment="stages and moves of orders, as data; an order keeps the version it began with",
)

orders = Table(
    "orders",
    metadata,
    _id(),
    _key("number"),
    _ref("contact_id"),
    _ref("request_id", null=True),
    Column("responsible_id", BigInteger, ForeignKey("staff.id"), nullable=False),
    _key("route"),
    _count("route_version", None),
    _key("stage"),
    _key("payment"),  # prepaid | cod | other
    _key("currency"),
    _count("total_minor"),
    _count("paid_minor"),
    _text("note"),
    _at("created_at"),
    _at("updated_at"),
    _at("next_contact_at", null=True),
    _at("wanted_at", null=True),
    _at("closed_at", null=True),
    _count("journal_seq"),
    _key("journal_hash"),
    _key("actor"),
    _ref("correlation_id"),
    _count("version", 1),
    _text(
        "fields", default="{}"
    ),  # JSON: what the route asks for beyond the columns, such as contract_number
    _at("archived_at", null=True),  # lost: out of the registry, in the archive
    _ref("home_id", null=True),  # as in identity
    UniqueConstraint("number"),
)
Index("ix_orders_contact", orders.c.contact_id)
Index("ix_orders_request", orders.c.request_id)
Index("ix_orders_stage", orders.c.stage, orders.c.id)
Index("ix_orders_responsible", orders.c.responsible_id, orders.c.id)
Index("ix_orders_updated", orders.c.updated_at)
Index("ix_orders_total", orders.c.total_minor, orders.c.id)
Index("ix_orders_paid", orders.c.paid_minor, orders.c.id)
Index(
    "ix_orders_next_contact",
    orders.c.next_contact_at,
    orders.c.id,
    sqlite_where=text("next_contact_at IS NOT NULL"),
    postgresql_where=text("next_contact_at IS NOT NULL"),
)
Index(
    "ix_orders_archived",
    orders.c.id,
    sqlite_where=text("archived_at IS NOT NULL"),
    postgresql_where=text("archived_at IS NOT NULL"),
)

order_term = Table(
    "order_term",
    metadata,
    # Ranges over it find beginnings of words: bytes compare the same on both databases.
    Column("term", String(200).with_variant(String(200, collation="C"), "postgresql")),
    Column("order_id", BigInteger, ForeignKey("orders.id")),
    PrimaryKeyConstraint("term", "order_id"),
    comment="words of the customer's name and endings of his telephones, for the search of the registry",
    sqlite_with_rowid=False,
)
Index("ix_order_term_order", order_term.c.order_id)

payment = Table(
    "payment",
    metadata,
    _id(),
    Column("order_id", BigInteger, ForeignKey("orders.id"), nullable=False),
    _key("kind"),  # expected | received
    _count("amount_minor", None),
    _key("method"),  # cash | card | transfer | cod | other
    _at("paid_at"),  # the day of the money: when it came, or is expected
    _text("note"),
    _ref("reverses_id", null=True),
    _key("actor"),
    _at("created_at"),
    _ref("correlation_id"),
    comment="never edited: what was wrong is reversed by an opposite row",
)
Index("ix_payment_order", payment.c.order_id, payment.c.id)
Index(
    "uq_payment_reverses",
    payment.c.reverses_id,
    unique=True,
    sqlite_where=text("reverses_id IS NOT NULL"),
    postgresql_where=text("reverses_id IS NOT NULL"),
)

approval = Table(
    "approval",
    metadata,
    _id(),
    Column("order_id", BigInteger, ForeignKey("orders.id"), nullable=False),
    _key("stage"),  # which the order may enter once all agreed
    _key("role"),
    _key("state"),  # open | agreed | returned | refused | dropped
    Column("current", Boolean, nullable=False),  # counts for the next move
    _ref("task_id"),
    _key("decided_by", null=True),
    _text("comment"),
    _at("created_at"),
    _at("decided_at", null=True),
    _key("actor"),
)
Index("ix_approval_order", approval.c.order_id, approval.c.id)
Index("ix_approval_task", approval.c.task_id)
Index(
    "uq_approval_current",
    approval.c.order_id,
    approval.c.stage,
    approval.c.role,
    unique=True,
    sqlite_where=approval.c.current,
    postgresql_where=approval.c.current,
)

template = Table(
    "template",
    metadata,
    _id(),
    _key("name"),
    _key("language"),  # uk | en
    _text("body"),
    _key("actor"),
    _at("created_at"),
    _at("updated_at"),
    _count("version", 1),
    UniqueConstraint("name", "language"),
    comment="texts for replies, with variables",
)

order_line = Table(
    "order_line",
    metadata,
    _id(),
    Column("order_id", BigInteger, ForeignKey("orders.id"), nullable=False),
    _count("position", None),
    _key("kind"),  # goods | service
    _key("sku", null=True),
    _text("name"),
    _count("quantity_milli", None),
    _key("unit"),
    _count("price_minor", None),
    _count("plan_cost_minor", None, null=True),
    _count("fact_cost_minor", None, null=True),
    _count("total_minor", None),
    _at("wanted_at", null=True),
    UniqueConstraint("order_id", "position"),
    CheckConstraint("quantity_milli > 0", name="quantity_positive"),
)

order_journal = Table(
    "order_journal",
    metadata,
    _ref("order_id"),
    _ref("seq"),
    _key("event"),
    _key("stage"),
    _key("actor"),
    _text("reason", null=True),
    _text("body"),  # JSON
    _at("at"),
    _ref("correlation_id"),
    _key("hash"),
    PrimaryKeyConstraint("order_id", "seq"),
    sqlite_with_rowid=False,
    comment="append-only; each entry carries the hash over the one before and itself",
)

# --- shipments -------------------------------------------------------------------------------------

shipment = Table(
    "shipment",
    metadata,
    _id(),
    _key("number"),
    _key("account"),
    _key("plugin"),
    Column("order_id", BigInteger, ForeignKey("orders.id"), nullable=True),
    _ref("parent_id", null=True),
    _key("relation"),  # outbound | return | redirect | money | papers
    _key("phone", null=True),
    _key("status"),
    _key("raw_code", null=True),
    _text("raw_text", null=True),
    _at("clock_at", null=True),
    _at("happened_at", null=True),
    _text("place", null=True),
    _key("money_status"),
    Column("cod", Boolean, nullable=False),  # our order says cash on delivery
    _key("currency"),
    _count("cod_expected_minor", None, null=True),
    _count("cod_collected_minor", None, null=True),
    _count("cod_paid_out_minor", None, null=True),
    _text("facts"),  # JSON, merged
    _at("estimated_at", null=True),
    _at("paid_storage_at", null=True),
    Column("final", Boolean, nullable=False),
    _key("phase"),
    _at("next_poll_at", null=True),
    _at("polled_at", null=True),  # last time the carrier answered about it
    _at("changed_at", null=True),  # last time something new was observed
    _count("misses"),
    _key("problem", null=True),
    _text("problem_text", null=True),
    _at("created_at"),
    _at("updated_at"),
    _key("actor"),
    _ref("correlation_id"),
    _count("version", 1),
    _key("announced", default=""),  # furthest status that was announced: never one before it again
    _key("announced_money", default=""),
    _at("made_at", null=True),  # when the carrier says the waybill was made: tells a reused number
    _key("fingerprint", default=""),  # the plugin's word for what it told last; "" = tell everything
    UniqueConstraint("number", "account", "order_id"),
)
Index("ix_shipment_order", shipment.c.order_id)
Index("ix_shipment_status", shipment.c.status, shipment.c.id)
Index("ix_shipment_phase", shipment.c.phase, shipment.c.id)
Index("ix_shipment_parent", shipment.c.parent_id)
Index("ix_shipment_updated", shipment.c.updated_at)
Index(
    "ix_shipment_due",
    shipment.c.account,
    shipment.c.next_poll_at,
    sqlite_where=shipment.c.next_poll_at.is_not(None),
    postgresql_where=shipment.c.next_poll_at.is_not(None),
)
# Each concern of the list of parcels: the words are those of `hub.shipments.listing`.
for _name, _where, _columns in (
    ("ix_shipment_waiting", "status = 'arrived'", ("happened_at", "id")),
    ("ix_shipment_storage", "paid_storage_at IS NOT NULL AND NOT final", ("paid_storage_at", "id")),
    (
        "ix_shipment_money_due",
        "status = 'delivered' AND money_status IN ('collected', 'expected', 'unknown')",
        ("id",),
    ),
    ("ix_shipment_loose", "order_id IS NULL AND parent_id IS NULL", ("id",)),
):
    Index(
        _name,
        *(shipment.c[one] for one in _columns),
        sqlite_where=text(_where),
        postgresql_where=text(_where),
    )

observation = Table(
    "observation",
    metadata,
    _id(),
    _ref("shipment_id"),
    _key("identity"),
    _key("event"),  # the identity without the facts: what a timeline shows once
    _key("status"),
    _key("raw_code"),
    _text("raw_text"),
    _at("clock_at", null=True),
    _at("happened_at", null=True),
    _text("place"),
    _text("facts"),  # JSON
    _at("first_seen_at"),
    UniqueConstraint("identity", "shipment_id"),
    comment="what a carrier said, each once; the shipment's state is a function of their set",
)
Index("ix_observation_shipment", observation.c.shipment_id)
Index(
    "ix_observation_unknown",
    observation.c.shipment_id,
    sqlite_where=text("status = 'unknown'"),
    postgresql_where=text("status = 'unknown'"),
)

raw_document = Table(
    "raw_document",
    metadata,
    _id(),
    _ref("shipment_id"),
    _key("digest"),
    Column("body", LargeBinary, nullable=True),
    _at("first_seen_at"),
    UniqueConstraint("digest", "shipment_id"),
)

unknown_code = Table(
    "unknown_code",
    metadata,
    Column("code", String(100)),
    Column("plugin", String(100)),
    _text("example"),
    _count("count"),
    _at("first_seen_at"),
    PrimaryKeyConstraint("code", "plugin"),
)

call_budget = Table(
    "call_budget",
    metadata,
    Column("account", String(200), primary_key=True),
    _at("window_at"),  # when the present day began, by the carrier's wall clock
    _count("used"),  # calls since then
    _at("paused_until_at", null=True),
    _count("slowdowns"),
    _text("reason", null=True),
    _text("recent", default="[]"),  # JSON: [second, calls] of the last minute
    _text("flights", default="[]"),  # JSON: [token, until] of calls that are under way
    _count("pace", 1000),  # thousandths of the budget that are used after the carrier said "slower"
    _at("paced_at", null=True),
    comment="calls of the present minute and the pause a carrier asked for; shared by all processes",
)

carrier_list = Table(
    "carrier_list",
    metadata,
    Column("account", String(200)),
    Column("kind", String(20)),  # changes | documents | transfers
    _at("reached_at"),  # everything up to here was read
    _at("next_at"),
    _text("problem", null=True),
    PrimaryKeyConstraint("account", "kind"),
    comment="how far the lists of a carrier's account were read, and when they are read again",
)

found_waybill = Table(
    "found_waybill",
    metadata,
    _id(),
    _key("number"),
    _key("account"),
    _key("order_reference"),
    _ref("order_id", null=True),  # the order that it is proposed for
    _key("why"),  # reference | phone | ""
    _at("made_at", null=True),
    _count("cod_minor", None, null=True),
    _key("currency"),
    _key("state"),  # open | attached | dismissed
    _at("created_at"),
    UniqueConstraint("number", "account"),
    comment="waybills that the account made and no order has yet",
)
Index("ix_found_waybill_order", found_waybill.c.order_id)
Index("ix_found_waybill_state", found_waybill.c.state, found_waybill.c.id)

track_link = Table(
    "track_link",
    metadata,
    Column("secret", String(60), primary_key=True),  # readable: the seller has to send it
    Column("order_id", BigInteger, ForeignKey("orders.id"), nullable=False),
    _at("created_at"),
    UniqueConstraint("order_id"),
    comment="public tracking pages: one secret address an order",
)

# --- access ----------------------------------------------------------------------------------------

session = Table(
    "session",
    metadata,
    _id(),
    _key("token_hash"),
    Column("staff_id", BigInteger, ForeignKey("staff.id"), nullable=False),
    _key("csrf"),
    _text("user_agent"),
    _at("created_at"),
    _at("seen_at"),
    _at("expires_at"),
    _at("revoked_at", null=True),
    UniqueConstraint("token_hash"),
)

api_token = Table(
    "api_token",
    metadata,
    _id(),
    _key("token_hash"),
    _key("name"),
    _key("role"),
    Column("staff_id", BigInteger, ForeignKey("staff.id"), nullable=True),
    _at("created_at"),
    _at("used_at", null=True),
    _at("revoked_at", null=True),
    UniqueConstraint("token_hash"),
)

one_time_link = Table(
    "one_time_link",
    metadata,
    _id(),
    _key("token_hash"),
    Column("staff_id", BigInteger, ForeignKey("staff.id"), nullable=False),
    _key("purpose"),  # invite | first | reset
    _at("created_at"),
    _at("expires_at"),
    _at("used_at", null=True),
    UniqueConstraint("token_hash"),
)

sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("key", String(200), primary_key=True),  # login:<digest> | address:<digest>
    _count("count"),
    _at("window_at"),
)

api_replay = Table(
    "api_replay",
    metadata,
    Column("scope", String(64), primary_key=True),  # digest of actor, method, path, key
    _key("body_digest"),
    _count("status", None),
    _text("answer"),
    _at("created_at"),
)
Index("ix_api_replay_created", api_replay.c.created_at)

audit = Table(
    "audit",
    metadata,
    _id(),
    _key("actor"),
    _key("action"),
    _key("target"),
    _text("body"),
    _at("at"),
)
