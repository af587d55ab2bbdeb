"""The migrations make what the tables declare, on both databases; row tuples stand in column order."""

import threading
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, PrimaryKeyConstraint, UniqueConstraint, make_url, text

from hub.db import rows, schema, tables
from hub.db.engine import open_engine
from hub.orders.model import EntryRow, LineRow, OrderRow
from hub.shipments.store import ShipmentRow

ROWS: dict[Any, Any] = {
    tables.contact: rows.ContactRow,
    tables.identity: rows.IdentityRow,
    tables.contact_doubt: rows.ContactDoubtRow,
    tables.delivery: rows.DeliveryRow,
    tables.delivery_body: rows.DeliveryBodyRow,
    tables.request: rows.RequestRow,
    tables.message: rows.MessageRow,
    tables.message_extra: rows.MessageExtraRow,
    tables.attachment: rows.AttachmentRow,
    tables.task: rows.TaskRow,
    tables.ledger: rows.LedgerRow,
    tables.eligible_set: rows.EligibleSetRow,
    tables.eligibility_fact: rows.EligibilityFactRow,
    tables.journal: rows.JournalRow,
    tables.outbox: rows.OutboxRow,
    tables.observation: rows.ObservationRow,
    tables.raw_document: rows.RawDocumentRow,
    tables.orders: OrderRow,
    tables.order_line: LineRow,
    tables.order_journal: EntryRow,
    tables.schedule_entry: rows.ScheduleEntryRow,
    tables.shipment: ShipmentRow,
}


def is_ours(name, kind, _parents):
    """The tables of procrastinate are made by its own statements."""
    return kind != "table" or not name.startswith("procrastinate_")


def test_migrations_make_the_declared_tables(hub_url):
    engine = open_engine(make_url(hub_url), writes=False, pool_size=1)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "compare_server_default": True, "include_name": is_ours},
        )
        differences = compare_metadata(context, tables.metadata)
        assert schema.revision(connection) == schema.HEAD
    engine.dispose()
    assert differences == []


def test_head_is_alembics_head():
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]
    assert schema.HEAD in schema.known_revisions()


@pytest.mark.parametrize("table", ROWS, ids=lambda table: table.name)
def test_row_tuples_have_the_tables_columns_in_order(table):
    assert list(ROWS[table]._fields) == [column.name for column in table.columns]


def test_every_row_class_is_compared():
    declared = {value for name, value in vars(rows).items() if name.endswith("Row")}
    assert declared <= set(ROWS.values())


def test_conventions_of_columns():
    for table in tables.metadata.tables.values():
        for column in table.columns:
            if column.name == "at" or column.name.endswith(("_at", "_minor", "_milli")):
                assert isinstance(column.type, BigInteger), column


def test_selective_column_stands_first_in_unique_keys():
    """Otherwise a fresh PostgreSQL reads the whole account at each look-up."""
    expected = {
        tables.delivery: ("external_id", "account"),
        tables.message: ("message_key", "account"),
        tables.identity: ("value", "kind"),
        tables.observation: ("identity", "shipment_id"),
    }
    for table, columns in expected.items():
        keys = [key for key in table.constraints if isinstance(key, UniqueConstraint | PrimaryKeyConstraint)]
        unique = [*keys, *(index for index in table.indexes if index.unique)]
        assert columns in {tuple(column.name for column in key.columns) for key in unique}, table.name


def test_a_newer_schema_is_refused(hub_url):
    engine = open_engine(make_url(hub_url), writes=True, pool_size=1)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '20990101_future'"))
    with pytest.raises(schema.SchemaMismatch, match="newer than this program"):
        schema.ensure(engine, migrate=True)
    engine.dispose()


def test_postgresql_is_migrated_only_when_asked(postgres_cluster):
    name = postgres_cluster.create_database()
    url = make_url(postgres_cluster.url(name))
    engine = open_engine(url, writes=True, pool_size=1)
    with pytest.raises(schema.SchemaMismatch, match="hub db upgrade"):
        schema.ensure(engine, migrate=False)
    engine.dispose()
    postgres_cluster.drop_database(name)


def test_two_upgrades_at_once_are_one(postgres_cluster):
    name = postgres_cluster.create_database()
    url = make_url(postgres_cluster.url(name))
    failures: list[BaseException] = []

    def upgrade() -> None:
        engine = open_engine(url, writes=True, pool_size=1)
        try:
            schema.ensure(engine, migrate=True)
        except BaseException as error:  # noqa: BLE001 - counted below
            failures.append(error)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=upgrade) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    postgres_cluster.drop_database(name)
    assert failures == []
