"""Supplier invoices offered to a taxpayer, and their confirmation."""

from typing import Any

from simulator import checks
from simulator.answers import Answer, Coded, Refused, listed
from simulator.calls import Call
from simulator.protocol import seeds
from simulator.rules import amounts
from simulator.rules.dates import refuse_future
from simulator.rules.invoices import as_answered
from simulator.rules.sales import check_sequence
from simulator.state import Device, Document, Invoice

_NOT_OFFERED = {
    "invcNo", "orgInvcNo", "custTin", "custNm", "salesSttsCd", "cnclReqDt", "cnclDt", "rfdDt",
    "rfdRsnCd", "prchrAcptcYn", "regrId", "regrNm", "modrId", "modrNm", "receipt",
}  # fmt: skip


def offered(call: Call) -> Answer:
    checks.check_fields(call.body, call.endpoint.fields, strict=call.strict)
    offers = _offers(call)
    since = call.since
    rows = [one["offer"] for one in offers.values() if not one["confirmed"] and one["at"] >= since]
    return listed("saleList", rows)


def _offers(call: Call) -> dict[str, Document]:
    """The offers to this PIN: seeded ones, and what other taxpayers of this simulator sold it."""
    known = call.owner.offers
    for offer in seeds()["offers"]:
        _offer(call, offer, call.stamp)
    for (pin, branch), number in call.owner.bought:
        seller = call.world.devices[pin, branch]
        if _key_of(pin, branch, number) not in known:
            invoice = seller.invoices[number]
            _offer(call, _as_offered(seller, invoice), invoice.signed_at)
    return known


def _offer(call: Call, offer: dict[str, Any], at: str) -> None:
    key = _key(offer)
    if key not in call.owner.offers:
        document = {"offer": offer, "at": at, "confirmed": False}
        call.world.record("offer", call.pin, "", key, document)


def _as_offered(seller: Device, invoice: Invoice) -> dict[str, Any]:
    sold = as_answered(invoice)
    return {
        "spplrTin": seller.pin,
        "spplrNm": seller.name,
        "spplrBhfId": seller.branch,
        "spplrInvcNo": invoice.number,
        "spplrSdcId": seller.control_unit,
        "spplrMrcNo": seller.machine,
        **{name: value for name, value in sold.items() if name not in _NOT_OFFERED},
    }


def _key(message: dict[str, Any]) -> str:
    names = ("spplrTin", "spplrBhfId", "spplrInvcNo")
    return _key_of(*(message.get(name) for name in names))


def _key_of(pin: Any, branch: Any, number: Any) -> str:
    return f"{pin} {branch} {number}"


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
