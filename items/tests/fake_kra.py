"""KRA as this app meets it: answers by endpoint, one after the other, and remembers what came."""

import json
from collections import defaultdict
from decimal import Decimal
from typing import Any

from kra.client import Answer
from kra.errors import OutcomeUnknown, Unavailable


def accepted(data: Any = None, at: str = "20261122101500") -> Answer:
    return said("000", "Successful", data=data, at=at)


def said(code: str, message: str = "", *, data: Any = None, at: str = "20261122101500") -> Answer:
    body = {"resultCd": code, "resultMsg": message, "resultDt": at, "data": data}
    return Answer(status=200, body=json.dumps(body).encode(), elapsed_ms=1)


def gateway_refused(message: str) -> Answer:
    header = {"responseCode": 400, "customerMessage": message, "debugMessage": message}
    body = {"responseHeader": header, "responseBody": None}
    return Answer(status=400, body=json.dumps(body).encode(), elapsed_ms=1)


NOTHING = said("001", "There is no search result")
SILENCE = Unavailable("connect_timeout")
LOST = OutcomeUnknown("read_timeout")


class FakeKRA:
    """`replies[endpoint]` are given in turn; then lists are empty and writes are accepted."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Any]] = defaultdict(list)
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def post(self, target: Any, endpoint: str, body: bytes) -> Answer:
        self.sent.append((endpoint, json.loads(body, parse_float=Decimal)))
        waiting = self.replies[endpoint]
        default = NOTHING if endpoint.endswith("_list") else accepted()
        reply = waiting.pop(0) if waiting else default
        if isinstance(reply, Exception):
            raise reply
        return reply

    def bodies(self, endpoint: str) -> list[dict[str, Any]]:
        return [body for name, body in self.sent if name == endpoint]


def code_class(number: str, codes: dict[str, str | None]) -> dict[str, Any]:
    """One class of the code list; the values are the first custom column."""
    return {
        "cdCls": number,
        "cdClsNm": f"Class {number}",
        "cdClsDesc": None,
        "useYn": "Y",
        "userDfnNm1": None,
        "userDfnNm2": None,
        "userDfnNm3": None,
        "dtlList": [
            {
                "cd": code,
                "cdNm": f"Code {code}",
                "cdDesc": None,
                "srtOrd": place,
                "userDfnCd1": extra,
                "userDfnCd2": None,
                "userDfnCd3": None,
                "useYn": "Y",
            }
            for place, (code, extra) in enumerate(codes.items(), 1)
        ],
    }


def classification(code: str, name: str = "Goods") -> dict[str, Any]:
    return {
        "itemClsCd": code,
        "itemClsNm": name,
        "itemClsLvl": 1,
        "taxTyCd": None,
        "mjrTgYn": None,
        "useYn": "Y",
    }


RATES: dict[str, str | None] = {"A": "0", "B": "16", "C": "0", "D": "0", "E": "0"}


def published(rates: dict[str, str | None] | None = None, at: str = "20261122101500") -> Answer:
    classes = [
        code_class("04", rates or RATES),
        code_class("05", {"KE": None, "UG": None}),
        code_class("10", {"NO": None, "KG": None, "U": None}),
        code_class("17", {"NT": None, "CT": None, "BG": None}),
    ]
    return accepted({"clsList": classes}, at=at)


def tree(*codes: str, at: str = "20261122101500") -> Answer:
    return accepted({"itemClsList": [classification(code) for code in codes]}, at=at)
