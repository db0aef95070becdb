"""What KRA's answer means: a Reply, or the KRAError that says what to do next."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kra import codes, envelope, times
from kra.client import Answer
from kra.codes import Verdict
from kra.envelope import Envelope
from kra.errors import KRAError, OutcomeUnknown, Unavailable
from kra.profiles import ENDPOINTS, Endpoint
from kra.readers import (
    read_branches,
    read_classifications,
    read_code_classes,
    read_customer,
    read_device,
    read_imports,
    read_invoice,
    read_items,
    read_notices,
    read_signature,
    read_supplier_invoices,
    read_taxpayer,
)
from kra.records import (
    BranchInfo,
    Classification,
    CodeClass,
    CodeDetail,
    CustomerInfo,
    DeviceInfo,
    ImportedItem,
    ItemInfo,
    Notice,
    Signature,
    StoredInvoice,
    SupplierInvoice,
    SupplierLine,
    TaxpayerInfo,
)

__all__ = [
    "BranchInfo",
    "Classification",
    "CodeClass",
    "CodeDetail",
    "CustomerInfo",
    "DeviceInfo",
    "ImportedItem",
    "ItemInfo",
    "Notice",
    "Reply",
    "Signature",
    "StoredInvoice",
    "SupplierInvoice",
    "SupplierLine",
    "TaxpayerInfo",
    "read",
    "read_branches",
    "read_classifications",
    "read_code_classes",
    "read_customer",
    "read_device",
    "read_imports",
    "read_invoice",
    "read_items",
    "read_notices",
    "read_signature",
    "read_supplier_invoices",
    "read_taxpayer",
]


_LONGEST_MESSAGE = 1000
# All sales since a day, in one piece. The other lists are short, or needed whole.
_LONG_LISTS = {"sales_list": "salesList"}


@dataclass(frozen=True, slots=True)
class Reply:
    """KRA accepted the call. `result_at` is KRA's clock, in UTC; numbers in `data` are int or
    Decimal. `is_empty`: there is nothing to list (001)."""

    code: str
    message: str
    result_at: datetime | None
    data: dict[str, Any] | None
    is_empty: bool


@dataclass(frozen=True, slots=True)
class _Finding:
    """Why an answer is no Reply."""

    row: codes.Row
    code: str
    message: str = ""
    expected_number: int | None = None


def read(endpoint_id: str, answer: Answer) -> Reply:
    """Raises the KRAError whose class is the next step.

    A sale that comes back as a Reply has a readable signature, an initialisation its key.
    """
    endpoint = ENDPOINTS[endpoint_id]
    try:
        document = envelope.parse(answer.body, long_list=_LONG_LISTS.get(endpoint_id, ""))
        wrapped = envelope.unwrap(document)
    except ValueError:
        raise _error(endpoint, answer, _no_envelope(answer)) from None
    if not wrapped.code:
        raise _error(endpoint, answer, _no_verdict(answer, wrapped))
    verdict = codes.result_code(wrapped.code).verdict(is_fiscal=endpoint.is_fiscal)
    if verdict.error is not None:
        raise _error(endpoint, answer, _refusal(endpoint, wrapped))
    if verdict is Verdict.ACCEPTED:
        _require_data(endpoint, answer, wrapped)
    return Reply(
        code=wrapped.code,
        message=wrapped.message,
        result_at=_moment(wrapped.result_dt),
        data=wrapped.data if isinstance(wrapped.data, dict) else None,
        is_empty=verdict is Verdict.EMPTY,
    )


def _no_envelope(answer: Answer) -> _Finding:
    if answer.status == 401:
        return _condition("token_refused")
    if not 200 <= answer.status < 300:
        # 403 and 404 stop the device: an app without subscription or a wrong path is met by
        # every message, and refusing sale after sale would leave them all to be corrected.
        return _condition(f"http_{answer.status}")
    return _condition("not_json" if answer.body.strip() else "empty_body")


def _no_verdict(answer: Answer, wrapped: Envelope) -> _Finding:
    """The back end said nothing: only the gateway's own word is left."""
    message = wrapped.message
    if envelope.is_token_refusal(answer.status, wrapped):
        return _condition("token_refused", message)
    if (match := codes.match_message(message)) is not None:
        return _Finding(match.row, match.row.code, message, match.expected_number)
    # A gateway that lost its back end may dress the loss as a refusal.
    status = answer.status if answer.status >= 500 else wrapped.status or answer.status
    word = f"http_{status}"
    if wrapped.is_refusal and status < 500 and word not in codes.CONDITIONS:
        return _condition("refused_by_gateway", message)
    if status < 400:
        word = "gateway_fault" if message else "no_result_code"
    return _condition(word, message)


def _refusal(endpoint: Endpoint, wrapped: Envelope) -> _Finding:
    row = codes.result_code(wrapped.code)
    match = codes.match_message(wrapped.message)
    if match is None:
        return _Finding(row, wrapped.code, wrapped.message)
    if match.row.verdict(is_fiscal=endpoint.is_fiscal) in (Verdict.RECONCILE, Verdict.DEVICE):
        row = match.row  # words never soften a code, but they may add a doubt to it
    return _Finding(row, wrapped.code, wrapped.message, match.expected_number)


def _condition(word: str, message: str = "") -> _Finding:
    return _Finding(codes.condition(word), word, message)


def _error(endpoint: Endpoint, answer: Answer, finding: _Finding) -> KRAError:
    row = finding.row
    kind = row.verdict(is_fiscal=endpoint.is_fiscal).error or OutcomeUnknown
    return kind(
        finding.code,
        finding.message[:_LONGEST_MESSAGE] or row.label,
        retry_after=row.retry_after if answer.retry_after is None else answer.retry_after,
        expected_number=finding.expected_number,
        http_status=answer.status,
    )


def _require_data(endpoint: Endpoint, answer: Answer, wrapped: Envelope) -> None:
    """A success code without the data of the call is no success."""
    data = wrapped.data if isinstance(wrapped.data, dict) else None
    try:
        if endpoint.id == "sales_save":
            read_signature(data)
        elif endpoint.id == "init":
            read_device(data)
    except OutcomeUnknown as exc:
        raise OutcomeUnknown(exc.code, exc.message, http_status=answer.status) from exc
    if endpoint.kind == "read" and data is None:
        raise Unavailable(
            "incomplete_answer", "KRA said yes and sent no data.", http_status=answer.status
        )


def _moment(text: str) -> datetime | None:
    try:
        return times.parse_instant(text)
    except ValueError:
        return None
