"""What every case needs: who is certified, how long it may take, and what KRA answered so far."""

import time
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet

from companies.models import Branch, Company
from core.errors import Conflict
from devices.calls import exchange
from devices.models import Call, Device
from items.models import Item
from kra.answers import Reply
from kra.codes import explain
from kra.requests import EVERYTHING, ListRequest, Message
from outbox.models import Status, Transmission
from outbox.services import lane_id_of, retry_now
from outbox.waiting import wait_for
from sales.models import Invoice

from .state import RunState

GOOD = (Call.Outcome.ACCEPTED, Call.Outcome.EMPTY)


class CaseFailed(Conflict):
    """KRA did not accept what the case sent, or answered something else than was sent."""

    def __init__(self, code: str, message: str, next_step: str = "") -> None:
        meaning = explain(code, message)
        super().__init__(f"{code} {message}".strip(), help=next_step or meaning.next_step)
        self.code = code


@dataclass(frozen=True, slots=True)
class Buyer:
    """On the invoice, and saved as the branch's customer. Without a PIN: a walk-in."""

    pin: str = ""
    name: str = ""


@dataclass(slots=True)
class Context:
    state: RunState
    company: Company
    branch: Branch
    buyer: Buyer
    # The most that a case waits for KRA, in seconds.
    patience: float
    # The last call before the case that runs now.
    after_call: int = 0

    @property
    def device(self) -> Device:
        devices = Device.objects.select_related("company", "branch")
        return devices.get(company=self.company, serial=self.state.serial)

    def seconds(self) -> float:
        return min(self.patience, self.state.remaining / timedelta(seconds=1))

    def calls(self, endpoint: str = "") -> QuerySet[Call]:
        """Calls to KRA since the case started, oldest first."""
        calls = Call.objects.filter(company=self.company, pk__gt=self.after_call).order_by("pk")
        return calls.filter(endpoint=endpoint) if endpoint else calls

    def has_answer(self, endpoint: str) -> bool:
        """KRA has sent rows, not only "nothing to list"."""
        return self.calls(endpoint).filter(outcome=Call.Outcome.ACCEPTED).exists()

    def ask(self, endpoint: str, message: Message) -> Reply:
        """One call outside the outbox. Raises KRAError."""
        reference = self.reference("TST")
        return exchange(self.device, endpoint, message.encode(), reference=reference)

    def ask_for_all(self, endpoint: str) -> Reply:
        return self.ask(endpoint, ListRequest(**self.identity, lastReqDt=EVERYTHING))

    @property
    def identity(self) -> dict[str, str]:
        return {"tin": self.company.pin, "bhfId": self.branch.code}

    def reference(self, kind: str) -> str:
        """The same at every start of the run, so that the services recognise a repeat."""
        return f"{kind}-{self.state.stamp}"

    def item(self, sku: str) -> Item:
        items = Item.objects.select_related("transmission", "company")
        return items.get(company=self.company, sku=self.reference(sku))

    def invoice(self, kind: str) -> Invoice | None:
        mine = Invoice.objects.whole().filter(branch=self.branch, is_current=True)
        return mine.filter(reference=self.reference(kind)).first()

    def deliver(self, row: Transmission) -> None:
        """Bring one message to KRA. Raises CaseFailed with KRA's words when it is not accepted."""
        row.refresh_from_db(fields=["status", "attempts"])
        if row.status in (Status.QUEUED, Status.UNKNOWN) and row.attempts:
            retry_now(row)
        if not row.is_settled:
            row = wait_for(row, self.seconds())
        if row.status != Status.ACCEPTED:
            raise CaseFailed(row.error_code or row.status, row.error_message)

    def deliver_lane(self, stream: str) -> None:
        """Bring all that a lane holds to KRA, as long as the case may take."""
        lane_id, until = lane_id_of(self.device.pk, stream), time.monotonic() + self.seconds()
        while (left := until - time.monotonic()) > 0:
            row = Transmission.objects.filter(lane=lane_id).open().in_order().first()
            if row is None:
                return
            if not wait_for(row, left).is_settled:
                raise CaseFailed(row.error_code or row.status, row.error_message)
