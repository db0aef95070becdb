"""Nothing may be dated in the future."""

from collections.abc import Iterable

from simulator import clock
from simulator.answers import Refused
from simulator.calls import Call


def refuse_future(call: Call, names: Iterable[str]) -> None:
    for name in names:
        value = call.body.get(name)
        if value and clock.is_future(value, call.moment):
            raise Refused(f"{name} must not be in the future")
