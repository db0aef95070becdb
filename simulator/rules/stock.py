"""Stock movements, the quantity on hand, and transfers between branches."""

from collections import defaultdict
from decimal import Decimal

from simulator import checks
from simulator.answers import Answer, Coded, Refused, listed
from simulator.calls import Call
from simulator.protocol import codes
from simulator.rules import amounts
from simulator.rules.dates import refuse_future
from simulator.rules.sales import check_stock, known_items
from simulator.state import Document


def save_movement(call: Call) -> Answer:
    if call.strict:
        _check_head(call)
    checks.check_body(call.body, call.endpoint, strict=call.strict)
    if call.body["sarTyCd"] not in codes("12"):
        raise Coded("913", "Code value error among request parameters[<sarTyCd>]")
    if call.strict:
        _check_movement(call)
    elif call.body["sarNo"] in call.device.movements:
        raise Coded("994")
    document = {"body": call.content(), "at": call.stamp}
    call.record("movement", str(call.body["sarNo"]), document)
    return Answer()


def _check_head(call: Call) -> None:
    if call.body.get("regTyCd") is None:
        raise Refused("regTyCd cannot be null")
    if "orgSarNo" in call.body and call.body["orgSarNo"] is None:
        raise Coded("999")  # null crashed the live host


def _check_movement(call: Call) -> None:
    body, lines = call.body, call.body["itemList"]
    expected = call.device.last_movement + 1
    if body["sarNo"] != expected:
        raise Refused(f"Invalid sarNo: Expected: {expected} but found: {body['sarNo']}")
    if not call.device.classes_requested:
        raise Refused("Make 'Get Item Classification List' request before performing StockIo")
    for position, line in enumerate(lines, 1):
        for name in ("itemCd", "totAmt"):  # a total of 0 is read as absent
            if not line.get(name):
                raise checks.absent_on_line(name, line.get("itemSeq") or position)
    known_items(call.owner, lines)
    _check_outgoing(call)
    refuse_future(call, ("ocrnDt",))
    for line in lines:
        amounts.check_line(line, call.world.rates, discount="totDcAmt")
    amounts.check_totals(body, lines)


def _check_outgoing(call: Call) -> None:
    if call.body["sarTyCd"] < "10":
        return
    wanted: dict[str, Decimal] = defaultdict(Decimal)
    for line in call.body["itemList"]:
        wanted[line["itemCd"]] += line["qty"]
    check_stock(call, wanted)


def save_master(call: Call) -> Answer:
    checks.check_body(call.body, call.endpoint, strict=call.strict)
    code, quantity = call.body["itemCd"], call.body["rsdQty"]
    if call.strict:
        if not call.device.movements:
            raise Refused("Stock IO is empty, consider adding items to the stock IO first")
        expected = call.device.stock.get(code, Decimal(0))
        if quantity != expected:
            # This refusal alone arrived with HTTP 200.
            raise Refused(
                f"rsdQty mismatch. Expected: {float(expected)} but found: {quantity}", 200
            )
    call.record("reported", code, call.content())
    return Answer()


def transfers(call: Call) -> Answer:
    """Goods that another branch of the taxpayer sent here with type 13."""
    checks.check_fields(call.body, call.endpoint.fields, strict=call.strict)
    rows = [
        _as_listed(one, call.pin)
        for one in call.owner.transfers
        if one["body"].get("custBhfId") == call.branch
        and one["from"] != call.branch
        and one["at"] >= call.since
    ]
    return listed("stockList", rows)


def _as_listed(transfer: Document, pin: str) -> Document:
    body = transfer["body"]
    head = ("custBhfId", "sarNo", "ocrnDt", "totItemCnt", "totTaxblAmt", "totTaxAmt", "totAmt")
    row = {"custTin": body.get("custTin") or pin}
    row.update({name: body[name] for name in head})
    return {**row, "remark": body.get("remark"), "itemList": body["itemList"]}
