"""Orders for accidents: JSON from the control API, checked, as faults and chaos."""

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from simulator.faults import NAMES, Fault
from simulator.protocol import endpoints

_SCOPE = ("pin", "branch", "endpoint")
_COMMON = {"fault", *_SCOPE, "count", "after", "probability", "seed"}
_NEEDS = {"result_code": "code", "refusal": "message", "outage": "seconds"}
_DISTRIBUTIONS = {
    "fixed": ("ms",),
    "uniform": ("low_ms", "high_ms"),
    "lognormal": ("median_ms",),
}
_STATUSES = (500, 502, 503, 504)


class Bad(Exception):
    """The order cannot be understood; the text says why."""


def fault_settings(body: Mapping[str, Any]) -> dict[str, Any]:
    """What `Faults.add` needs."""
    name = body.get("fault")
    parameters = {key: value for key, value in body.items() if key not in _COMMON}
    _check_name(name)
    check_parameters(str(name), parameters)
    return {
        "name": name,
        "parameters": parameters,
        **scope(body),
        "count": _whole(body, "count", 1) if body.get("count", 1) is not None else None,
        "after": _whole(body, "after", 0),
        "probability": _probability(body.get("probability", 1)),
        "seed": body.get("seed", 0),
    }


def scope(body: Mapping[str, Any]) -> dict[str, Any]:
    wanted = body.get("endpoint", "*")
    names = wanted if isinstance(wanted, list) else [wanted]
    for name in names:
        if name not in ("*", "token") and name not in endpoints():
            raise Bad(f"No endpoint {name!r}. Known: {', '.join(endpoints())}, token, *.")
    return {
        "pin": body.get("pin"),
        "branch": body.get("branch"),
        "endpoints": None if "*" in names else frozenset(names),
    }


def chaos_probabilities(body: Mapping[str, Any]) -> dict[str, Any]:
    """Fault name -> probability, or an object with `p` and the parameters of the fault."""
    found = body.get("probabilities")
    if not isinstance(found, dict) or not found:
        raise Bad('probabilities must be an object, such as {"lost_after": 0.1}.')
    checked, total = {}, 0.0
    for name, given in found.items():
        _check_name(name)
        parameters = (
            dict(given) if isinstance(given, dict) else {"p": given, **_DEFAULTS.get(name, {})}
        )
        parameters["p"] = _probability(parameters.get("p"))
        check_parameters(name, parameters)
        checked[name] = parameters
        total += parameters["p"]
    if total > 1 + 1e-9:
        raise Bad("The probabilities add up to more than 1.")
    return checked


_DEFAULTS: dict[str, dict[str, Any]] = {
    "latency": {"distribution": "lognormal", "median_ms": 300},
    "lost_before": {"hold_s": 2},
    "result_code": {"code": "999"},
    "html": {"status": 504},
    "refusal": {"message": "There is an unknown error"},
}


def check_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    needed = _NEEDS.get(name)
    if needed is not None and parameters.get(needed) in (None, ""):
        raise Bad(f"The fault {name} needs {needed!r}.")
    if name == "latency":
        _check_latency(parameters)
    if name == "html" and parameters.get("status", 504) not in _STATUSES:
        raise Bad(f"status must be one of {_STATUSES}.")
    for key in ("hold_s", "seconds"):
        if key in parameters:
            _seconds(key, parameters[key])


def _check_latency(parameters: Mapping[str, Any]) -> None:
    kind = parameters.get("distribution", "fixed")
    if kind not in _DISTRIBUTIONS:
        raise Bad(f"distribution must be one of {', '.join(_DISTRIBUTIONS)}.")
    for key in _DISTRIBUTIONS[kind]:
        if key not in parameters:
            raise Bad(f"A {kind} latency needs {key!r}.")
        _seconds(key, parameters[key])


def _check_name(name: Any) -> None:
    if name not in NAMES:
        raise Bad(f"No fault {name!r}. Known: {', '.join(sorted(NAMES))}.")


def _seconds(key: str, value: Any) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | Decimal)
        or not 0 <= value <= 86_400_000
    ):
        raise Bad(f"{key} must be a number from 0 on.")


def _whole(body: Mapping[str, Any], key: str, default: int) -> int:
    value = body.get(key, default)
    if type(value) is not int or value < 0:
        raise Bad(f"{key} must be a whole number from 0 on.")
    return value


def _probability(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
        raise Bad("A probability must be a number from 0 to 1.")
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise Bad("A probability must be a number from 0 to 1.")
    return float(value)


def shown(fault: Fault) -> dict[str, Any]:
    return {
        "id": fault.id,
        "fault": fault.name,
        "pin": fault.pin,
        "branch": fault.branch,
        "endpoint": sorted(fault.endpoints) if fault.endpoints is not None else "*",
        "count": fault.count,
        "after": fault.after,
        "probability": fault.probability,
        "parameters": dict(fault.parameters),
        "matched": fault.matched,
        "hits": fault.hits,
        "over": fault.is_over(),
    }
