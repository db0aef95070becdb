"""KRA at the seam `devices.calls.client`: a script of answers, and a record of what was sent."""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kra.client import Answer
from kra.profiles import Target

SIGNATURE = {
    "curRcptNo": 7,
    "totRcptNo": 7,
    "intrlData": "ABCD-EFGH-IJKL-MNOP-QRST-UVWX-YZ",
    "rcptSign": "ABCDEFGHIJKLMNOP",
    "sdcDateTime": "20261122101500",
}


@dataclass(frozen=True)
class Sent:
    endpoint: str
    body: bytes
    target: Target

    @property
    def members(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class FakeKRA:
    """Answers in the order they were scripted. An exception is raised; a function is asked, so
    that something can happen while KRA "thinks"."""

    def __init__(self) -> None:
        self.replies: deque[Any] = deque()
        self.sent: list[Sent] = []
        self.otherwise: Callable[[Sent], Any] | None = None  # when the script is over

    def script(self, *replies: Any) -> None:
        self.replies.extend(replies)

    def post(self, target: Target, endpoint_id: str, body: bytes) -> Answer:
        self.sent.append(Sent(endpoint_id, body, target))
        if not self.replies and self.otherwise is not None:
            self.replies.append(self.otherwise(self.sent[-1]))
        assert self.replies, f"nobody scripted an answer to this {endpoint_id}"
        reply = self.replies.popleft()
        if callable(reply):
            reply = reply()
        if isinstance(reply, BaseException):
            raise reply
        assert isinstance(reply, Answer)
        return reply

    @property
    def asked(self) -> list[str]:
        return [sent.endpoint for sent in self.sent]


def answer(body: bytes | str, *, status: int = 200, **more: Any) -> Answer:
    raw = body if isinstance(body, bytes) else body.encode()
    return Answer(status=status, body=raw, elapsed_ms=1, **more)


def said(code: str, message: str = "", data: Any = None, **more: Any) -> Answer:
    document = {
        "resultCd": code,
        "resultMsg": message,
        "resultDt": more.pop("at", "20261122101500"),
        "data": data,
    }
    return answer(json.dumps(document), **more)


def signed(**more: Any) -> Answer:
    return said("000", "It is succeeded", SIGNATURE | more)
