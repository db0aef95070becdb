"""Customers, users and insurers that a branch backs up at KRA."""

from simulator import checks
from simulator.answers import Answer, Refused, listed
from simulator.calls import Call


def save_customer(call: Call) -> Answer:
    if call.strict and not call.body.get("custTin"):
        raise Refused("custTin cannot be empty or Null")
    return _save(call, "customer", "custNo")


def save_user(call: Call) -> Answer:
    call.body["pwd"] = "***" if call.body.get("pwd") else None  # nothing here needs it
    return _save(call, "user", "userId")


def save_insurance(call: Call) -> Answer:
    return _save(call, "insurance", "isrccCd")


def _save(call: Call, group: str, key: str) -> Answer:
    checks.check_body(call.body, call.endpoint, strict=call.strict)
    call.record(group, call.body[key], {"body": call.content(), "at": call.stamp})
    return Answer()


def customers(call: Call) -> Answer:
    checks.check_fields(call.body, call.endpoint.fields, strict=call.strict)
    since = call.since
    rows = [
        {name: value for name, value in one["body"].items() if name not in ("tin", "bhfId")}
        for one in call.device.saved.get("customer", {}).values()
        if one["at"] >= since
    ]
    return listed("custList", rows)
