from datetime import timedelta
from typing import Any

from django import template

from kra.times import NAIROBI

register = template.Library()


@register.filter
def seconds(value: float | None) -> str:
    """A length of time as people say it."""
    if value is None:
        return "–"
    for size, word in ((86_400, "d"), (3600, "h"), (60, "min")):
        if value >= 2 * size:
            return f"{value / size:.0f} {word}"
    return f"{value:.0f} s"


@register.filter
def nairobi(value: Any) -> str:
    return "–" if value is None else f"{value.astimezone(NAIROBI):%d/%m %H:%M}"


@register.filter
def since(value: Any, now: Any) -> str:
    return "never" if value is None else seconds(max(timedelta(), now - value).total_seconds())


@register.filter
def make_list_of(value: str) -> list[str]:
    return value.split(",")


@register.filter
def thousands(value: Any) -> str:
    """9,739,360.00: a number as a shop writes it."""
    whole, point, cents = str(value).partition(".")
    return f"{int(whole):,}{point}{cents}"
