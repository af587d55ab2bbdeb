"""The API against its own OpenAPI document: schemathesis sends what the document allows and what it forbids.

Examples, coverage, fuzzing and stateful phases, over a hub with something in it. A seed makes it repeatable;
HUB_LONG=1 sends much more.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.integration import ledger_audit
from tests.integration.hubs import LONG, phone

ST = Path(sys.executable).with_name("st")
# A call that fits the document may still meet a rule: a version that is not the present one (412), a key that was
# used with another body, a contact that is nobody, an outcome without its reason (422).
CONFIG = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "412", "422"]
"""


@pytest.mark.slow
@pytest.mark.timeout(1_800 if LONG else 660)
def test_api_does_what_its_document_says(serve, sqlite_url, tmp_path):
    served = serve(sqlite_url)
    ann = json.loads(served.command("staff", "add", "Ann", "--json").stdout)["id"]
    served.command("staff", "add", "Bob")
    made = served.command("token", "add", "t", "--role", "admin", "--staff", ann, "--json")
    token = json.loads(made.stdout)["token"]
    for n in range(5):
        httpx.post(f"{served.base}/in/form", json={"name": f"N{n}", "phone": phone(n), "message": "hi"})

    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    options = {
        "--header": f"Authorization: Bearer {token}",
        "--phases": "examples,coverage,fuzzing,stateful",
        "--max-examples": "100" if LONG else "3",
        "--seed": "20261122",
        "--generation-database": "none",
        "--workers": "1",  # in two threads CPython 3.11 trips over its own parser now and then
        "--request-timeout": "10",
    }
    done = subprocess.run(
        [ST, "--config-file", config, "run", f"{served.base}/api/v1/openapi.json"]
        + ["--no-color", "--continue-on-failure"]
        + [word for pair in options.items() for word in pair],
        capture_output=True, text=True, timeout=1_700 if LONG else 600, check=False, cwd=tmp_path,
        env={**os.environ, "COLUMNS": "120"},
    )  # fmt: skip
    (tmp_path / "schemathesis.log").write_text(done.stdout)
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    assert served.command("db", "check").stdout == "all is well\n"
    assert ledger_audit.problems(sqlite_url) == []
    assert "Traceback" not in served.log.read_text()
    assert '"exception"' not in served.log.read_text()
