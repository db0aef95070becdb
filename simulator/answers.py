"""What KRA answers, before a transport profile wraps it."""

from dataclasses import dataclass
from typing import Any

MESSAGES = {
    "000": "Successful",
    "001": "There is no search result",
    "900": "There is no header information",
    "901": "It is not valid device",
    "902": "This device is installed",
    "903": "Only OSCU device can be verified.",
    "910": "Request parameter error",
    "911": "There is no request full text",
    "912": "Request method error",
    "913": "Code value error among request parameters",
    "921": "Sales data or sales invoice data which is declared cannot be received",
    "922": "Sales invoice data can be received after receiving the sales data",
    "990": "It is exceeded the maximum number of views",
    "991": "There is an error during registration",
    "992": "There is an error during modification",
    "994": "There is an overlapped Data",
    "999": "There is an unknown error. Please ask the administrator",
}


@dataclass(slots=True)
class Answer:
    """One verdict. `refused` is a validator's sentence, which the gateway wraps differently."""

    code: str = "000"
    message: str = "Successful"
    data: Any = None
    refused: bool = False
    http_status: int = 200


class Verdict(Exception):
    """Ends a call early. Nothing has been stored when it is raised."""

    def answer(self) -> Answer:
        raise NotImplementedError


class Coded(Verdict):
    """A result code."""

    def __init__(self, code: str, message: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message or MESSAGES.get(code, "")

    def answer(self) -> Answer:
        return Answer(self.code, self.message)


class Refused(Verdict):
    """A validator's sentence: HTTP 400 on the gateway, code 910 on the direct host."""

    def __init__(self, text: str, http_status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.http_status = http_status

    def answer(self) -> Answer:
        return Answer("910", self.text, refused=True, http_status=self.http_status)


def listed(key: str, rows: list[Any]) -> Answer:
    """A list, or 001 with no data when there is nothing to show."""
    if not rows:
        raise Coded("001")
    return Answer(data={key: rows})
