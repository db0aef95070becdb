"""What it costs to read KRA's list of sales, which comes in one piece however long it is.

Usage: python -m bench.books [--rows 100000]

Each measurement has a process of its own, so that its peak memory is its own. The rows look as
KRA's: a sale of two lines with its receipt.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from local.console import say

MB = 1024 * 1024
AMOUNTS = {f"{name}{letter}": 0 for name in ("taxblAmt", "taxRt", "taxAmt") for letter in "ABCDE"}
LINE = {
    "itemSeq": 1, "itemCd": "KE2CTNO0000001", "itemClsCd": "1000000000",
    "itemNm": "Electric kettle 1.7 l", "bcd": None, "pkgUnitCd": "CT", "pkg": 1, "qtyUnitCd": "NO",
    "qty": 2, "prc": 2320, "splyAmt": 4640, "dcRt": 0, "dcAmt": 0, "isrccCd": None,
    "isrccNm": None, "isrcRt": None, "isrcAmt": None, "taxTyCd": "B", "taxblAmt": 4000,
    "taxAmt": 640, "totAmt": 4640,
}  # fmt: skip
RECEIPT = {
    "custTin": "P000000000B", "custMblNo": None, "rptNo": 1,
    "rcptPbctDt": "2026-10-05 10:14:00.0", "trdeNm": None, "adrs": None, "topMsg": None,
    "btmMsg": None, "prchrAcptcYn": "N", "intrlData": "ABCDEFGHIJKLMNOPQRSTUVWX23",
    "rcptSign": "ABCDEFGH234567QR", "curRcptNo": "1", "totRcptNo": "1",
    "sdcDateTime": "2026-10-05 10:15:01.0",
}  # fmt: skip
SALE = {
    "orgInvcNo": 0, "custTin": "P000000000B", "custNm": "Jamii Hardware Ltd", "rcptTyCd": "S",
    "pmtTyCd": "01", "salesSttsCd": "02", "cfmDt": "2026-10-05 10:14:00", "salesDt": "20261005",
    "stockRlsDt": "2026-10-05 10:14:00", "cnclReqDt": None, "cnclDt": None, "rfdDt": None,
    "rfdRsnCd": None, "totItemCnt": 2, **AMOUNTS, "totTaxblAmt": 8000, "totTaxAmt": 1280,
    "totAmt": 9280, "prchrAcptcYn": "N", "remark": None, "regrId": "mfano",
    "regrNm": "Mfano POS", "modrId": None, "modrNm": None, "receipt": RECEIPT,
    "itemList": [LINE, LINE | {"itemSeq": 2}],
}  # fmt: skip


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.books", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.alone:
        return _measure(options.rows)
    for rows in sorted({1000, options.rows // 10, options.rows}):
        command = [sys.executable, "-m", "bench.books", "--alone", "--rows", str(rows)]
        subprocess.run(command, check=True)
    return 0


def body_of(rows: int) -> bytes:
    sales = ",".join(json.dumps({"invcNo": number} | SALE) for number in range(1, rows + 1))
    head = '{"resultCd":"000","resultMsg":"ok","resultDt":"20261005101500","data":{"salesList":['
    return f"{head}{sales}]}}}}".encode()


def _measure(rows: int) -> int:
    from kra.answers import read
    from kra.client import Answer
    from kra.readers import read_listed_invoices

    body = body_of(rows)
    answer = Answer(200, body, 0, "application/json", None, None)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _peak()
    started = time.monotonic()
    found = sum(one is not None for one in read_listed_invoices(read("sales_list", answer).data))
    seconds = time.monotonic() - started
    say(
        f"{rows:>7,} rows, {len(body) / MB:6.1f} MB: {seconds:6.2f} s, "
        f"{_peak() - before:7.0f} MB of memory beyond the answer itself, {found:,} read"
    )
    return int(found != rows)


def _peak() -> float:
    """In MB."""
    (line,) = [one for one in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in one]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
