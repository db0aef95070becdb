"""Kinds of message that exist for tests alone. A verdict leaves a Group behind, in the transaction
that records it; its name is unique, so that a second verdict cannot go unnoticed.
"""

from typing import Any

from django.contrib.auth.models import Group

from devices.tests.fake_kra import answer, said
from kra.answers import Reply, read_signature
from kra.client import Answer
from kra.errors import OutcomeUnknown, Rejected
from outbox.handlers import Found, Handler, NumberedHandler
from outbox.models import Transmission

KINDS = {
    "toy": "outbox.tests.toy.Toy",
    "blind": "outbox.tests.toy.Blind",
    "plain": "outbox.tests.toy.Plain",
}


class Verdicts:
    """What all three do when KRA has decided."""

    def accepted(self, row: Transmission, receipt: Any) -> None:
        Group.objects.create(name=f"accepted {row.reference} {receipt}")

    def refused(self, row: Transmission, error: Rejected) -> None:
        Group.objects.create(name=f"refused {row.reference} {error.code}")


class Toy(Verdicts, NumberedHandler):
    """Numbered, and KRA can be asked about it: like a sale."""

    endpoint = "sales_save"
    lookup = "invoice_details"

    def build(self, row: Transmission, number: int | None) -> bytes:
        if row.reference == "unsayable":
            raise ValueError("KRA takes no such number")
        return b'{"number":%d,"content":"%s"}' % (number or 0, bytes(row.content or b""))

    def read(self, reply: Reply) -> str:
        return read_signature(reply.data).signature

    def lookup_body(self, row: Transmission) -> bytes:
        return b'{"number":%d}' % (row.number or 0)

    def found(self, row: Transmission, reply: Reply) -> Found | None:
        if reply.is_empty or reply.data is None:
            return None
        held = reply.data["held"]
        if held is None:
            raise OutcomeUnknown("unreadable_answer", "KRA's record cannot be read.")
        return Found("found", [] if held == row.reference else [f"reference: KRA's {held}"])


class Blind(Verdicts, NumberedHandler):
    """Numbered, without a look-up: like a stock movement."""

    endpoint = "stock_io_save"

    def build(self, row: Transmission, number: int | None) -> bytes:
        return b'{"number":%d}' % (number or 0)


class Plain(Verdicts, Handler):
    """Without a number: like an item. An answer may turn out unreadable."""

    endpoint = "item_save"

    def build(self, row: Transmission, number: int | None) -> bytes:
        return b"{}"

    def read(self, reply: Reply) -> Any:
        if reply.message == "riddle":
            raise OutcomeUnknown("unreadable_answer", "A riddle.")
        return super().read(reply)


def holds(reference: str | None) -> Answer:
    """KRA's answer to a look-up: the document it holds; None: one that cannot be read."""
    return said("000", "found", {"held": reference})


NOT_HELD = said("001", "There is no search result")
PAGE = answer("<html>Bad gateway</html>", status=502)


def verdicts() -> list[str]:
    return list(Group.objects.order_by("pk").values_list("name", flat=True))
