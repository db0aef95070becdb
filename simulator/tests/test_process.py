"""The whole process: restarts, kill -9, many slow calls at once, the page, the command line."""

import asyncio
import json
import signal
import subprocess
import sys
import time

import aiohttp
import pytest

from simulator.tests.client import ROOT, Device, line, sale

KETTLE = "KE2CTNO0000001"
ANY = {"lastReqDt": "20180101000000"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_remembers_everything_it_answered(launch, pin, tmp_path, number):
    server = launch("--state", str(tmp_path / "state"), "--quiet")
    server.approve(pin)
    server.control("PUT", "/rates", {"E": "8"})
    device = Device(server, pin, gateway=True).start().stocked()
    signed = device.post("sales_save", sale(1, [line(KETTLE, 2, 100)], taxRtE=8)).data
    device.post("purchase_sales_list", ANY)
    before = device.ledger()
    server.stop(number)

    device.server = launch("--state", str(tmp_path / "state"), "--quiet")
    found = device.post("invoice_details", invcNo=1).data["salesList"][0]
    following = device.post("sales_save", sale(2, [line(KETTLE, 2, 100)], taxRtE=8))

    assert found["receipt"]["rcptSign"] == signed["rcptSign"]
    assert before["counters"]["invoice"] == 1
    assert (following.code, following.data["totRcptNo"]) == ("000", 2)
    assert device.post("init", dvcSrlNo=f"S-{pin}").code == "902"
    assert device.ledger()["stock"] == before["stock"]


def test_it_loses_no_answered_sale_to_kill_9_under_load(launch, pin, tmp_path):
    server = launch("--state", str(tmp_path), "--quiet", "--mode", "lenient")
    server.approve(pin)
    device = Device(server, pin).start()

    answered = asyncio.run(_sell_until_killed(device))

    device.server = launch("--state", str(tmp_path), "--quiet")
    kept = {one["number"] for one in device.ledger()["invoices"]}
    assert len(answered) >= 100
    assert answered <= kept


async def _sell_until_killed(device: Device) -> set[int]:
    answered: set[int] = set()
    numbers = iter(range(1, 100_000))

    async def till(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            try:
                await _sell(session, device, number)
            except (aiohttp.ClientError, OSError):
                return
            answered.add(number)
            if len(answered) == 100:
                device.server.process.kill()

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(till(session) for _ in range(20)))
    device.server.process.communicate()
    return answered


async def _sell(session: aiohttp.ClientSession, device: Device, number: int) -> None:
    body = {"tin": device.pin, "bhfId": "00", **sale(number, [line(KETTLE, 1, 100)])}
    raw = json.dumps(body, default=float)
    url = f"http://127.0.0.1:{device.server.port}{device.path('sales_save')}"
    async with session.post(url, data=raw, headers=device.headers) as answer:
        assert (await answer.json())["resultCd"] == "000"


def test_it_holds_500_slow_calls_at_once(launch, pin):
    server = launch("--state", ":memory:", "--quiet", "--latency-ms", "1000")
    server.approve(pin)
    device = Device(server, pin).start()

    slowest = asyncio.run(_call_500_times(device))

    assert 1 <= slowest < 5


async def _call_500_times(device: Device) -> float:
    url = f"http://127.0.0.1:{device.server.port}{device.path('notice_list')}"
    body = {"tin": device.pin, "bhfId": "00", **ANY}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=device.headers) as session:

        async def call() -> None:
            async with session.post(url, json=body) as answer:
                assert (await answer.json())["resultCd"] == "000"

        started = time.monotonic()
        await asyncio.gather(*(call() for _ in range(500)))
        return time.monotonic() - started


def test_it_goes_on_when_nobody_reads_its_log(launch, pin):
    server = launch("--state", ":memory:")
    server.approve(pin)
    device = Device(server, pin).start()

    for _ in range(1000):  # far more than a pipe holds
        assert device.post("branch_list", {**ANY, "bhfId": "00"}).code == "000"


def test_it_refuses_a_state_in_use(launch, tmp_path):
    launch("--state", str(tmp_path), "--quiet")

    second = _run("--port", "0", "--state", str(tmp_path))

    assert second.returncode == 2
    assert "in use by another simulator" in second.stderr


def test_it_refuses_a_port_in_use(launch, tmp_path):
    server = launch("--state", ":memory:", "--quiet")

    second = _run("--port", str(server.port), "--state", str(tmp_path))

    assert second.returncode == 2
    assert "cannot listen" in second.stderr


def test_it_refuses_a_folder_it_cannot_use(tmp_path):
    (tmp_path / "file").write_text("in the way")

    refused = _run("--port", "0", "--state", str(tmp_path / "file"))

    assert refused.returncode == 2
    assert "cannot keep its state in" in refused.stderr


def test_it_explains_itself():
    shown = _run("--help")

    assert shown.returncode == 0
    for option in ("--port", "--state", "--mode", "--approve-any", "--latency-ms", "--seed"):
        assert option in shown.stdout


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "simulator", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )


def test_it_shows_its_state_on_a_page(device, server):
    server.approve("A000000000Q", name="<script>alert(1)</script>")
    device.stocked()
    device.post("sales_save", sale(1, [line(KETTLE, 1, 100)], custNm="Mum & <b>Sons</b>"))
    server.fault("latency", ms=1, pin="<i>")
    server.control("PUT", "/outage", {"down": True})

    answer = server.request("GET", "/")

    assert answer.status == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    for text in (device.pin, KETTLE, "sales_save", "Outage", "latency", "Mum &amp; &lt;b&gt;"):
        assert text in answer.text
    assert "<script>" not in answer.text
    assert "<i>" not in answer.text
    assert device.key not in answer.text


def test_it_shows_an_empty_page(server):
    assert server.request("GET", "/").text.count("None yet.") == 5
