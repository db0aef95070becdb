from core.errors import Conflict, DomainError, Invalid


class SaleInvalid(Invalid):
    """The sale's content is wrong; every problem is listed, nothing was stored."""

    help = "Correct each field. POST /api/sales/preview/ checks a sale without storing it."


class ReferenceReused(Conflict):
    code = "reference_reused"
    help = "See what is stored under it before anything is sent under another reference."


class NotReady(Conflict):
    """The device or an item cannot be used for sales yet."""

    code = "not_ready"


class NotCorrectable(Conflict):
    code = "not_correctable"
    help = "Only a refused sale is corrected. A signed one is undone with a credit note."


class NotVoidable(Conflict):
    code = "not_voidable"
    help = "KRA has it or may have it. Once it is signed, issue a credit note."


class NotCreditable(Conflict):
    code = "not_creditable"
    help = "Only what KRA has signed is credited; GET /api/invoices/?reference= shows its state."


class NotSigned(Conflict):
    code = "not_signed"
    help = "There is no fiscal receipt before KRA has signed. Give the buyer the promise link."


class DayClosed(Conflict):
    """The device has a Z of this day; a day is closed once."""

    code = "day_closed"
    help = "Read the Z that is named. What is sold or signed from now on goes into the next one."


class EarlierDayOpen(Conflict):
    code = "earlier_day_open"
    help = "Z reports go in order. Close the day that is named first."


class ZBusy(Conflict):
    code = "z_busy"
    help = "Other requests were closing the same device. Read its list of Z reports, then decide."


class UnknownFormat(DomainError):
    """None of the formats that the request accepts can be written."""

    status = 406
    code = "not_acceptable"
    help = "Name one of the listed formats in ?format= or in Accept."


class ReportDamaged(Conflict):
    """Somebody went round the trigger that guards a Z."""

    code = "report_damaged"
    help = "Restore the row from a backup, and find out who changed the database."
