"""Three processes over one PostgreSQL, every use case at random: no deadlock, and everything adds up.

Tasks and credit, orders and parcels (`parcel_verbs`): what carriers say meets what sellers do.

8 s in CI, HUB_LONG=1 a minute. One process with four threads does the same on SQLite.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from functools import partial

import pytest

from hub.cli.integrity import findings
from hub.settings import TeamSection
from tests.conftest import CHECKOUT
from tests.integration import ledger_audit
from tests.integration.desk import Desk
from tests.integration.hubs import LONG, add_person, environment, settings
from tests.integration.ledger_process import NEEDED

SECONDS = 60 if LONG else 8
TEAM = TeamSection()


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("processes", [3])
def test_every_use_case_at_random(hub_url, tmp_path, processes, postgres_cluster):
    make_two_teams(hub_url, tmp_path)
    if hub_url.startswith("sqlite"):
        processes = 1
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.integration.ledger_process", hub_url, tmp_path, str(SECONDS), str(seed)],
            cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        )
        for seed in range(1, processes + 1)
    ]  # fmt: skip
    done: Counter[str] = Counter()
    for process in running:
        out, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-3000:]
        done.update(json.loads(out.splitlines()[-1])["done"])

    desk = Desk(hub_url, tmp_path, people=0)
    assert desk.db.read_now(findings) == []
    doubled = desk.rows("SELECT external_id FROM delivery GROUP BY external_id, account HAVING count(*) > 1")
    assert doubled == []
    [(entries,)] = desk.rows("SELECT count(*) FROM ledger")
    desk.close()
    assert ledger_audit.problems(hub_url) == []
    if not hub_url.startswith("sqlite"):
        assert deadlocks(postgres_cluster, hub_url.rpartition("/")[2]) == 0
    for verb in NEEDED:
        assert done[verb] > 0, done
    print(f"\n{entries} entries, {dict(done)}")


def make_two_teams(url, folder):
    from hub.app import open_hub
    from tests.integration.hubs import FORM

    table = {"form": dict(FORM), "form2": {**FORM, "team": "support"}}
    loaded = settings(url, folder, channels=table)
    loaded = loaded.model_copy(
        update={
            "settings": loaded.settings.model_copy(update={"teams": {"sales": TEAM, "support": TEAM}}),
        }
    )
    hub = open_hub(loaded)
    for number in range(6):
        hub.db.write_now(partial(both, number=number))
    hub.db.write_now(work_on_arrival)
    hub.close()


def work_on_arrival(tx):
    """An order that follows its parcel to this stage opens a task: by the parcel to the team."""
    from hub.opening import CLI
    from hub.orders import settings as route_settings
    from hub.orders import store
    from hub.orders.routes import body_of

    body = body_of(store.newest_route(tx.conn, "parcel"))
    [arrived] = [one for one in body["stages"] if one["key"] == "arrived"]
    arrived["actions"] = [{"do": "task", "what": "call the customer"}]
    route_settings.edit_route(tx, CLI, "parcel", body)


def both(tx, number):
    from hub.assignment.members import join_team
    from hub.opening import CLI
    from hub.staff import store as staff

    person = add_person(tx, f"Seller {number}", share=number % 3 + 1)
    join_team(tx, CLI, staff.team_by_name(tx.conn, "support").id, person, 1, 30)


def deadlocks(cluster, name):
    """As PostgreSQL counts them; it flushes its counters when a connection ends."""
    deadline = time.monotonic() + 5
    while True:
        with cluster.connect() as connection:
            [(open_ones, counted)] = connection.execute(
                "SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = %s), deadlocks "
                "FROM pg_stat_database WHERE datname = %s",
                (name, name),
            ).fetchall()
        if open_ones == 0 or time.monotonic() > deadline:
            return counted
        time.sleep(0.1)
