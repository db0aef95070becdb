"""What the API says about KRA's lists, rates and notices."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from .models import Notice, SyncState, TaxRate
from .models.lists import LIST_NAMES


class ListOutput(Struct):
    """How old our copy of one of KRA's lists is. It is used until KRA gives a newer one."""

    environment: str
    name: Annotated[str, Meta(description="codes, classifications or notices.")]
    synced_at: Annotated[datetime | None, Meta(description="When KRA last answered.")]
    changed_at: Annotated[datetime | None, Meta(description="When an answer last brought news.")]
    age_seconds: Annotated[int | None, Meta(description="Since `synced_at`.")]
    is_overdue: Annotated[bool, Meta(description="Twice as old as LISTS_MAX_AGE_HOURS allows.")]

    @classmethod
    def of(cls, state: SyncState, now: datetime, max_age_s: float) -> "ListOutput":
        synced_at = state.synced_at
        age = None if synced_at is None else max(0, int((now - synced_at).total_seconds()))
        is_overdue = age is None or age > 2 * max_age_s
        name = LIST_NAMES.get(state.name, state.name)
        return cls(state.environment, name, synced_at, state.changed_at, age, is_overdue)


class ClassSummary(Struct):
    environment: str
    class_id: str
    word: Annotated[str, Meta(description="Our name for the address, where it has one.")]
    name: str
    codes: int
    changed_at: datetime


class CodeListOutput(Struct):
    lists: list[ListOutput]
    classes: list[ClassSummary]


class RateOutput(Struct):
    rate: Decimal
    valid_from: date

    @classmethod
    def of(cls, one: TaxRate | None) -> "RateOutput | None":
        return cls(one.rate, one.valid_from) if one else None


class LetterRates(Struct):
    """The rate of one tax letter, in percent, and what is to become of it."""

    environment: str
    letter: str
    current: Decimal
    valid_from: Annotated[date | None, Meta(description="Empty: the published rate, never synced.")]
    upcoming: Annotated[RateOutput | None, Meta(description="Approved, from a day to come.")]
    pending: Annotated[
        RateOutput | None, Meta(description="KRA changed it; not used before an admin approves.")
    ]


class TaxRatesOutput(Struct):
    results: list[LetterRates]


class NoticeOutput(Struct):
    """KRA's own words: escape them before showing."""

    number: int
    environment: str
    title: str
    text: str
    url: str
    author: str
    published_at: datetime | None

    @classmethod
    def of(cls, one: Notice) -> "NoticeOutput":
        return cls(
            one.number, one.environment, one.title, one.text, one.url, one.author,
            one.published_at,
        )  # fmt: skip
