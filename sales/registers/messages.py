"""Customers, users and insurers in KRA's words. Its field names appear only here.

KRA replaces a record of the same key, so a lost answer needs no look-up: the bytes go again.
"""

from typing import Any

import msgspec
from django.db.models.functions import Coalesce
from django.utils import timezone

from items.messages import OUR_ID, OUR_NAME
from kra.errors import Rejected
from kra.requests import BranchCustomerRequest, BranchInsuranceRequest, BranchUserRequest
from outbox.handlers import Handler
from outbox.models import Transmission
from sales.models.registers import BranchRecord, BranchUser, Customer, Insurance

WHO = {"regrId": OUR_ID, "regrNm": OUR_NAME, "modrId": OUR_ID, "modrNm": OUR_NAME}


class RecordMessage(Handler):
    """The debt's reference is the record's key; its lane's device belongs to the record's branch.

    The message is built at the claim and says what the record says by then.
    """

    model: type[BranchRecord]

    def accepted(self, row: Transmission, receipt: Any) -> None:
        now = timezone.now()
        self.records(row).update(registered_at=Coalesce("registered_at", now), updated_at=now)

    def refused(self, row: Transmission, error: Rejected) -> None:
        self.records(row).update(updated_at=timezone.now())

    def records(self, row: Transmission) -> Any:
        branch_id = row.lane.device.branch_id
        key = {self.model.KEY: row.reference}
        return self.model._default_manager.filter(branch_id=branch_id, **key)

    def identity(self, row: Transmission) -> dict[str, str]:
        device = row.lane.device
        return {"tin": device.company.pin, "bhfId": device.branch.code, **WHO}


class CustomerMessage(RecordMessage):
    endpoint = "branch_customer_save"
    model = Customer

    def build(self, row: Transmission, number: int | None) -> bytes:
        one: Customer = self.records(row).get()
        return BranchCustomerRequest(
            custNo=one.number,
            custTin=one.pin,
            custNm=one.name,
            adrs=one.address or None,
            telNo=one.phone or None,
            email=one.email or None,
            faxNo=one.fax or None,
            useYn=_yes_no(one.is_active),
            remark=one.remark or None,
            **self.identity(row),
        ).encode()


class BranchUserMessage(RecordMessage):
    """The stored bytes hold no password; like the device's key it is put in on the way out."""

    endpoint = "branch_user_save"
    model = BranchUser

    def build(self, row: Transmission, number: int | None) -> bytes:
        one: BranchUser = self.records(row).get()
        return BranchUserRequest(
            userId=one.user_id,
            userNm=one.name,
            pwd="",
            adrs=one.address or None,
            cntc=one.contact or None,
            authCd=one.authority or None,
            remark=one.remark or None,
            useYn=_yes_no(one.is_active),
            **self.identity(row),
        ).encode()

    def outgoing(self, row: Transmission, body: bytes) -> bytes:
        one: BranchUser = self.records(row).get()
        return msgspec.json.encode(msgspec.json.decode(body) | {"pwd": one.password})


class InsuranceMessage(RecordMessage):
    endpoint = "branch_insurance_save"
    model = Insurance

    def build(self, row: Transmission, number: int | None) -> bytes:
        one: Insurance = self.records(row).get()
        return BranchInsuranceRequest(
            isrccCd=one.code,
            isrccNm=one.name,
            isrcRt=one.rate,
            useYn=_yes_no(one.is_active),
            **self.identity(row),
        ).encode()


def _yes_no(flag: bool) -> str:
    return "Y" if flag else "N"
