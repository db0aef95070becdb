"""Supplier invoices offered to a taxpayer, and their confirmation."""

from typing import Any

from simulator import checks
from simulator.answers import Answer, Coded, Refused, listed
from simulator.calls import Call
from simulator.protocol import seeds
from simulator.rules import amounts
from simulator.rules.dates import refuse_future
from simulator.rules.sales import check_sequence
from simulator.state import Document


def offered(call: Call) -> Answer:
    checks.check_fields(call.body, call.endpoint.fields, strict=call.strict)
    offers = _offers(call)
    since = call.since
    rows = [one["offer"] for one in offers.values() if not one["confirmed"] and one["at"] >= since]
    return listed("saleList", rows)


def _offers(call: Call) -> dict[str, Document]:
    """The offers to this PIN; the first look seeds them."""
    if not call.owner.offers:
        for offer in seeds()["offers"]:
            document = {"offer": offer, "at": call.stamp, "confirmed": False}
            call.world.record("offer", call.pin, "", _key(offer), document)
    return call.owner.offers


def _key(message: dict[str, Any]) -> str:
    return f"{message.get('spplrTin')} {message.get('spplrBhfId')} {message.get('spplrInvcNo')}"


def save(call: Call) -> Answer:
    body, device = call.body, call.device
    checks.check_body(body, call.endpoint, strict=call.strict)
    if call.strict:
        check_sequence(body["invcNo"], device.last_purchase + 1)
        _check_supplier(call)
        _check_amounts(call)
    elif body["invcNo"] in device.purchases:
        raise Coded("994")
    call.record("purchase", str(body["invcNo"]), {"body": call.content(), "at": call.stamp})
    offer = call.owner.offers.get(_key(body))
    if offer is not None:
        call.world.record("offer", call.pin, "", _key(body), {**offer, "confirmed": True})
    return Answer()


def _check_supplier(call: Call) -> None:
    body = call.body
    for line in body["itemList"]:
        if line.get("itemCd") not in call.owner.items:
            raise Refused(
                f"Item {line.get('itemCd')} (itemSeq {line['itemSeq']}) "
                "does not exist in your inventory"
            )
    if body.get("spplrInvcNo") is None:
        return  # a purchase that KRA has not offered
    offer = _offers(call).get(_key(body))
    if offer is None or offer["confirmed"]:
        raise Refused(f"Supplier invoice number {body['spplrInvcNo']} does not exist")
    if body.get("spplrNm") != offer["offer"]["spplrNm"]:
        raise Refused(f"spplrNm {body.get('spplrNm')} does not match the expected value")


def _check_amounts(call: Call) -> None:
    body, lines = call.body, call.body["itemList"]
    refuse_future(call, ("cfmDt", "pchsDt", "wrhsDt"))
    for line in lines:
        amounts.check_line(line, call.world.rates, supply="splyAmnt")
    amounts.check_rates(body, call.world.rates)
    amounts.check_letters(body, lines)
    amounts.check_totals(body, lines)
