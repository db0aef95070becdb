"""A plain HTTP client and message builders for the tests. It shares no code with the simulator."""

import http.client
import json
import re
import signal
import subprocess
import sys
from base64 import b64encode
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ENDPOINTS = {
    row["id"]: row
    for row in json.loads((ROOT / "simulator/data/endpoints.json").read_text(encoding="utf-8"))
}
NAIROBI = timezone(timedelta(hours=3))
WHO = {"regrId": "till", "regrNm": "Till", "modrId": "till", "modrNm": "Till"}
RATES = {"A": 0, "B": 16, "C": 0, "D": 0, "E": 0}


def stamp(**delta: float) -> str:
    return (datetime.now(NAIROBI) + timedelta(**delta)).strftime("%Y%m%d%H%M%S")


@dataclass
class Reply:
    status: int
    text: str
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The result code, wherever the transport puts it; 'refused' for a gateway sentence."""
        body = self.json
        if "responseHeader" not in body:
            return str(body["resultCd"])
        return str(body["responseBody"]["resultCd"]) if body["responseBody"] else "refused"

    @property
    def message(self) -> str:
        body = self.json
        if "responseHeader" in body and body["responseBody"] is None:
            return str(body["responseHeader"]["customerMessage"])
        return str((body.get("responseBody") or body)["resultMsg"])

    @property
    def data(self) -> Any:
        body = self.json
        return (body["responseBody"] if "responseHeader" in body else body)["data"]


class Server:
    """A simulator process of its own."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "simulator", "--port", "0", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        self.start_line = self.process.stdout.readline()
        found = re.search(r"http://([\d.]+):(\d+)", self.start_line)
        assert found is not None, self.start_line + self.process.stdout.read()
        self.host, self.port = found[1], int(found[2])

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Reply:
        raw = body if isinstance(body, bytes | None) else json.dumps(body, default=float).encode()
        with closing(http.client.HTTPConnection(self.host, self.port, timeout=10)) as connection:
            connection.request(method, path, raw, headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, answer.read().decode(), dict(answer.getheaders()))

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.request(method, f"/_simulator{path}", body)
        assert answer.status < 300, answer.text
        return answer.json

    def fault(self, name: str, **settings: Any) -> str:
        return str(self.control("POST", "/faults", {"fault": name, **settings})["id"])

    def approve(self, pin: str, **settings: Any) -> Any:
        body = {"pin": pin, "branch": "00", "serial": f"S-{pin}", **settings}
        return self.control("POST", "/devices", body)

    def stop(self, number: int = signal.SIGTERM) -> str:
        """End it, and return what it logged."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=10)
        return rest


class Device:
    """One initialised device and the counters its POS would keep."""

    def __init__(
        self, server: Server, pin: str, branch: str = "00", *, gateway: bool = False
    ) -> None:
        self.server = server
        self.pin = pin
        self.branch = branch
        self.gateway = gateway
        self.key = ""
        self.token = ""

    @property
    def headers(self) -> dict[str, str]:
        found = {"tin": self.pin, "bhfId": self.branch, "cmcKey": self.key}
        if self.gateway:
            found["Authorization"] = f"Bearer {self.token}"
            found["apigee_app_id"] = "11111111-2222-4333-8444-555555555555"
        return {name: value for name, value in found.items() if value}

    def path(self, endpoint: str) -> str:
        row = ENDPOINTS[endpoint]
        if self.gateway:
            return f"/etims-oscu/api/v1{row['gateway']}"
        return f"/etims-api{row['direct']}"

    def post(
        self, endpoint: str, body: Any = None, *, headers: dict[str, str] | None = None, **more: Any
    ) -> Reply:
        if not isinstance(body, bytes):
            body = {"tin": self.pin, "bhfId": self.branch, **(body or {}), **more}
        used = self.headers if headers is None else headers
        return self.server.request("POST", self.path(endpoint), body, used)

    def log_in(self) -> None:
        if self.gateway:
            self.token = get_token(self.server).json["access_token"]

    def start(self, serial: str | None = None) -> "Device":
        self.log_in()
        answer = self.post("init", dvcSrlNo=serial or f"S-{self.pin}")
        self.key = answer.data["info"]["cmcKey"]
        return self

    def stocked(self, code: str = "KE2CTNO0000001", quantity: int = 100) -> "Device":
        """One item of letter B, saved and on the shelf."""
        for answer in (
            self.post("item_class_list", lastReqDt="20180101000000"),
            self.post("item_save", item(code)),
            self.post("stock_io_save", movement(1, [line(code, quantity, 100)])),
        ):
            assert answer.code == "000", answer.text
        return self

    def ledger(self) -> Any:
        return self.server.control("GET", f"/ledger?pin={self.pin}&branch={self.branch}")


def get_token(server: Server, pair: str = "key:secret") -> Reply:
    basic = b64encode(pair.encode()).decode()
    path = "/v1/token/generate?grant_type=client_credentials"
    return server.request("GET", path, headers={"Authorization": f"Basic {basic}"})


def item(code: str, **changes: Any) -> dict[str, Any]:
    return {
        "itemCd": code,
        "itemClsCd": "1000000000",
        "itemTyCd": code[2:3],
        "itemNm": "Electric kettle",
        "orgnNatCd": code[:2],
        "pkgUnitCd": code[3:5],
        "qtyUnitCd": code[5:7],
        "taxTyCd": "B",
        "dftPrc": 100,
        "isrcAplcbYn": "N",
        "useYn": "Y",
        **WHO,
        **changes,
    }


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def line(code: str, quantity: Any, price: Any, letter: str = "B", discount: Any = 0) -> Any:
    """Inclusive-split: the taxable amount is cut out of the gross, the rest is tax."""
    supply = cents(Decimal(str(price)) * Decimal(str(quantity)))
    gross = supply - Decimal(str(discount))
    taxable = cents(gross / (1 + Decimal(RATES[letter]) / 100))
    return {
        "itemCd": code,
        "itemClsCd": "1000000000",
        "itemNm": "Electric kettle",
        "pkgUnitCd": code[3:5],
        "pkg": 1,
        "qtyUnitCd": code[5:7],
        "qty": quantity,
        "prc": price,
        "splyAmt": supply,
        "dcRt": 0,
        "dcAmt": discount,
        "totDcAmt": discount,
        "taxTyCd": letter,
        "taxblAmt": taxable,
        "taxAmt": gross - taxable,
        "totAmt": gross,
    }


def numbered(lines: list[Any]) -> list[Any]:
    return [{"itemSeq": position, **one} for position, one in enumerate(lines, 1)]


def totals(lines: list[Any]) -> dict[str, Any]:
    return {
        "totItemCnt": len(lines),
        "totTaxblAmt": sum(one["taxblAmt"] for one in lines),
        "totTaxAmt": sum(one["taxAmt"] for one in lines),
        "totAmt": sum(one["totAmt"] for one in lines),
    }


def letters(lines: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for letter, rate in RATES.items():
        mine = [one for one in lines if one["taxTyCd"] == letter]
        found[f"taxRt{letter}"] = rate
        found[f"taxblAmt{letter}"] = sum(one["taxblAmt"] for one in mine)
        found[f"taxAmt{letter}"] = sum(one["taxAmt"] for one in mine)
    return found


def movement(number: int, lines: list[Any], **changes: Any) -> dict[str, Any]:
    return {
        "sarNo": number,
        "orgSarNo": 0,
        "regTyCd": "M",
        "sarTyCd": "06",
        "ocrnDt": stamp()[:8],
        **totals(lines),
        **WHO,
        "itemList": numbered(lines),
        **changes,
    }


def sale(number: int, lines: list[Any], **changes: Any) -> dict[str, Any]:
    now = stamp()
    return {
        "trdInvcNo": f"T-{number}",
        "invcNo": number,
        "orgInvcNo": 0,
        "custTin": "P000000000B",
        "custNm": "Jamii Hardware Ltd",
        "salesTyCd": "N",
        "rcptTyCd": "S",
        "pmtTyCd": "01",
        "salesSttsCd": "02",
        "cfmDt": now,
        "salesDt": now[:8],
        "stockRlsDt": now,
        **totals(lines),
        **letters(lines),
        "prchrAcptcYn": "N",
        **WHO,
        "receipt": {"rptNo": 1, "rcptPbctDt": now, "prchrAcptcYn": "N"},
        "itemList": numbered(lines),
        **changes,
    }


def credit(number: int, original: int, lines: list[Any], **changes: Any) -> dict[str, Any]:
    return sale(
        number,
        lines,
        **{"orgInvcNo": original, "rcptTyCd": "R", "rfdDt": stamp(), "rfdRsnCd": "06", **changes},
    )


def purchase(number: int, lines: list[Any], **changes: Any) -> dict[str, Any]:
    return {
        "spplrTin": "P000000000S",
        "invcNo": number,
        "orgInvcNo": 0,
        "spplrBhfId": "00",
        "spplrNm": "Bidhaa Wholesale Ltd",
        "spplrInvcNo": 77,
        "regTyCd": "M",
        "pchsTyCd": "N",
        "rcptTyCd": "P",
        "pmtTyCd": "02",
        "pchsSttsCd": "02",
        "cfmDt": stamp(),
        "pchsDt": stamp()[:8],
        **totals(lines),
        **letters(lines),
        **WHO,
        "itemList": numbered(lines),
        **changes,
    }
