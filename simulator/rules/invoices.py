"""Stored invoices read back, in the other date formats KRA answers with."""

from typing import Any

from simulator import clock, wire
from simulator.answers import Answer, Coded, listed
from simulator.calls import Call
from simulator.checks import check_fields
from simulator.state import Document, Invoice

_NOT_ANSWERED = {"tin", "bhfId", "trdInvcNo", "salesTyCd", "receipt", "itemList"}
_INSTANTS = ("cfmDt", "stockRlsDt", "cnclReqDt", "cnclDt", "rfdDt")


def details(call: Call) -> Answer:
    check_fields(call.body, call.endpoint.fields, strict=call.strict)
    found = call.device.invoices.get(call.body["invcNo"])
    if found is None:
        raise Coded("001")
    return Answer(data={"salesList": [as_answered(found)]})


def search(call: Call) -> Answer:
    check_fields(call.body, call.endpoint.fields, strict=call.strict)
    since = call.since
    found = [one for one in call.device.invoices.values() if one.signed_at >= since]
    return listed("salesList", [as_answered(one) for one in found])


def as_answered(invoice: Invoice) -> dict[str, Any]:
    document: Document = wire.decode(invoice.document)
    body = document["body"]
    answer = {name: value for name, value in body.items() if name not in _NOT_ANSWERED}
    for name in _INSTANTS:
        answer[name] = clock.spaced(body.get(name))
    answer["modrId"] = answer["modrNm"] = None
    answer["receipt"] = _receipt(body["receipt"], document["receipt"])
    answer["itemList"] = body["itemList"]
    return answer


def _receipt(sent: Document, signed: Document) -> Document:
    return {
        **sent,
        "rcptPbctDt": _with_fraction(sent.get("rcptPbctDt")),
        "intrlData": signed["intrlData"],
        "rcptSign": signed["rcptSign"],
        "curRcptNo": str(signed["curRcptNo"]),
        "totRcptNo": str(signed["totRcptNo"]),
        "sdcDateTime": _with_fraction(signed["sdcDateTime"]),
    }


def _with_fraction(text: str | None) -> str | None:
    return f"{clock.spaced(text)}.0" if text else text
