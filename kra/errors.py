"""What a failed exchange with KRA means. The subclass is the instruction.

* KRAError
  * Unavailable     nothing was accepted     -> send the same message again later
  * OutcomeUnknown  KRA may hold the message -> look it up, then decide
  * Rejected        this message is wrong    -> a person corrects it; the number was not used
  * DeviceRefused   the device or key is bad -> stop the device, alert
"""


class KRAError(Exception):
    """`code` is KRA's resultCd or a word of ours; `kra.codes.explain` knows both."""

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        retry_after: float | None = None,
        expected_number: int | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(code, message)  # args: what pickle rebuilds the exception from
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.expected_number = expected_number
        self.http_status = http_status

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


class Unavailable(KRAError):
    """Nothing was accepted: send the same message again later."""


class OutcomeUnknown(KRAError):
    """KRA may hold the message: look it up, then decide."""


class Rejected(KRAError):
    """This message is wrong: a person corrects it. Its number was not used."""


class DeviceRefused(KRAError):
    """The device, its key or its set-up is bad: stop the device, alert."""
