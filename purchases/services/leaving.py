"""The ways around a confirmation: leave it, take it up again, try now instead of later."""

from django.db import transaction
from django.utils import timezone

from outbox.services import cancel, retry_now
from purchases.errors import NotConfirmable, NotRejectable, NotReopenable
from purchases.messages import forget_amounts
from purchases.models import Purchase, State

from .matching import OPEN, lines_of, lock, state_by_lines


@transaction.atomic
def reject(purchase_id: int, *, reason: str) -> None:
    """Leave an invoice unconfirmed. KRA has no word for it, so KRA is told nothing (rule P1).

    A confirmation that surely never left us is taken back. Raises NotRejectable, NotCancellable.
    """
    purchase = Purchase.objects.select_related("transmission").get(pk=purchase_id)
    states = [*OPEN]
    if purchase.state == State.CONFIRMING and purchase.transmission is not None:
        # The lane before the invoice, as the delivery takes them.
        cancel(purchase.transmission)
        forget_amounts(purchase)
        states = [State.CONFIRMING]
    left = Purchase.objects.filter(pk=purchase_id, state__in=states)
    now = timezone.now()
    if not left.update(state=State.REJECTED, state_reason=reason, updated_at=now):
        raise NotRejectable(f"The invoice is {purchase.state}.")


@transaction.atomic
def reopen(purchase_id: int) -> None:
    """Take a rejected invoice up again. Raises NotReopenable."""
    purchase = lock(purchase_id)
    if purchase.state != State.REJECTED:
        raise NotReopenable(f"The invoice is {purchase.state}.")
    purchase.state, purchase.state_reason = state_by_lines(lines_of(purchase)), ""
    purchase.updated_at = timezone.now()
    purchase.save(update_fields=["state", "state_reason", "updated_at"])


def retry(purchase: Purchase) -> None:
    """Bring the next attempt forward. Raises NotConfirmable, outbox.errors.NotRetryable."""
    if purchase.state != State.CONFIRMING or purchase.transmission is None:
        raise NotConfirmable(f"The invoice is {purchase.state}; nothing waits to be sent.")
    retry_now(purchase.transmission)
