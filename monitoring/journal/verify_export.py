#!/usr/bin/env python3
"""Check the export of a device's journal. Nothing of the service is needed, only this file, Python
3.11 and `pip install cryptography rfc8785`:

    python verify_export.py export.jsonl --checkpoint 1207:9f3c… --key 4be1… --z z-31.json

A checkpoint is what a Z report or an earlier export shows as sequence and hash; it proves that the
end was not cut off. The fingerprint of the first key comes from the business or from an earlier
export (for a part: of the key that it begins under); without it the chain is proven to be whole,
but not whose it is. --z is a Z report as JSON,
byte for byte as it was downloaded: its hash must stand in the journal.

Ends with 0 when all is well, 1 when something was changed, 2 when the file is no export.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NOTHING = "0" * 64
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `sequence` is the entry it was found at, 0: none."""

    code: str
    sequence: int
    text: str

    def __str__(self) -> str:
        where = f"entry {self.sequence}: " if self.sequence else ""
        return f"{self.code}: {where}{self.text}"


@dataclass
class Checker:
    """Walks one chain in order and says what does not fit. It trusts the first key that the chain
    announces, or `pinned`; every later key must be announced under the key before it.
    """

    device: Body | None = None
    pinned: str = ""
    sequence: int = 0
    hash: str = NOTHING
    key: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    hashes: dict[int, str] = field(default_factory=dict)
    wanted: frozenset[int] = frozenset()
    z_hashes: dict[str, int] = field(default_factory=dict)

    def start_at(self, header: Body) -> Iterator[Finding]:
        """Go on from the middle of a chain: what lies before is taken from the header."""
        self.sequence = header["first_sequence"] - 1
        self.hash = header["previous"]
        self.key = header["key"]
        # Nobody signed the header: only the key that it names, and only if it is that key. Later
        # ones are announced by entries.
        self.keys = {
            key["fingerprint"]: key["public_key"]
            for key in header["keys"]
            if key["fingerprint"] == self.key == fingerprint_of(str(key["public_key"]))
        }
        if self.pinned and self.key != self.pinned:
            yield Finding("wrong_key", self.sequence + 1, f"this part begins under {self.key}.")

    def entry(self, body: Body, hash: str, signature: str) -> Iterator[Finding]:
        number = body.get("sequence", 0)
        yield from self._check_order(body, number)
        if body.get("kind") == "resumed":
            yield from self._broken_before(body, number)
        yield from self._check_text(body, hash, signature, number)
        self._remember(body, hash, number)

    def _check_order(self, body: Body, number: int) -> Iterator[Finding]:
        expected = self.sequence + 1
        if number > expected:
            gap = f"{expected}" if number == expected + 1 else f"{expected} to {number - 1}"
            yield Finding("deleted_entry", number, f"before it, {gap} is missing.")
        elif number < expected:
            yield Finding("reordered", number, f"it comes after entry {self.sequence}.")
        elif body.get("previous") != self.hash and body.get("kind") != "resumed":
            text = f"it does not follow the entry {self.sequence} that stands before it."
            yield Finding("broken_link", number, text)
        if self.device is not None and body.get("device") != self.device:
            yield Finding("wrong_device", number, "it belongs to another device.")

    def _broken_before(self, body: Body, number: int) -> Iterator[Finding]:
        """Whoever went on behind a break said so. What follows is checked, the break stays one."""
        facts = body["facts"]
        if body.get("previous") != self.hash:
            yield Finding("broken_link", number, "it does not follow what stands before it.")
        text = f"{facts.get('trouble')} Resumed by {facts.get('by')}: {facts.get('reason')}"
        yield Finding("resumed", number, text)

    def _check_text(self, body: Body, hash: str, signature: str, number: int) -> Iterator[Finding]:
        text = canonical(body)
        if text is None or hashlib.sha256(text).hexdigest() != hash:
            yield Finding("edited_entry", number, "its content does not have its hash.")
        elif body.get("kind") == "key" and (wrong := self._wrong_key(body)):
            yield Finding("wrong_key", number, wrong)
        fingerprint = str(body.get("key"))
        announced = body["facts"] if body.get("kind") == "key" else {}
        if not self.key:
            self.key = str(announced.get("fingerprint", ""))
            self.keys[self.key] = str(announced.get("public_key", ""))
            if self.pinned and self.key != self.pinned:
                yield Finding("wrong_key", number, f"the first key is {self.key}.")
        if fingerprint != self.key:
            yield Finding("wrong_key", number, "it is signed by a key that was not in use then.")
        elif text is None or not is_signed(self.keys.get(fingerprint, ""), signature, text):
            yield Finding("wrong_signature", number, "its key did not sign this content.")

    def _wrong_key(self, body: Body) -> str:
        facts = body["facts"]
        if fingerprint_of(str(facts.get("public_key"))) != facts.get("fingerprint"):
            return "the announced key does not have its fingerprint."
        return ""

    def _remember(self, body: Body, hash: str, number: int) -> None:
        # Go on from what was found, so that one fault is named once.
        self.sequence, self.hash = max(number, self.sequence), hash
        facts = body.get("facts") or {}
        if body.get("kind") == "key" and self.keys.get(self.key):
            self.key = str(facts.get("fingerprint"))
            self.keys[self.key] = str(facts.get("public_key"))
        if body.get("kind") == "z_report":
            self.z_hashes[str(facts.get("sha256"))] = number
        if number in self.wanted:
            self.hashes[number] = hash

    def checkpoint(self, body: Body, signature: str) -> Iterator[Finding]:
        """A checkpoint that was signed: it is authentic, and the chain has what it says."""
        number, text = body.get("sequence", 0), canonical(body)
        public = self.keys.get(str(body.get("key")), "")
        if text is None or not is_signed(public, signature, text):
            text_ = "its signature is not by a key of this chain."
            yield Finding(
                "wrong_checkpoint", number, f"the checkpoint of {body.get('at')}: {text_}"
            )
        else:
            yield from self.anchor(number, str(body.get("hash")))

    def anchor(self, number: int, hash: str) -> Iterator[Finding]:
        """What somebody wrote down earlier must still be there."""
        if number > self.sequence:
            text = f"a checkpoint knows entry {number}; the chain ends with {self.sequence}."
            yield Finding("tail_cut", number, text)
        elif number in self.hashes and self.hashes[number] != hash:
            yield Finding("rewritten", number, "a checkpoint knows another content of it.")


def canonical(body: Any) -> bytes | None:
    try:
        return rfc8785.dumps(body)
    except rfc8785.CanonicalizationError:
        return None


def fingerprint_of(public_key: str) -> str:
    try:
        return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()
    except ValueError:
        return ""


def is_signed(public_key: str, signature: str, text: bytes) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), text)
    except (InvalidSignature, ValueError):
        return False
    return True


# --- the file ---


class NotAnExport(Exception):
    pass


def read_lines(lines: Iterable[str]) -> Iterator[Body]:
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise NotAnExport(f"Line {number} is not JSON: {error}.") from error
        if not isinstance(row, dict) or not isinstance(row.get("body"), dict):
            raise NotAnExport(f"Line {number} is not a line of an export.")
        yield row


def verify(
    rows: Iterable[Body], *, anchors: Iterable[tuple[int, str]] = (), pinned: str = ""
) -> tuple[Checker, list[Finding]]:
    """All findings of an export whose rows come in the order of the file. Raises NotAnExport."""
    rows = iter(rows)
    first = next(rows, None)
    if first is None or first["body"].get("type") != "header":
        raise NotAnExport("The first line is not the header of an export.")
    header, anchors = first["body"], list(anchors)
    wanted = frozenset({number for number, _ in anchors} | set(header["checkpoints"]))
    checker = Checker(device=header["device"], pinned=pinned, wanted=wanted)
    findings: list[Finding] = []
    if header["first_sequence"] > 1:
        findings += checker.start_at(header)
        checker.hashes[checker.sequence] = checker.hash
    walked, end = _walk(checker, rows)
    findings += walked
    for number, hash in anchors:
        findings += checker.anchor(number, hash)
        if number < header["first_sequence"] - 1:
            text = f"the checkpoint {number} lies before this part: export from there on."
            findings.append(Finding("not_compared", 0, text))
    if end is None:
        text = f"the file ends with entry {checker.sequence} and without its last line."
        findings.append(Finding("tail_cut", checker.sequence, text))
    elif not any(finding.code == "tail_cut" for finding in findings):
        findings += _check_end(checker, end)
    return checker, findings


def _walk(checker: Checker, rows: Iterator[Body]) -> tuple[list[Finding], Body | None]:
    findings: list[Finding] = []
    end = None
    for row in rows:
        body, signature = row["body"], str(row.get("signature"))
        kind = body.get("type")
        if kind == "entry":
            findings += checker.entry(body, str(row.get("hash")), signature)
        elif kind == "checkpoint":
            findings += checker.checkpoint(body, signature)
        elif kind == "end":
            end = body
        else:
            raise NotAnExport(f"There is a line of an unknown type {kind!r}.")
    return findings, end


def _check_end(checker: Checker, end: Body) -> Iterator[Finding]:
    number = end.get("last_sequence", 0)
    if number > checker.sequence:
        text = f"the file should end with it, and ends with {checker.sequence}."
        yield Finding("tail_cut", number, text)
    elif (number, end.get("last_hash")) != (checker.sequence, checker.hash):
        text = "the last line does not name the last entry."
        yield Finding("edited_entry", checker.sequence, text)


def check_z(checker: Checker, name: str, content: bytes) -> Iterator[Finding]:
    if hashlib.sha256(content).hexdigest() not in checker.z_hashes:
        text = f"{name} is no Z report of this journal, or was changed, by one character or more."
        yield Finding("changed_z", 0, text)


def _anchor(text: str) -> tuple[int, str]:
    number, _, hash = text.partition(":")
    if not number.isdigit() or len(hash) != 64:
        raise argparse.ArgumentTypeError("write it as SEQUENCE:HASH, the hash with 64 characters")
    return int(number), hash.lower()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("export")
    parser.add_argument("--checkpoint", action="append", type=_anchor, default=[])
    parser.add_argument("--key", default="", help="fingerprint of the first key")
    parser.add_argument("--z", action="append", default=[], metavar="FILE")
    options = parser.parse_args(argv)
    try:
        with open(options.export, encoding="utf-8") as file:
            rows = read_lines(file)
            checker, findings = verify(rows, anchors=options.checkpoint, pinned=options.key)
        for name in options.z:
            with open(name, "rb") as file_:
                findings += check_z(checker, name, file_.read())
    except (NotAnExport, OSError, KeyError, TypeError) as error:
        sys.stderr.write(f"This cannot be checked: {error}\n")
        return 2
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"{summary(checker, findings, options.key)}\n")
    return 1 if findings else 0


def summary(checker: Checker, findings: list[Finding], pinned: str) -> str:
    if findings:
        return f"NOT WHOLE: {len(findings)} findings up to entry {checker.sequence}."
    trust = "" if pinned else " The first key was not compared: give --key."
    return f"WHOLE up to entry {checker.sequence}, {checker.hash}.{trust}"


if __name__ == "__main__":
    sys.exit(main())
