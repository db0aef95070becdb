"""The programs of docs/samples/, as a reader would run them: real HTTP, KRA's side simulated.

Each is a program of its own; one whose runtime is not on this machine is skipped.
"""

import http.client
import os
import shutil
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from local.paths import ROOT
from sales.models import Invoice

pytestmark = pytest.mark.django_db(transaction=True)

SAMPLES = ROOT / "docs/samples"
RUNTIMES = {
    "sell.sh": ("sh",),
    "sell.py": ("python3",),
    "sell.mjs": ("node",),
    "sell.php": ("php",),
    "Sell.cs": ("dotnet", "run", "--project", str(SAMPLES), "--"),
}
NEEDS = {"sell.sh": ("curl", "jq")}


def can_run(name: str) -> bool:
    programs = (RUNTIMES[name][0], *NEEDS.get(name, ()))
    return all(shutil.which(program) for program in programs)


SAMPLE = [
    pytest.param(
        name, marks=pytest.mark.skipif(not can_run(name), reason="its runtime is not here")
    )
    for name in RUNTIMES
]


class Till:
    """A sample with the environment a reader gives it."""

    def __init__(self, name, url, shop):
        runtime = RUNTIMES[name]
        self.argv = list(runtime) if name == "Sell.cs" else [*runtime, str(SAMPLES / name)]
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "ETIMS_URL": url,
            "ETIMS_TOKEN": shop.secret,
            "ETIMS_DEVICE": shop.device.serial,
        }

    def start(self, *arguments):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([*self.argv, *arguments], env=self.env, text=True, **pipes)

    def run(self, *arguments):
        return finish(self.start(*arguments))


def finish(process):
    try:
        out, err = process.communicate(timeout=90)
    finally:
        process.kill()
    return process.returncode, out, err


@pytest.fixture
def losing_proxy(live_server):
    """In front of the service: it passes each POST on, and loses the first answer."""
    target = urlsplit(live_server.url)
    lost = []

    class Proxy(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def pass_on(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            upstream = http.client.HTTPConnection(target.hostname, target.port, timeout=30)
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            data = answer.read()
            upstream.close()
            self.close_connection = True
            if self.command == "POST" and not lost:
                lost.append(self.path)
                return
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = pass_on

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", lost
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", SAMPLE)
def test_it_sells_prints_and_credits(name, live_server, shop):
    till = Till(name, live_server.url, shop)

    code, receipt, err = till.run("S 1&2")

    assert code == 0, err
    assert "TAX INVOICE" in receipt
    assert "COPY" not in receipt
    code, credit, err = till.run("--credit", "S 1&2")
    assert code == 0, err
    assert "CREDIT NOTE" in credit
    assert [held["number"] for held in shop.ledger()] == [1, 2]


@pytest.mark.parametrize("name", SAMPLE)
@pytest.mark.parametrize("missing", ["ETIMS_URL", "ETIMS_TOKEN", "ETIMS_DEVICE", "the reference"])
def test_it_says_what_it_needs(name, missing, live_server, shop):
    till = Till(name, live_server.url, shop)
    till.env.pop(missing, None)

    code, out, err = till.run(*([] if missing == "the reference" else ["S-1"]))

    assert (code, out) == (1, "")
    assert missing.replace("the reference", "REFERENCE") in err
    assert "Traceback" not in err
    assert "Fatal" not in err
    assert shop.ledger() == []


@pytest.mark.parametrize("name", SAMPLE)
def test_it_sells_once_when_the_answer_is_lost(name, losing_proxy, shop):
    url, lost = losing_proxy

    code, receipt, err = Till(name, url, shop).run("S-1")

    assert code == 0, err
    assert lost == ["/api/sales/"]
    assert "TAX INVOICE" in receipt
    assert [held["reference"] for held in shop.ledger()] == ["S-1"]


@pytest.mark.parametrize("name", SAMPLE)
def test_it_waits_while_kra_is_down(name, live_server, shop):
    shop.simulator.outage(True)
    process = Till(name, live_server.url, shop).start("S-1")
    until = time.monotonic() + 60
    while not Invoice.objects.filter(reference="S-1").exists() and time.monotonic() < until:
        time.sleep(0.1)
    shop.simulator.outage(False)
    time.sleep(11)  # past the till's own wait; what is left is for workers

    shop.deliver()

    code, receipt, err = finish(process)
    assert code == 0, err
    assert "TAX INVOICE" in receipt


@pytest.mark.parametrize("name", SAMPLE)
def test_it_gives_up_on_a_wrong_sale(name, live_server, shop):
    code, out, err = Till(name, live_server.url, shop).run("S-1", "NO-SUCH-ITEM")

    assert (code, out) == (1, "")
    assert "lines[0].item" in err
    assert "Trying again" not in err


@pytest.mark.parametrize("name", SAMPLE)
def test_it_says_why_kra_refused(name, live_server, shop):
    shop.simulator.fault("result_code", code="910")

    code, out, err = Till(name, live_server.url, shop).run("S-1")

    assert (code, out) == (2, "")
    assert "refused: " in err
    assert "/correct/" in err
