from core.errors import Conflict, Invalid


class PurchaseInvalid(Invalid):
    """Some lines of the request do not fit the offered invoice."""


class NotConfirmable(Conflict):
    code = "not_confirmable"
    help = "GET /api/purchases/{id}/ shows its state and the next step."


class AlreadyConfirmed(NotConfirmable):
    code = "already_confirmed"
    help = (
        "KRA takes one confirmation of an invoice, in full or in part; what was left out cannot "
        "follow. GET /api/purchases/{id}/ shows what KRA was told."
    )


class NotMatchable(Conflict):
    code = "not_matchable"
    help = "Only an invoice that waits for an answer, or that KRA refused, can be matched."


class NotRejectable(Conflict):
    code = "not_rejectable"
    help = "An invoice that KRA has, or may have, as confirmed is not left unconfirmed any more."


class NotReopenable(Conflict):
    code = "not_reopenable"
    help = "Only a rejected invoice can be opened again."
