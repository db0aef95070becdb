"""What KRA publishes: codes, classifications, branches, notices, taxpayers."""

from typing import Any

from simulator import protocol
from simulator.answers import Answer, Coded, listed
from simulator.calls import Call
from simulator.checks import check_fields
from simulator.state import FIRST_DAY, Device, World


def code_list(call: Call) -> Answer:
    check_fields(call.body, call.endpoint.fields, strict=call.strict)
    rows = []
    for table in protocol.code_tables():
        changed = call.world.rates_changed if table["class"] == "04" else FIRST_DAY
        if table["published"] and changed >= call.since:
            rows.append(_code_class(table, call.world))
    return listed("clsList", rows)


def _code_class(table: dict[str, Any], world: World) -> dict[str, Any]:
    rated = table["class"] == "04"
    rows = table["codes"] + table.get("listed_but_refused", [])
    return {
        "cdCls": table["class"],
        "cdClsNm": table["name"],
        "cdClsDesc": None,
        "useYn": "Y",
        "userDfnNm1": "Tax Rate" if rated else None,
        "userDfnNm2": None,
        "userDfnNm3": None,
        "dtlList": [
            {
                "cd": code,
                "cdNm": name,
                "cdDesc": description,
                "useYn": "Y",
                "srtOrd": order,
                "userDfnCd1": f"{world.rates[code].normalize():f}" if rated else None,
                "userDfnCd2": label,
                "userDfnCd3": None,
            }
            for code, name, description, order, label in rows
        ],
    }


def item_class_list(call: Call) -> Answer:
    check_fields(call.body, call.endpoint.fields, strict=call.strict)
    if not call.device.classes_requested:
        call.device.classes_requested = True  # stock movements are refused until now
        call.world.save_device(call.device)
    rows = list(protocol.classifications().values()) if call.since <= FIRST_DAY else []
    return listed("itemClsList", rows)


def branch_list(call: Call) -> Answer:
    check_fields(call.body, call.endpoint.fields, strict=call.strict)
    devices = [
        one
        for one in call.world.devices.values()
        if one.pin == call.pin and one.approved_at >= call.since
    ]
    taken = {one.branch for one in call.world.devices.values() if one.pin == call.pin}
    phantoms = [
        _branch(call.pin, code, name, status="02")
        for code, name in protocol.seeds()["phantom_branches"]
        if code not in taken and call.since <= FIRST_DAY
    ]
    return listed("bhfList", [*map(branch_row, devices), *phantoms])


def branch_row(device: Device) -> dict[str, Any]:
    name = "Headquarter" if device.branch == "00" else f"Branch {device.branch}"
    return _branch(device.pin, device.branch, name, status="01")


def _branch(pin: str, code: str, name: str, *, status: str) -> dict[str, Any]:
    return {
        "tin": pin,
        "bhfId": code,
        "bhfNm": name,
        "bhfSttsCd": status,
        "prvncNm": "NAIROBI CITY",
        "dstrtNm": "WESTLANDS",
        "sctrNm": "WON",
        "locDesc": "Example Road",
        "mgrNm": "Branch Manager",
        "mgrTelNo": "0700000000",
        "mgrEmail": "manager@example.test",
        "hqYn": "Y" if code == "00" else "N",
    }


def notice_list(call: Call) -> Answer:
    check_fields(call.body, call.endpoint.fields, strict=call.strict)
    since = call.since
    return listed(
        "noticeList", [one for one in protocol.seeds()["notices"] if one["regDt"] >= since]
    )


def customer_pin(call: Call) -> Answer:
    check_fields(call.body, call.endpoint.fields, strict=call.strict)
    pin = call.body["custmTin"]
    name = registered_name(call.world, pin)
    if name is None:
        raise Coded("001")
    row = {
        "tin": pin,
        "taxprNm": name,
        "taxprSttsCd": "A",
        "prvncNm": "NAIROBI CITY",
        "dstrtNm": "WESTLANDS",
        "sctrNm": "WON",
        "locDesc": "Example Towers",
    }
    return Answer(data={"custList": [row]})


def registered_name(world: World, pin: str) -> str | None:
    owner = world.taxpayers.get(pin)
    if pin in world.names:
        return world.names[pin]
    if owner is not None and owner.name:
        return owner.name
    return dict(protocol.seeds()["taxpayers"]).get(pin)


def taxpayer_info(call: Call) -> Answer:
    return Answer(data={"info": {"taxprNm": call.owner.name, "vatTyCd": "1"}})
