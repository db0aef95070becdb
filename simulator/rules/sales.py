"""saveTrnsSalesOsdc: a sale or a credit note is checked, numbered and signed."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from simulator import checks, signing
from simulator.answers import Answer, Coded, Refused
from simulator.calls import Call
from simulator.protocol import codes
from simulator.rules import amounts
from simulator.rules.dates import refuse_future
from simulator.state import Taxpayer

DATES = ("cfmDt", "salesDt", "stockRlsDt", "rfdDt")
SERVICE = "3"


def save(call: Call) -> Answer:
    strict = call.strict
    # SPEC demands trdInvcNo; the gateway takes messages without it.
    checks.check_body(call.body, call.endpoint, strict=strict, waived=("trdInvcNo",) * strict)
    if call.body["rcptTyCd"] not in codes("37"):
        raise Coded("913", "Code value error among request parameters[<rcptTyCd>]")
    if strict:
        check_sequence(call.body["invcNo"], call.device.last_invoice + 1)
        check_goods(call)
        check_amounts(call)
        check_credit_note(call)
    elif call.body["invcNo"] in call.device.invoices:
        raise Coded("994")
    return accept(call)


def check_sequence(found: int, expected: int) -> None:
    if found > expected:
        raise Refused(f"Invalid invcNo sequence, expected: {expected} but found: {found}")
    if found < expected:
        raise Refused(f"Invc No: {found} is invalid, use the expected value: {expected}")


def check_goods(call: Call) -> None:
    """Items exist; goods of a sale are in stock. A credit note needs no stock."""
    lines = call.body["itemList"]
    items = known_items(call.owner, lines)
    if call.body["rcptTyCd"] != "S":
        return
    wanted: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        if items[line["itemCd"]]["body"]["itemTyCd"] != SERVICE:
            wanted[line["itemCd"]] += line["qty"]
    check_stock(call, wanted)


def known_items(owner: Taxpayer, lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    items = owner.items
    if any(line["itemCd"] not in items for line in lines):
        raise Refused("Items provided under the itemList section do not exist in your stock")
    return items


def check_stock(call: Call, wanted: dict[str, Decimal]) -> None:
    for code, quantity in wanted.items():
        if call.device.stock.get(code, 0) < quantity:
            raise Refused("You dont have sufficient stock for this Transaction")


def check_amounts(call: Call) -> None:
    body, lines, rates = call.body, call.body["itemList"], call.world.rates
    refuse_future(call, DATES)
    for line in lines:
        if line["pkg"] != 1:
            raise Refused(
                f"Invalid pkg for ItemList {line['itemSeq']}. Expected: 1, Found: {line['pkg']}"
            )
        amounts.check_line(line, rates)
    amounts.check_rates(body, rates)
    amounts.check_letters(body, lines)
    amounts.check_totals(body, lines)


def check_credit_note(call: Call) -> None:
    body = call.body
    if body["rcptTyCd"] != "R":
        return
    original = call.device.invoices.get(body["orgInvcNo"])
    if original is None or original.kind != "S":
        raise Refused("orgInvcNo does not exist")
    if not body.get("rfdDt"):
        raise Refused("Missing RfdDt Date")
    if body.get("rfdRsnCd") not in codes("32"):
        raise Refused("Invalid RfdRsnCd")
    # A sale that was sent without a name can never be credited.
    if not original.buyer_name or body.get("custNm") != original.buyer_name:
        raise Refused("custNm does not match the original invoice")
    if (body.get("custTin") or None) != (original.buyer_pin or None):
        raise Refused("custTin does not match the original invoice")


def accept(call: Call) -> Answer:
    device, body = call.device, call.body
    internal, signature = signing.sign(
        pin=call.pin,
        branch=call.branch,
        number=body["invcNo"],
        total=Decimal(body["totAmt"]),
        tax=Decimal(body["totTaxAmt"]),
    )
    receipt = {
        "curRcptNo": device.receipts[body["rcptTyCd"]] + 1,
        "totRcptNo": sum(device.receipts.values()) + 1,
        "intrlData": internal,
        "rcptSign": signature,
        "sdcDateTime": call.stamp,
    }
    document = {"body": call.content(), "receipt": receipt, "at": call.stamp}
    call.record("invoice", str(body["invcNo"]), document)
    return Answer(data=receipt)
