from core.errors import Conflict, Invalid


class SaleInvalid(Invalid):
    """The sale's content is wrong; every problem is listed, nothing was stored."""

    help = "Correct each field. POST /api/sales/preview/ checks a sale without storing it."


class ReferenceReused(Conflict):
    code = "reference_reused"
    help = "Give each sale a reference of its own; to repeat a request send the same content."


class NotReady(Conflict):
    """The device or an item cannot be used for sales yet."""

    code = "not_ready"


class NotCorrectable(Conflict):
    code = "not_correctable"
    help = "Only a refused sale is corrected. A signed one is undone with a credit note."


class NotVoidable(Conflict):
    code = "not_voidable"
    help = "It may have reached KRA. Wait until it is signed, then issue a credit note."


class NotCreditable(Conflict):
    code = "not_creditable"
    help = "A credit note needs a signed sale; wait until the original is signed."


class NotSigned(Conflict):
    code = "not_signed"
    help = "There is no fiscal receipt before KRA has signed. Give the buyer the promise link."
