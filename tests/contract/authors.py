# ruff: noqa: ISC004 - an edit is a pair of texts of several lines
"""What an author writes into a new plugin: two small services, and the edits that make plugins of the scaffold.

Pigeon Post is a chat that signs its web hooks and answers HTTP 200 where it refuses; Stork Express is a carrier
with text codes, dotted dates and sums as numbers. An edit is (what stands in the scaffold, what its author writes).
"""

import difflib
from pathlib import Path

Edits = dict[str, list[tuple[str, str]]]

CHANNEL: Edits = {
    "pigeon_post/settings.py": [
        (
            '        # FILL IN: the address of the service\'s API.\n        default="https://api.example.com/v1",',
            '        default="https://api.pigeon.example/2",',
        )
    ],
    "pigeon_post/signature.py": [
        (
            '# FILL IN: the header with the signature, its name in lower case.\nHEADER = "x-signature"',
            'HEADER = "x-pigeon-proof"',
        ),
        (
            "    # FILL IN: how the service signs.\n"
            "    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()",
            '    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()',
        ),
    ],
    "pigeon_post/message.py": [
        (
            '    # FILL IN: the field with the id.\n    told = told_text(document.get("id"), 200)',
            '    told = told_text(document.get("event_id"), 200)',
        ),
        (
            '    # FILL IN: the type of a customer\'s message.\n    if document.get("type") != "message":',
            '    note, author = document.get("note"), document.get("author")\n'
            '    if document.get("event") != "new_note":',
        ),
        (
            "    # FILL IN: where the person, the text and the time stand.\n",
            "    if not isinstance(note, dict) or not isinstance(author, dict):\n"
            '        raise PayloadUnreadable("a note without a note or an author")\n',
        ),
        (
            '        channel_id=told_text(document.get("from"), 200),\n'
            '        name=told_text(document.get("name"), 200),\n',
            '        channel_id=told_text(author.get("uid"), 200),\n'
            '        name=told_text(author.get("nick"), 200),\n'
            '        phone=told_text(author.get("mobile"), 40),\n',
        ),
        ('told_text(document.get("text"), 20_000)', 'told_text(note.get("body"), 20_000)'),
        (
            'message_id=told_text(document.get("id"), 200)',
            'message_id=told_text(note.get("id"), 200)',
        ),
        ('told_time(document.get("sent_at"), "UTC")', 'told_time(note.get("written"), "UTC")'),
    ],
    "pigeon_post/client.py": [
        (
            "        # FILL IN: how the service takes its key.\n"
            '        self._headers = {"authorization": f"Bearer {settings.token.get_secret_value()}"}',
            '        self._headers = {"x-pigeon-key": settings.token.get_secret_value()}',
        ),
        (
            "        # FILL IN: the call that sends, and where its answer tells the id.\n"
            '        answer = await self._call("POST", "/messages", {"to": to, "text": text, "key": key})\n'
            '        return told_text(answer.get("id"), 200)',
            '        answer = await self._call("POST", "/send", {"uid": to, "body": text, "ref": key})\n'
            '        return told_text(answer.get("note_id"), 200)',
        ),
        (
            "        # FILL IN: such a call, and where its answer tells the name.\n"
            '        return told_text((await self._call("GET", "/me")).get("name"), 100)',
            '        return told_text((await self._call("GET", "/whoami")).get("shop"), 100)',
        ),
        (
            "        # FILL IN: what the service answers for somebody who cannot be written to.\n"
            "        if reply.status in {404, 410}:\n"
            '            raise PermanentFailure("this person cannot be written to any more")\n',
            "",
        ),
        (
            '            raise AnswerUnreadable("the answer is no JSON object")\n',
            '            raise AnswerUnreadable("the answer is no JSON object")\n'
            '        if answer.get("why") == "blocked":\n'
            '            raise PermanentFailure("this person does not want to hear from us any more")\n'
            '        if answer.get("ok") is not True:\n'
            '            raise AnswerUnreadable("Pigeon Post refuses the call")\n',
        ),
    ],
    "pigeon_post/plugin.py": [
        ("    # FILL IN: the largest delivery of the service.\n", ""),
        (
            "    # FILL IN: the name in both languages, and the service's page.\n"
            '    title={"en": "Pigeon post", "uk": "Pigeon post"},',
            '    title={"en": "Pigeon Post", "uk": "Голубина пошта"},',
        ),
        ('    homepage="",', '    homepage="https://pigeon.example/",'),
    ],
    "tests/test_contract.py": [
        (
            "        # FILL IN: the answer for somebody who cannot be written to, to `check`, and to a message.\n"
            "        if situation is Situation.GONE:\n"
            '            return httpx.Response(404, json={"error": "no such person"})\n'
            '        if request.url.path.endswith("/me"):\n'
            '            return httpx.Response(200, json={"name": "My shop"})\n'
            '        return httpx.Response(201, json={"id": "m-2001"})',
            "        if situation is Situation.GONE:\n"
            '            return httpx.Response(200, json={"ok": False, "why": "blocked"})\n'
            '        if request.url.path.endswith("/whoami"):\n'
            '            return httpx.Response(200, json={"ok": True, "shop": "My shop"})\n'
            '        return httpx.Response(200, json={"ok": True, "note_id": "n-77"})',
        ),
        (
            "    # FILL IN: what stands in message.json.\n"
            '    assert (event.sender.channel_id, event.text) == ("u-17", "Good day! Is size 42 there?")',
            '    assert (event.sender.channel_id, event.text) == ("p-9", "Are there boots, size 42?")\n'
            '    assert (event.sender.phone, event.message_id) == ("+380501234567", "n-5")',
        ),
    ],
    "tests/fixtures/message.json": [
        (
            '{"type": "message", "id": "m-1001", "from": "u-17", "name": "Olena", '
            '"text": "Good day! Is size 42 there?", "sent_at": "2026-03-05T08:39:58Z"}',
            '{"event": "new_note", "event_id": "e-1",\n'
            ' "note": {"id": "n-5", "body": "Are there boots, size 42?", "written": "2026-03-05T10:39:58+02:00"},\n'
            ' "author": {"uid": "p-9", "nick": "Olena", "mobile": "+380501234567"}}',
        )
    ],
    "tests/fixtures/unknown.json": [
        (
            '{"type": "never_seen_before", "id": "m-1002", "from": "u-17"}',
            '{"event": "never_seen_before", "event_id": "e-2", "author": {"uid": "p-9"}}',
        )
    ],
    "tests/fixtures/SOURCES.md": [
        ("(FILL IN: its address and the day it was read)", "(https://pigeon.example/docs, read 2026-03-01)")
    ],
    "README.md": [
        (
            "FILL IN: what this service is, and what the plugin does not do (files, buttons, groups).",
            "Text only.",
        ),
        ("FILL IN: where these are found at the service, and how", "Both stand on the shop's page; there"),
        ("FILL IN: rates, sizes and history of the service; when", "30 messages a minute. When"),
        ("it was last tried against the real service.", "it was last tried against the real service: never."),
    ],
}

CARRIER: Edits = {
    "stork_express/settings.py": [
        (
            '        # FILL IN: the address of the carrier\'s API.\n        default="https://api.example.com/v1",',
            '        default="https://stork.example/api",',
        ),
        ("        # FILL IN: what the carrier allows.\n        default=30,", "        default=20,"),
    ],
    "stork_express/statuses.py": [
        (
            "# FILL IN: the address of the carrier's own table, and the day it was read; then its codes.\n",
            "# https://stork.example/docs/states, read 2026-03-01\n",
        ),
        ('    "10": Status.CREATED,', '    "declared": Status.CREATED,'),
        ('    "20": Status.ACCEPTED,', '    "taken": Status.ACCEPTED,'),
        ('    "30": Status.IN_TRANSIT,', '    "in_the_air": Status.IN_TRANSIT,'),
        ('    "40": Status.ARRIVED,', '    "in_the_nest": Status.ARRIVED,'),
        (
            '    "50": Status.DELIVERED,',
            '    "handed_over": Status.DELIVERED,\n'
            '    "not_wanted": Status.REFUSED,\n'
            '    "flying_back": Status.RETURNING,\n'
            '    "back": Status.RETURNED,',
        ),
    ],
    "stork_express/numbers.py": [
        (
            "# FILL IN: the form of a number, spaces taken out; SURE only where no other carrier has the same form.\n"
            'NUMBER = re.compile(r"[0-9]{12}", re.ASCII)\nLIKENESS = Likeness.PERHAPS',
            'NUMBER = re.compile(r"SE[0-9]{9}UA", re.ASCII)\nLIKENESS = Likeness.SURE',
        )
    ],
    "stork_express/tracking.py": [
        ("# FILL IN: the zone of the carrier's clock, where it tells none.\n", ""),
        (
            "    # FILL IN: where the list of parcels stands.\n"
            '    parcels = answer.get("parcels") if isinstance(answer, dict) else None',
            '    parcels = answer.get("items") if isinstance(answer, dict) else None',
        ),
        (
            '    # FILL IN: the field with the number.\n    return told_text(parcel.get("number"), 40)',
            '    return told_text(parcel.get("code"), 40)',
        ),
        (
            '    # FILL IN: the field with the code, and how "not found" is told.\n'
            '    code = told_text(parcel.get("code"), 40)',
            '    code = told_text(parcel.get("state"), 40)\n'
            '    if code == "none":\n'
            "        return NotTracked(number=number, problem=Problem.NOT_FOUND)",
        ),
        ("    # FILL IN: the fields with time, words, place and sums.\n", ""),
        ('told_text(parcel.get("text"), 500)', 'told_text(parcel.get("words"), 500)'),
        ('told_time(parcel.get("at"), ZONE)', 'told_time(parcel.get("state_time"), ZONE)'),
        ('told_text(parcel.get("place"), 200)', 'told_text(parcel.get("depot"), 200)'),
        ('parcel.get("cash_on_delivery")', 'parcel.get("to_pay")'),
    ],
    "stork_express/client.py": [
        (
            "        # FILL IN: how the carrier takes its key.\n"
            '        self._headers = {"authorization": f"Bearer {settings.api_key.get_secret_value()}"}',
            '        self._headers = {"x-stork-key": settings.api_key.get_secret_value()}',
        ),
        (
            "        # FILL IN: the call that tracks.\n"
            '        return await self._call("POST", "/track", {"numbers": list(numbers)})',
            '        return await self._call("POST", "/items", {"codes": list(numbers)})',
        ),
        (
            '        # FILL IN: such a call.\n        return await self._call("GET", "/me", None)',
            '        return await self._call("GET", "/key", None)',
        ),
        ("    # FILL IN: how the carrier refuses a key, where it answers 200 for that.\n", ""),
        (
            '        raise TemporaryFailure(f"HTTP {reply.status}")\n',
            '        raise TemporaryFailure(f"HTTP {reply.status}")\n'
            "    if b'\"bad key\"' in reply.body[:200]:\n"
            '        raise AuthenticationFailed("the key is not accepted: check `api_key`")\n',
        ),
    ],
    "stork_express/plugin.py": [
        ("        # FILL IN: how many numbers a call takes, and what else the carrier can do.\n", ""),
        ("batch_size=50", "batch_size=20"),
        (
            "    # FILL IN: the name in both languages, and the carrier's page.\n"
            '    title={"en": "Stork express", "uk": "Stork express"},',
            '    title={"en": "Stork Express", "uk": "Лелека Експрес"},',
        ),
        ('    homepage="",', '    homepage="https://stork.example/",'),
    ],
    "tests/test_contract.py": [
        (
            "    # FILL IN: two well-formed numbers, made up, and codes of the table.\n"
            '    numbers = (TrackingNumber(number="100000000001"), TrackingNumber(number="100000000002"))\n'
            '    known_codes = ("30", "40")',
            '    numbers = (TrackingNumber(number="SE100000001UA"), TrackingNumber(number="SE100000002UA"))\n'
            '    known_codes = ("in_the_air", "in_the_nest")',
        ),
        (
            "        # FILL IN: what was asked, and the answer.\n"
            '        asked = json.loads(request.content)["numbers"]',
            '        asked = json.loads(request.content)["codes"]',
        ),
        (
            '            {"number": number, "code": code, "text": "x", "at": "2026-03-04T11:32:17", "place": "Lviv"}',
            '            {"code": number, "state": code, "state_time": "04.03.2026 11:32", "to_pay": 1250.0}',
        ),
        ('json={"parcels": parcels}', 'json={"items": parcels}'),
        ("        # FILL IN: that answer.\n", ""),
        ("    # FILL IN: what stands in answer.json.\n", ""),
        ('["100000000001"])', '["SE100000001UA"])'),
    ],
    "tests/fixtures/answer.json": [
        (
            '{"parcels": [{"number": "100000000001", "code": "40", "text": "At the branch", '
            '"at": "2026-03-04T11:32:17", "place": "Lviv", "cash_on_delivery": "1250.00"}]}',
            '{"items": [{"code": "SE100000001UA", "state": "in_the_nest", "state_time": "04.03.2026 11:32",\n'
            '            "depot": "Lviv", "to_pay": 1250.0}]}',
        )
    ],
    "tests/fixtures/SOURCES.md": [
        ("(FILL IN: its address and the day it was read)", "(https://stork.example/docs, read 2026-03-01)")
    ],
    "README.md": [
        (
            "FILL IN: what the carrier's API tells, and what it does not (money, places, estimated dates).",
            "It tells state, place and what is to be paid; no payout, no estimated dates.",
        ),
        ("FILL IN: where the key is found at the carrier.", "The key stands on the shipper's page."),
        ("FILL IN: rate, batch size and history; codes", "20 calls a minute, 20 numbers a call; codes"),
        ("it was last tried against the real service.", "it was last tried against the real service: never."),
    ],
}


def write(folder: Path, edits: Edits) -> int:
    """Do what the author does. Returns the lines that he wrote: those that the scaffold does not have."""
    written = 0
    for path, changes in edits.items():
        file = folder / path
        before = text = file.read_text(encoding="utf-8")
        for old, new in changes:
            assert text.count(old) == 1, f"{path}: the scaffold has {text.count(old)} times {old!r}"
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")
        lines = difflib.unified_diff(before.splitlines(), text.splitlines(), lineterm="", n=0)
        written += sum(line.startswith("+") and not line.startswith("+++") for line in lines)
    return written
