"""The item catalogue of a taxpayer."""

from typing import Any

from simulator import checks
from simulator.answers import Answer, Coded, Refused, listed
from simulator.calls import Call
from simulator.protocol import classifications, codes
from simulator.rules.sales import SERVICE
from simulator.state import Document

_PRICES = ("grpPrcL1", "grpPrcL2", "grpPrcL3", "grpPrcL4", "grpPrcL5", "sftyQty")


def save(call: Call) -> Answer:
    body = call.body
    if call.strict and body.get("orgnNatCd") is None:
        raise Refused("orgnNatCd cannot be null")
    checks.check_body(body, call.endpoint, strict=call.strict)
    known = call.owner.items.get(body["itemCd"])
    if call.strict:
        _check_codes(body)
        _check_slices(body)
        if known is None:
            _check_running(body["itemCd"], call.owner.last_item + 1)
    document = {
        "body": call.content(),
        "running": _running(body["itemCd"]),
        "branch": known["branch"] if known else call.branch,
        "at": call.stamp,
    }
    call.world.record("item", call.pin, "", body["itemCd"], document)
    return Answer()


def _check_codes(body: dict[str, Any]) -> None:
    if body["pkgUnitCd"] not in codes("17"):
        allowed = ", ".join(sorted(codes("17")))
        raise Refused(f"Package unit code can ony be among the following list [{allowed}]")
    if body["qtyUnitCd"] not in codes("10"):
        raise Refused("Incorrect QtyUnitCd Prefix")
    if body["itemClsCd"] not in classifications():
        raise Refused("Ensure you use a valid item classification code")
    for name, table in (("orgnNatCd", "05"), ("itemTyCd", "24"), ("taxTyCd", "04")):
        if body[name] not in codes(table):
            raise Coded("913", f"Code value error among request parameters[<{name}>]")


def _check_slices(body: dict[str, Any]) -> None:
    """Country, type, package and unit inside the code are the flat fields, two letters each."""
    code = body["itemCd"]
    if (code[2:3] == SERVICE) != (body["itemTyCd"] == SERVICE):
        raise Refused("You cannot create an service using an item")
    slices = (
        ("OrgnNatCd", code[:2], body["orgnNatCd"]),
        ("ItemTyCd", code[2:3], body["itemTyCd"]),
        ("PkgUnitCd", code[3:5], body["pkgUnitCd"]),
        ("QtyUnitCd", code[5:7], body["qtyUnitCd"]),
    )
    for name, found, expected in slices:
        if found != expected:
            raise Refused(f"The ItemCd isn't made up of correct {name}")


def _check_running(code: str, expected: int) -> None:
    digits = code[7:]
    if not digits.isdecimal() or int(digits) != expected:
        raise Refused(f"Invalid itemCd Sequence. Expected sequence ending with: ********{expected}")


def _running(code: str) -> int:
    digits = code[7:]
    return int(digits) if digits.isdecimal() and digits.isascii() else 0


def search(call: Call) -> Answer:
    checks.check_fields(call.body, call.endpoint.fields, strict=call.strict)
    since = call.since
    rows = [_as_listed(one) for one in call.owner.items.values() if one["at"] >= since]
    return listed("itemList", rows)


def _as_listed(item: Document) -> Document:
    hidden = ("bhfId", "regrId", "regrNm", "modrId", "modrNm")
    row = {name: value for name, value in item["body"].items() if name not in hidden}
    for name in _PRICES:
        row[name] = row.get(name) or 0
    return {**row, "regBhfId": item["branch"], "rraModYn": "N"}


def save_composition(call: Call) -> Answer:
    checks.check_body(call.body, call.endpoint, strict=call.strict)
    parent, component = call.body["itemCd"], call.body["cpstItemCd"]
    if call.strict:
        items = call.owner.items
        if parent not in items or items[parent]["body"]["itemTyCd"] == SERVICE:
            raise Refused("Items provided under the itemList section do not exist in your stock")
        if component not in items or call.device.stock.get(component, 0) <= 0:
            raise Refused(f"Item {component} (itemSeq 1) does not exist in your stock master")
    document = call.content()
    call.world.record("composition", call.pin, "", f"{parent} {component}", document)
    return Answer()
