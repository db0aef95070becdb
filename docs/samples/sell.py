"""Sell, wait for KRA's signature, print the receipt. Nothing but Python's own library.

    python sell.py REFERENCE [ITEM]       a sale of one ITEM
    python sell.py --credit REFERENCE     gives all of that sale back

ETIMS_URL, ETIMS_TOKEN and ETIMS_DEVICE come from the environment (`. .local/demo.env`).
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

NEEDED = ("ETIMS_URL", "ETIMS_TOKEN", "ETIMS_DEVICE")
URL = os.environ.get("ETIMS_URL", "").rstrip("/")
TRIES = 8  # a till tries for minutes, then keeps the sale and tries again later
POLLS = 30  # every two seconds


class Refused(Exception):
    """The request is wrong. Sending the same again does not help."""


def call(method, path, body=None, **headers):
    """One request. Raises OSError when it may be repeated, Refused when not."""
    request = urllib.request.Request(URL + path, method=method)
    request.add_header("Authorization", "Token " + os.environ["ETIMS_TOKEN"])
    for name, value in headers.items():
        request.add_header(name, value)
    if body is not None:
        request.data = body
        request.add_header("Content-Type", "application/json")
    try:
        # Longer than the wait asked for, or the till gives up on an answer under way.
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as problem:
        text = problem.read().decode(errors="replace")
        if problem.code >= 500 or problem.code == 429:
            raise OSError(f"{problem.code}: {text[:200]}") from problem
        raise Refused(text) from problem


def repeat(*arguments, **headers):
    """Lost answers, time-outs and 5xx: exactly the same request again, the same reference."""
    for number in range(TRIES):
        try:
            return call(*arguments, **headers)
        except OSError as problem:
            print(f"Trying again: {problem}", file=sys.stderr)
            time.sleep(min(0.5 * 2**number, 15))
    raise SystemExit("No answer. The sale may be stored: keep it and send the same again later.")


def post(path, document):
    # Built once: a repeat with another time or price would be another sale.
    body = json.dumps(document).encode()
    return json.loads(repeat("POST", path, body, Prefer="wait=10"))


def settle(sale):
    """201, 202 and 200 all carry the sale; only `status` says how far it is."""
    for _ in range(POLLS):
        if sale["status"] not in ("queued", "sending", "unknown"):
            break
        print(f"{sale['status']}; for the buyer: {sale['links']['public']}", file=sys.stderr)
        time.sleep(2)
        sale = json.loads(repeat("GET", sale["links"]["self"]))
    return sale


def finish(sale):
    sale = settle(sale)
    if sale["status"] == "signed":
        # The print_id makes a repeat of this request the same print, not a copy.
        path = f"{sale['links']['receipt']}?print_id=original-{sale['id']}"
        print(repeat("GET", path, Accept="text/plain"))
        return 0
    trouble = sale.get("trouble") or {}
    print(f"{sale['status']}: {trouble.get('cause')} {trouble.get('next_step')}", file=sys.stderr)
    return 2  # 2: stored, but not signed


def main(arguments):
    device = os.environ["ETIMS_DEVICE"]
    if arguments[0] == "--credit":
        original = arguments[1]
        note = {
            "device": device,
            "reference": original + "-CN",
            "original": original,
            "reason": "refund",
        }
        return finish(post("/api/credit-notes/", note))
    item = arguments[1] if len(arguments) > 1 else "KETTLE"
    sale = {
        "device": device,
        "reference": arguments[0],
        "payment_method": "mobile_money",
        "lines": [{"item": item, "quantity": "1"}],
    }
    return finish(post("/api/sales/", sale))


if __name__ == "__main__":
    if not sys.argv[1:] or not all(map(os.environ.get, NEEDED)):
        sys.exit(__doc__)
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as problem:
        print(problem, file=sys.stderr)
        sys.exit(1)
