"""Tampering by SQL, with the trigger switched off: both verifiers name what was done."""

import hashlib
import json
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from core.events import announce
from devices.models import Call, SigningKey
from devices.services import generate_keys
from monitoring.journal import checkpoints, export, follower, verify_export
from monitoring.journal.comparing import verify_device
from monitoring.journal.facts import READERS
from monitoring.journal.signing import Signer
from monitoring.models import JournalEntry, UnjournaledFact

from .test_journal import follow

pytestmark = pytest.mark.django_db(transaction=True)
SCRIPT = Path(verify_export.__file__)


@pytest.fixture
def device(alpha, make_call, sell):
    """A chain of nine entries: a key, calls, a receipt, a new key; with a checkpoint at the end."""
    for n in range(3):
        make_call(alpha, number=n, reference=f"R{n}", request=f'{{"n":{n}}}')
    follow()
    sell(alpha, reference="T-1")
    follow()
    generate_keys(alpha.device)
    for n in range(3, 6):
        make_call(alpha, number=n, reference=f"R{n}", request=f'{{"n":{n}}}')
    follow()
    checkpoints.daily()
    return alpha.device


@pytest.fixture
def tamper():
    """SQL as the tables' owner, with the trigger off."""

    def run(*statements):
        tables = ("monitoring_journalentry", "monitoring_journalcheckpoint")
        with connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER journal_no_change")
            for statement in statements:
                cursor.execute(statement)
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER journal_no_change")

    return run


@pytest.fixture
def check(device, tmp_path):
    """Codes and places that the two verifiers find: (in the database, on the export)."""

    def run(*arguments):
        _, findings = verify_device(device)
        here = [(finding.code, finding.sequence) for finding in findings]
        return here, on_file(export_to(device, tmp_path), *arguments)

    return run


def export_to(device, folder):
    path = folder / "export.jsonl"
    path.write_text("".join(export.lines(export.range_of(device, None, None))))
    return path


def on_file(path, *arguments):
    """As an auditor runs it: another process, without Django and without this project."""
    command = [sys.executable, "-I", str(SCRIPT), str(path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/", check=False)
    assert done.stderr == ""
    *lines, verdict = done.stdout.splitlines()
    assert done.returncode == (1 if lines else 0)
    assert verdict.startswith("NOT WHOLE" if lines else "WHOLE")
    return [parsed(line) for line in lines]


def parsed(line):
    code, _, rest = line.partition(": ")
    number = rest.split(":")[0].removeprefix("entry ") if rest.startswith("entry ") else "0"
    return code, int(number)


def test_a_whole_chain_is_whole(check):
    assert check() == ([], [])


def test_an_edited_entry_is_named(check, tamper):
    tamper(
        "UPDATE monitoring_journalentry SET body = replace(body, '\"number\":1', '\"number\":8')"
        " WHERE sequence = 3"
    )

    here, there = check()

    assert ("edited_entry", 3) in here
    assert there == [("edited_entry", 3), ("wrong_signature", 3)]


def test_an_entry_edited_together_with_its_hash_is_named(check, tamper):
    entry = JournalEntry.objects.get(sequence=3)
    body = entry.body.replace('"number":1', '"number":8')
    digest = hashlib.sha256(body.encode()).hexdigest()
    tamper(f"UPDATE monitoring_journalentry SET body='{body}', hash='{digest}' WHERE sequence=3")

    here, there = check()

    assert ("wrong_signature", 3) in here
    assert there == [("wrong_signature", 3), ("broken_link", 4)]


def test_a_deleted_entry_is_named(check, tamper):
    tamper("DELETE FROM monitoring_journalentry WHERE sequence = 4")

    here, there = check()

    assert ("deleted_entry", 5) in here
    assert ("unknown_row", 0) in here  # the call whose entry it was
    assert there == [("deleted_entry", 5)]


def test_reordered_entries_are_named(check, tamper):
    tamper(
        "UPDATE monitoring_journalentry SET sequence = 1003 WHERE sequence = 3",
        "UPDATE monitoring_journalentry SET sequence = 3 WHERE sequence = 4",
        "UPDATE monitoring_journalentry SET sequence = 4 WHERE sequence = 1003",
    )

    here, there = check()

    for found in (here, there):
        assert ("reordered", 3) in found


def test_a_cut_tail_is_named(check, tamper, device):
    tamper("DELETE FROM monitoring_journalentry WHERE sequence > 7")

    here, there = check()

    last = JournalEntry.objects.latest("sequence").sequence
    assert ("tail_cut", 9) in here
    assert last == 7
    # The export of a cut journal is whole in itself: only what was kept elsewhere tells.
    assert there == []


def test_a_cut_tail_is_named_by_a_checkpoint_from_elsewhere(check, tamper, device):
    printed = checkpoints.journal_checkpoint(device) or {}
    tamper(
        "DELETE FROM monitoring_journalcheckpoint",
        "DELETE FROM monitoring_journalentry WHERE sequence > 7",
        "UPDATE monitoring_journalhead SET sequence = 7,"
        " hash = (SELECT hash FROM monitoring_journalentry WHERE sequence = 7)",
    )

    here, there = check("--checkpoint", f"{printed['sequence']}:{printed['hash']}")

    assert ("unknown_row", 0) in here  # calls that have lost their entries
    assert there == [("tail_cut", 9)]


def test_the_follower_does_not_go_on_behind_a_cut_tail(device, tamper):
    tamper("DELETE FROM monitoring_journalentry WHERE sequence > 7")
    announce("counter_set", device.pk, after=1)

    with pytest.raises(follower.JournalBroken, match="ends with entry 7, and was left after .* 9"):
        follower.append(device.pk)


def test_a_file_without_its_end_is_named(device, tmp_path):
    path = export_to(device, tmp_path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:6]))

    assert on_file(path) == [("tail_cut", 5)]


def test_an_entry_under_another_key_is_named(check, tamper, device):
    """Somebody with a key of his own writes an entry anew and signs it."""
    stranger = Signer.of(SigningKey.objects.filter(device=device).latest("version"))
    entry = JournalEntry.objects.get(sequence=3)
    body = json.loads(entry.body) | {"key": stranger.key.fingerprint}
    text = verify_export.canonical(body) or b""
    tamper(
        f"UPDATE monitoring_journalentry SET body = '{text.decode()}',"
        f" hash = '{hashlib.sha256(text).hexdigest()}', signature = '{stranger.sign(text)}'"
        " WHERE sequence = 3"
    )

    here, there = check()

    for found in (here, there):
        assert ("wrong_key", 3) in found


def test_a_chain_written_anew_is_named_by_the_pinned_key(device, tmp_path):
    path = export_to(device, tmp_path)

    first = SigningKey.objects.get(device=device, version=1).fingerprint
    assert on_file(path, "--key", first) == []
    assert on_file(path, "--key", "0" * 64) == [("wrong_key", 1)]


def test_a_checkpoint_that_was_changed_is_named(check, tamper):
    tamper(
        "UPDATE monitoring_journalcheckpoint"
        " SET body = replace(body, '\"sequence\":9', '\"sequence\":8')"
    )

    here, there = check()

    assert ("wrong_checkpoint", 8) in here
    assert there == [("wrong_checkpoint", 8)]


def test_a_changed_z_is_named(device, tmp_path, monkeypatch):
    z = tmp_path / "z.json"
    z.write_bytes(b'{"number":1,"total":"4320.00"}')

    def read_zs(ids):
        return {1: {"number": 1, "sha256": hashlib.sha256(z.read_bytes()).hexdigest()}}

    monkeypatch.setitem(READERS, "z_report", read_zs)
    now = timezone.now()
    UnjournaledFact.objects.create(device=device, kind="z_report", source=1, at=now)
    follow()
    path = export_to(device, tmp_path)

    assert on_file(path, "--z", str(z)) == []
    z.write_bytes(b'{"number":1,"total":"320.00"}')
    assert on_file(path, "--z", str(z)) == [("changed_z", 0)]
    (finding,) = verify_device(device)[1]
    assert (finding.code, finding.sequence) == ("changed_row", 10)


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("UPDATE devices_call SET request = '{}' WHERE number = 1", "call .*R1.*request_sha256"),
        ("UPDATE devices_call SET answer = '!' WHERE number = 1", "call .*R1.*answer_sha256"),
        ("UPDATE devices_call SET code = '901' WHERE number = 1", "call .*code was 000, is 901"),
        ("DELETE FROM devices_call WHERE number = 1", "call [0-9]+ is gone"),
        ("UPDATE sales_invoice SET total = 1", r"T-1.*document.total was 1160.00, is 1.00"),
        ("UPDATE sales_invoice SET tax_b = 1", r"T-1.*document.letters.B"),
        ("UPDATE sales_invoice SET customer_pin = 'X'", "T-1.*document.buyer_sha256"),
        ("UPDATE sales_receipt SET signature = 'X'", "T-1.*signature was SIGNATURE, is X"),
        ("DELETE FROM sales_receipt", "receipt [0-9]+ is gone"),
        ("UPDATE sales_invoice SET state='voided', state_at=now()", "voided, and no entry"),
    ],
)
def test_a_changed_row_is_named(device, tamper, statement, text):
    tamper(statement)
    out = StringIO()

    with pytest.raises(CommandError, match="1 findings"):
        call_command("verify_journal", device=device.serial, stdout=out)

    line = out.getvalue().splitlines()[0]
    assert re.search(text, line), line


def test_a_call_put_in_behind_the_follower_is_named(device, tamper):
    tamper(
        "INSERT INTO devices_call (id, company_id, device_id, endpoint, attempt, reference,"
        " request, started_at, answer, outcome, code, reason, request_id)"
        " SELECT 0 + min(id) - 1, min(company_id), min(device_id), 'sales_save', 1, '', '', now(),"
        " '', '', '', '', '' FROM devices_call"
    )

    _, findings = verify_device(device)

    assert [finding.code for finding in findings] == ["unknown_row"]


def test_bodies_that_were_emptied_by_age_are_no_tampering(device):
    first, second = Call.objects.filter(device=device, reference__in=["R1", "R2"]).order_by("pk")
    announce("bodies_pruned", device.pk, first=first.pk, last=first.pk)
    Call.objects.filter(pk__in=[first.pk, second.pk]).update(request="", answer="")

    _, before = verify_device(device)
    follow()
    _, after = verify_device(device)

    assert {finding.sequence for finding in before} == {4}
    assert after == before
    Call.objects.filter(pk=first.pk).update(request="{}")
    assert {finding.sequence for finding in verify_device(device)[1]} == {3, 4}


def test_the_commands_agree_with_each_other(device, tmp_path):
    path, out = tmp_path / "out.jsonl", StringIO()

    call_command("export_journal", str(path), device=device.serial, stdout=out)
    call_command("verify_journal", stdout=out)

    assert "9 entries" in out.getvalue()
    assert "alpha-1: whole, 9 entries." in out.getvalue()
    assert on_file(path) == []


def test_a_part_of_a_chain_is_verified_from_where_it_begins(device, tmp_path):
    entry = JournalEntry.objects.get(sequence=5)
    path = tmp_path / "part.jsonl"

    wanted = export.range_of(device, entry.recorded_at, None)
    path.write_text("".join(export.lines(wanted)))

    assert (wanted.first, wanted.last) == (5, 9)
    assert on_file(path) == []


def forged_part(device, folder):
    """A part that somebody wrote anew under his own key, called by the real one's name."""
    thief = Ed25519PrivateKey.generate()
    public = thief.public_key().public_bytes_raw().hex()
    path = folder / "part.jsonl"
    entry = JournalEntry.objects.get(sequence=5)
    wanted = export.range_of(device, entry.recorded_at, None)
    header, *rest = [json.loads(line) for line in export.lines(wanted)]
    real, before = header["body"]["key"], "1" * 64
    header["body"]["keys"] = [{"fingerprint": real, "public_key": public, "version": 1}]
    body = rest[0]["body"] | {"previous": before}
    header["body"] |= {"previous": before, "last_sequence": 5, "checkpoints": []}
    text = verify_export.canonical(body) or b""
    hash = hashlib.sha256(text).hexdigest()
    entry_line = {"body": body, "hash": hash, "signature": thief.sign(text).hex()}
    end = {"body": {"type": "end", "last_sequence": 5, "last_hash": hash}}
    path.write_text("".join(json.dumps(row) + "\n" for row in (header, entry_line, end)))
    return path, real


def test_a_forged_part_under_a_real_keys_name_is_named(device, tmp_path):
    path, real = forged_part(device, tmp_path)

    assert on_file(path, "--key", real) == [("wrong_signature", 5)]


def test_the_key_of_a_part_is_compared(device, tmp_path):
    path = tmp_path / "part.jsonl"
    entry = JournalEntry.objects.get(sequence=5)
    path.write_text("".join(export.lines(export.range_of(device, entry.recorded_at, None))))

    assert on_file(path, "--key", entry.key.fingerprint) == []
    assert on_file(path, "--key", "0" * 64) == [("wrong_key", 5)]


def test_a_checkpoint_before_a_part_is_not_passed_over_in_silence(device, tmp_path):
    path = tmp_path / "part.jsonl"
    entry = JournalEntry.objects.get(sequence=5)
    path.write_text("".join(export.lines(export.range_of(device, entry.recorded_at, None))))
    before = JournalEntry.objects.get(sequence=4).hash

    assert on_file(path, "--checkpoint", f"4:{before}") == []
    assert on_file(path, "--checkpoint", "4:" + "0" * 64) == [("rewritten", 4)]
    assert on_file(path, "--checkpoint", f"3:{before}") == [("not_compared", 0)]


def test_an_auditor_gets_it_through_the_api(device, alpha, beta, get):
    response = get("/api/journal/", alpha, device="alpha-1")

    rows = verify_export.read_lines(b"".join(response.streaming_content).decode().splitlines())
    checker, findings = verify_export.verify(rows)
    assert (checker.sequence, findings) == (9, [])
    assert response["Content-Type"] == "application/x-ndjson"
    assert get("/api/journal/", beta, device="alpha-1").status_code == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [({}, "device"), ({"device": "alpha-1", "from": "soon"}, "from"),
     ({"device": "alpha-1", "to": "2026-11-22T00:00:00"}, "to"),
     ({"device": "alpha-1", "from": "2026-11-22T00:00:00Z", "to": "2026-11-21T00:00:00Z"}, "from")],
)  # fmt: skip
def test_it_says_what_is_wrong_with_a_request(alpha, get, query, field):
    response = get("/api/journal/", alpha, **query)

    assert response.status_code == 400
    assert response.json()["error"]["detail"][0]["field"] == field


@pytest.mark.parametrize("content", ["", "no json\n", '{"body":1}\n', '{"body":{"type":"end"}}\n'])
def test_a_file_that_is_no_export_is_refused(tmp_path, content, capsys):
    path = tmp_path / "x.jsonl"
    path.write_text(content)

    assert verify_export.main([str(path)]) == 2
    assert "cannot be checked" in capsys.readouterr().err
