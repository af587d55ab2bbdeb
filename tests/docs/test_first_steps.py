"""What README.md and docs/api.md tell to type does what they say, in a hub that serves for real."""

from __future__ import annotations

import json
import re
from typing import Any

import aiohttp
import pytest

from tests.conftest import CHECKOUT
from tests.docs.walk import NUMBER, examples, walking


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_the_first_steps_of_the_readme_work_when_pasted(tmp_path):
    async with walking(tmp_path) as walk:
        link = re.search(r"Sign in the first time .*: (\S+/welcome/\S+)", walk.greeting)
        assert link is not None, walk.greeting
        async with aiohttp.ClientSession() as browser, browser.get(link[1]) as page:
            assert page.status == 200
            assert 'name="password"' in await page.text()
        people, posted, tasks, ordered, tracked = await walk.run(examples("README.md", "first-steps"))
    assert "hub staff invite olena" in people
    assert "/welcome/" in people
    request_id = json.loads(posted)["request_id"]
    [task] = json.loads(tasks)["items"]
    assert task["request_id"] == request_id
    assert task["assignee_id"] is not None
    shipment = json.loads(ordered)
    assert (shipment["number"], shipment["carrier"]) == (NUMBER, "nova-poshta")
    assert tracked.startswith(f"nova-poshta {NUMBER}: created")


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_the_examples_of_the_api_guide_work_and_answer_as_shown(tmp_path):
    found = examples("docs/api.md", "example")
    async with walking(tmp_path) as walk:
        said = await walk.run(found)
    for example, answer in zip(found, said, strict=True):
        if example.shown:
            assert list(differences(json.loads(example.shown), json.loads(answer))) == [], example.script


def test_every_shell_block_of_the_guides_is_run():
    for document, mark in (("README.md", "first-steps"), ("docs/api.md", "example")):
        text = (CHECKOUT / document).read_text(encoding="utf-8")
        assert len(examples(document, mark)) == text.count("```sh\n") > 0


def test_the_two_commands_of_the_readme_start_and_test_the_hub():
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    recipes = dict(re.findall(r"^(\w+):.*\n((?:\t.*\n)+)", makefile, re.MULTILINE))
    assert re.search(r"hub init\n.*hub serve$", recipes["run"].strip())
    assert "pytest" in recipes["test"]


def differences(shown: Any, said: Any, path: str = "") -> list[str]:
    """Where a shown answer has a key, or a kind of value, that the real one has not."""
    if isinstance(shown, dict) and isinstance(said, dict):
        missing = [f"{path}.{key}: is not in the answer" for key in shown if key not in said]
        return missing + [
            one for key in shown if key in said for one in differences(shown[key], said[key], f"{path}.{key}")
        ]
    if isinstance(shown, list) and isinstance(said, list):
        if shown and not said:
            return [f"{path}: the answer is empty"]
        return differences(shown[0], said[0], f"{path}[0]") if shown else []
    if shown is None or said is None or type(shown) is type(said):
        return []
    return [f"{path}: is {type(said).__name__}, not {type(shown).__name__}"]
