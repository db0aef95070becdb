"""What became of one invoice, in lines for a terminal."""

from collections.abc import Iterator

from kra.times import NAIROBI
from sales.models import Invoice
from sales.outputs import CallOutput, InvoiceOutput, invoice_detail

CLOCK = "%d/%m/%Y %H:%M:%S"
WAITING = ("queued", "sending", "unknown")


def history_of(invoice: Invoice) -> list[str]:
    output = invoice_detail(invoice)
    head = f"{output.kind} {output.reference} (id {output.id}): {output.status}"
    return [
        head,
        f"  device {output.device}, branch {output.branch}, KES {output.total}, "
        f"sold {output.sold_at.astimezone(NAIROBI):{CLOCK}}",
        *_receipt(output),
        *_trouble(output, invoice),
        f"  attempts: {output.attempts}",
        *(f"  {_call(call)}" for call in output.calls or []),
    ]


def _receipt(output: InvoiceOutput) -> Iterator[str]:
    if output.receipt is not None:
        yield f"  CU invoice number {output.receipt.cu_invoice_number}, {output.receipt.qr_url}"


def _trouble(output: InvoiceOutput, invoice: Invoice) -> Iterator[str]:
    if output.trouble is not None:
        yield f"  KRA: {output.trouble.code} {output.trouble.message}".rstrip()
        yield f"  cause: {output.trouble.cause}"
    if output.next_attempt_at is not None and output.attempts:
        yield f"  next attempt: {output.next_attempt_at.astimezone(NAIROBI):{CLOCK}}"
    if output.blocked_by:
        yield f"  held up by: {output.blocked_by} (manage.py invoice {output.blocked_by})"
    step = next_step_of(output)
    if step:
        yield f"  next: {step}"
    if invoice.state_reason:
        yield f"  reason given: {invoice.state_reason}"


def next_step_of(output: InvoiceOutput) -> str:
    name = output.reference
    if output.status in WAITING:
        return f"wait, or manage.py retry {name} --wait 10; manage.py lane {output.device}."
    if output.status == "conflict":
        return f"compare with KRA's portal; manage.py resync_counter {output.device} --to N."
    if output.status == "refused" and output.trouble is not None:
        return f"{output.trouble.next_step} To give it up: manage.py void {name} --reason TEXT."
    return ""


def _call(call: CallOutput) -> str:
    took = "no answer recorded" if call.elapsed_ms is None else f"{call.elapsed_ms} ms"
    words = [call.outcome, call.code, call.reason]
    return (
        f"{call.started_at.astimezone(NAIROBI):{CLOCK}} {call.endpoint}: "
        f"{' '.join(word for word in words if word)} ({took})"
    )
