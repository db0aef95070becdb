"""Approval and initialisation of control units."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from simulator import clock
from simulator.answers import Answer, Coded
from simulator.calls import Call
from simulator.checks import check_body
from simulator.options import Options
from simulator.rules.lists import branch_row
from simulator.state import Device, World


class BranchTaken(Exception):
    """The branch already has a device with another serial number."""


@dataclass(slots=True)
class Approval:
    pin: str
    branch: str
    serial: str
    mode: str | None = None
    name: str | None = None
    kind: str = "oscu"


def approve(world: World, options: Options, wanted: Approval) -> tuple[Device, bool]:
    """The device of this branch, and whether it is new. Repeats may change mode and name."""
    known = world.devices.get((wanted.pin, wanted.branch))
    if known is not None:
        if known.serial != wanted.serial:
            raise BranchTaken(known.serial)
        known.mode = wanted.mode or known.mode
        known.name = wanted.name or known.name
        known.kind = wanted.kind
        world.save_device(known)
        return known, False
    device = Device(
        pin=wanted.pin,
        branch=wanted.branch,
        serial=wanted.serial,
        ordinal=len(world.devices) + 1,
        name=wanted.name or f"Taxpayer {wanted.pin}",
        kind=wanted.kind,
        mode=wanted.mode or options.mode,
        cmc_key=_new_key(options.seed, wanted),
        approved_at=clock.stamp(),
    )
    world.save_device(device)
    return world.devices[wanted.pin, wanted.branch], True


def _new_key(seed: int | None, wanted: Approval) -> str:
    """52 upper-case hex digits; the same ones for the same seed."""
    if seed is None:
        return secrets.token_hex(26).upper()
    content = f"{wanted.pin}|{wanted.branch}|{wanted.serial}".encode()
    return hmac.digest(str(seed).encode(), content, hashlib.sha256).hex()[:52].upper()


def init(call: Call) -> Answer:
    check_body(call.body, call.endpoint, strict=call.strict)
    pin, branch, serial = (call.body[name] for name in ("tin", "bhfId", "dvcSrlNo"))
    device = call.world.devices.get((pin, branch))
    if device is None and call.options.approve_any:
        device, _ = approve(call.world, call.options, Approval(pin, branch, serial))
    if device is None or device.serial != serial:
        raise Coded("901")
    if device.kind != "oscu":
        raise Coded("903")
    device.inits += 1
    call.world.save_device(device)
    if device.inits > 1:
        raise Coded("902")
    return Answer(data={"info": _info(device)})


def _info(device: Device) -> dict[str, Any]:
    place = branch_row(device)
    del place["bhfSttsCd"]
    return {
        **place,
        "taxprNm": device.name,
        "bsnsActv": "Retail",
        "bhfOpenDt": "20260101",
        "dvcId": str(450000 + device.ordinal),
        "sdcId": device.control_unit,
        "mrcNo": device.machine,
        "cmcKey": device.cmc_key,
    }
