"""JSON over HTTP, as a till speaks it. The standard library is enough."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from local.console import Problem

# Longer than the longest wait for a signature.
TIMEOUT_S = 45.0
# Loopback: a proxy from the environment would be asked in vain.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Answer(NamedTuple):
    status: int
    body: Any


@dataclass(frozen=True)
class Api:
    """One server, and the token it is spoken to with."""

    url: str
    token: str = field(default="", repr=False)

    def get(self, path: str) -> Any:
        return self._expect("GET", path)

    def post(self, path: str, body: Any = None, *, wait: int = 0) -> Any:
        """The answer's body; a Problem with the server's own words when it refuses."""
        return self._expect("POST", path, body, wait)

    def _expect(self, method: str, path: str, body: Any = None, wait: int = 0) -> Any:
        answer = self.ask(method, path, body, wait)
        if answer.status >= 400:
            reason = _reason(answer.body)
            raise Problem(f"{method} {path} answered {answer.status}: {reason}")
        return answer.body

    def download(self, path: str) -> bytes:
        """A file as it comes: a PDF is no text."""
        request = urllib.request.Request(f"{self.url}{path}", headers=self._headers())
        try:
            with _opener.open(request, timeout=TIMEOUT_S) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as exc:
            reason = _reason(_parsed(exc.read()))
            raise Problem(f"GET {path} answered {exc.code}: {reason}") from exc
        except OSError as exc:
            raise Problem(f"GET {self.url}{path} got no answer: {exc}") from exc

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Token {self.token}"} if self.token else {}

    def ask(self, method: str, path: str, body: Any = None, wait: int = 0) -> Answer:
        headers = {"Content-Type": "application/json"} | self._headers()
        if wait:
            headers["Prefer"] = f"wait={wait}"
        data = None if body is None and method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(
            f"{self.url}{path}", data=data, headers=headers, method=method
        )
        try:
            with _opener.open(request, timeout=TIMEOUT_S) as response:
                return Answer(response.status, _parsed(response.read()))
        except urllib.error.HTTPError as exc:
            return Answer(exc.code, _parsed(exc.read()))
        except OSError as exc:
            raise Problem(f"{method} {self.url}{path} got no answer: {exc}") from exc


def is_there(url: str) -> bool:
    """Whether a web server answers, whatever it says."""
    try:
        with _opener.open(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _parsed(raw: bytes) -> Any:
    text = raw.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


def _reason(body: Any) -> str:
    """Message, details and help of an error answer on one line."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return str(body)[:300]
    details = [f"{d.get('field')}: {d.get('reason')}" for d in error.get("detail") or []]
    return " ".join([str(error.get("message")), *details, str(error.get("help"))])
