"""KRA's lists, rates and notices, and how old they are."""

from typing import Any

from django.conf import settings
from django.db.models import Count, Max
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.openapi import describe, page_of
from core.views import ListView
from kra.times import NAIROBI

from .list_schemas import (
    ClassSummary,
    CodeListOutput,
    LetterRates,
    ListOutput,
    NoticeOutput,
    RateOutput,
    TaxRatesOutput,
)
from .models import Code, Notice, SyncState, TaxRate
from .models.lists import CLASS_NAMES
from .rates import PUBLISHED
from .views import READERS, environments

WORDS = {number: word for word, number in CLASS_NAMES.items()}


class CodeListView(APIView):
    scopes = {"GET": READERS}

    @describe(
        "KRA's code classes, and how old our copies of its lists are",
        answers={200: CodeListOutput},
        operation_id="code_classes_retrieve",
    )
    def get(self, request: Request) -> Response:
        mine = environments(request)
        states = SyncState.objects.filter(environment__in=mine).order_by("environment", "name")
        now, max_age_s = timezone.now(), settings.LISTS_MAX_AGE_HOURS * 3600
        lists = [ListOutput.of(state, now, max_age_s) for state in states]
        return Response(CodeListOutput(lists, _classes(mine)))


def _classes(mine: list[str]) -> list[ClassSummary]:
    groups = Code.objects.filter(environment__in=mine).values("environment", "class_id")
    rows = groups.annotate(
        name=Max("class_name"), codes=Count("pk"), changed=Max("changed_at")
    ).order_by("environment", "class_id")
    return [
        ClassSummary(
            row["environment"], row["class_id"], WORDS.get(row["class_id"], ""),
            row["name"], row["codes"], row["changed"],
        )
        for row in rows
    ]  # fmt: skip


class TaxRateListView(APIView):
    scopes = {"GET": READERS}

    @describe(
        "The rate of each tax letter now, and the change that waits for an admin's yes",
        answers={200: TaxRatesOutput},
    )
    def get(self, request: Request) -> Response:
        rates = [each for name in environments(request) for each in _rates_of(name)]
        return Response(TaxRatesOutput(rates))


def _rates_of(environment: str) -> list[LetterRates]:
    today = timezone.now().astimezone(NAIROBI).date()
    rows = list(TaxRate.objects.filter(environment=environment).order_by("valid_from", "pk"))
    return [_letter(environment, letter, rows, today) for letter in PUBLISHED]


def _letter(environment: str, letter: str, rows: list[TaxRate], today: Any) -> LetterRates:
    mine = [row for row in rows if row.letter == letter]
    usable = [row for row in mine if row.approved]
    current = next((row for row in reversed(usable) if row.valid_from <= today), None)
    upcoming = next((row for row in usable if row.valid_from > today), None)
    pending = next((row for row in reversed(mine) if not row.approved), None)
    return LetterRates(
        environment,
        letter,
        current.rate if current else round(PUBLISHED[letter], 2),
        current.valid_from if current else None,
        RateOutput.of(upcoming),
        RateOutput.of(pending),
    )


class NoticeListView(ListView):
    scopes = {"GET": READERS}
    queryset = Notice.objects.none()

    def get_queryset(self) -> Any:
        return Notice.objects.filter(environment__in=environments(self.request))

    def output(self, row: Notice) -> NoticeOutput:
        return NoticeOutput.of(row)

    @describe("KRA's notices, the latest first", answers={200: page_of(NoticeOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)
