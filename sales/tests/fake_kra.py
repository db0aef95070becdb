"""KRA as the registers meet it: replies in turn, then acceptance; and what was sent."""

import json
from collections import defaultdict
from typing import Any

from kra.client import Answer


def said(code: str = "000", message: str = "", data: Any = None) -> Answer:
    body = {"resultCd": code, "resultMsg": message, "resultDt": "20261122101500", "data": data}
    return Answer(status=200, body=json.dumps(body).encode(), elapsed_ms=1)


class FakeKRA:
    """Replies in turn, then accepts; a function is asked while KRA "thinks"."""

    def __init__(self) -> None:
        self.replies: list[Any] = []
        self.sent: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def post(self, target: Any, endpoint: str, body: bytes) -> Answer:
        self.sent[endpoint].append(json.loads(body))
        reply = self.replies.pop(0) if self.replies else said()
        if callable(reply):
            reply = reply()
        if isinstance(reply, Exception):
            raise reply
        return reply
