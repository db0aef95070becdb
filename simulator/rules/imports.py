"""Customs lines of a taxpayer. Three are seeded when they are first asked for."""

from typing import Any

from simulator import checks
from simulator.answers import Answer, Coded, Refused, listed
from simulator.calls import Call
from simulator.protocol import classifications, codes, seeds


def search(call: Call) -> Answer:
    checks.check_fields(call.body, call.endpoint.fields, strict=call.strict)
    if not call.owner.imports:
        for line in seeds()["imports"]:
            call.world.record("import", call.pin, "", _key(line), {"line": line, "at": call.stamp})
    since = call.since
    found = [one["line"] for one in call.owner.imports.values() if one["at"] >= since]
    return listed("itemList", found)


def _key(line: dict[str, Any]) -> str:
    return f"{line['taskCd']} {line['dclDe']} {line['itemSeq']}"


def update(call: Call) -> Answer:
    body = call.body
    checks.check_body(body, call.endpoint, strict=call.strict)
    known = call.owner.imports.get(_key(body))
    if known is None or known["line"]["hsCd"] != body["hsCd"]:
        raise Coded("001")
    if call.strict:
        _check(call)
    line = {**known["line"], "imptItemsttsCd": body["imptItemSttsCd"]}
    document = {"line": line, "at": call.stamp, "update": call.content()}
    call.world.record("import", call.pin, "", _key(body), document)
    return Answer()


def _check(call: Call) -> None:
    body = call.body
    if not body.get("remark"):
        raise Coded("999")  # what the live host makes of a null remark
    if body["imptItemSttsCd"] not in codes("26"):
        raise Coded("913", "Code value error among request parameters[<imptItemSttsCd>]")
    if body["itemClsCd"] not in classifications():
        raise Refused("Ensure you use a valid item classification code")
    if body["itemCd"] not in call.owner.items:
        raise Refused("Items provided under the itemList section do not exist in your stock")
