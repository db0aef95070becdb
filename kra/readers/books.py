"""What KRA's own books hold of a device: read row by row, an odd row must not hide the others."""

from collections.abc import Iterator
from typing import Any

from kra.readers.members import Members, unreadable
from kra.records import ListedInvoice

# Table 11: cancellation requested, cancelled (rule C7; nobody has seen them used).
_CANCELLED = ("03", "04")


def read_listed_invoices(data: dict[str, Any] | None) -> Iterator[ListedInvoice | None]:
    """In no order. None stands for a row that cannot be read.

    Raises OutcomeUnknown("unreadable_answer") when the answer holds no list at all.
    """
    members = Members(data)
    if data is not None and "salesList" not in members:
        raise unreadable("KRA's list of sales is missing in its answer.")
    for row in members.rows("salesList"):
        try:
            yield _listed(row)
        except ValueError:
            yield None


def _listed(row: Members) -> ListedInvoice:
    kind = row.text("rcptTyCd")
    if kind not in ("S", "R"):
        raise ValueError(f"rcptTyCd is {kind[:20]!r}")
    # Amounts of credit notes are positive (rule C1); books that write them with a minus agree too.
    sign = -1 if kind == "R" and row.money("totAmt") < 0 else 1
    return ListedInvoice(
        number=row.count("invcNo"),
        kind="S" if kind == "S" else "R",
        date=row.day("salesDt"),
        total=sign * row.money("totAmt"),
        tax=sign * row.money("totTaxAmt"),
        signature=row.object("receipt").text("rcptSign"),
        is_cancelled=row.text("salesSttsCd") in _CANCELLED or row.text("cnclDt") != "",
    )
