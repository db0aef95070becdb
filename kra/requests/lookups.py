"""Opening a device and asking KRA."""

from kra.requests.base import Message

EVERYTHING = "20180101000000"  # older than any record at KRA (rule D4)


class InitRequest(Message, frozen=True, kw_only=True):
    dvcSrlNo: str


class ListRequest(Message, frozen=True, kw_only=True):
    lastReqDt: str


class CustomerPinRequest(Message, frozen=True, kw_only=True):
    custmTin: str  # with an m here, custTin everywhere else


class TaxpayerInfoRequest(Message, frozen=True, kw_only=True):
    pass


class InvoiceDetailsRequest(Message, frozen=True, kw_only=True):
    invcNo: int
