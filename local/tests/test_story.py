"""What the demo's story says, keeps and decides, without the stack it runs on."""

import json
import stat
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from local import facts, paths, shop, story
from local.api import Api
from local.console import Problem

KNOWN = {"token": "t0", "platform_token": "p0", "pin": "A123456789Z", "branch": "00",
         "device": "DEMO-0001"}  # fmt: skip
DEVICES = "/api/devices/"
APPROVED = "/_simulator/devices"


class Server:
    """Answers what it was told to, and remembers what it was asked."""

    def __init__(self):
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, str, bytes, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                length = int(self.headers.get("Content-Length") or 0)
                outer.asked.append((self.command, self.path, self.rfile.read(length), self.headers))
                status, body = outer.answers.get(self.path, (404, {"error": {}}))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def server():
    made = Server()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def state(tmp_path, monkeypatch):
    """The folder that a demo keeps its facts in."""
    monkeypatch.setattr(facts, "STATE", tmp_path)
    return tmp_path


# --- api ---


def test_it_speaks_as_a_till_does(server):
    server.answers["/api/sales/"] = (201, {"status": "signed"})

    assert Api(server.url, "t0").post("/api/sales/", {"a": 1}, wait=20) == {"status": "signed"}

    method, _, body, headers = server.asked[0]
    assert (method, body) == ("POST", b'{"a": 1}')
    assert (headers["Authorization"], headers["Prefer"]) == ("Token t0", "wait=20")


def test_it_passes_a_refusal_on_in_the_servers_words(server):
    detail = [{"field": "lines", "reason": "It is empty.", "next_step": "Add one."}]
    error = {"code": "invalid", "message": "Not valid.", "detail": detail, "help": "Correct it."}
    server.answers["/api/sales/"] = (400, {"error": error})

    with pytest.raises(Problem, match="answered 400: Not valid. lines: It is empty. Correct it."):
        Api(server.url).post("/api/sales/", {})


def test_it_says_when_nobody_answers(server):
    server.server.server_close()

    with pytest.raises(Problem, match="got no answer"):
        Api(server.url).get("/health/")


# --- facts ---


def test_it_keeps_tokens_from_other_eyes(state):
    facts.write(KNOWN)
    shell = facts.write_shell_file("http://web", KNOWN)

    assert facts.read() == KNOWN
    assert shell.read_text().splitlines() == [
        "export ETIMS_URL=http://web",
        "export ETIMS_TOKEN=t0",
        "export ETIMS_DEVICE=DEMO-0001",
    ]  # fmt: skip
    modes = {stat.S_IMODE(file.stat().st_mode) for file in state.iterdir()}
    assert modes == {0o600}


@pytest.mark.parametrize(("_case", "text"), [("none", None), ("half", "{"), ("other", "[]")])
def test_it_does_without_facts(state, _case, text):
    if text is not None:
        (state / facts.FACTS_FILE).write_text(text)

    assert facts.read() == {}
    assert facts.operator_token() == ""


# --- story ---


@pytest.mark.parametrize(
    ("_case", "status", "ours", "theirs", "is_kept"),
    [
        ("both know it", 200, "active", True, True),
        ("neither got that far", 200, "registered", False, True),
        ("the simulator forgot it", 200, "active", False, False),
        ("the database forgot the token", 401, "active", True, False),
    ],
)
def test_it_opens_the_kept_shop_again(state, server, _case, status, ours, theirs, is_kept):
    facts.write(KNOWN)
    approved = [{"pin": KNOWN["pin"], "initialised": theirs}]
    server.answers[DEVICES] = (status, {"results": [{"state": ours}]})
    server.answers[APPROVED] = (200, {"devices": approved})

    found = story.reopen(server.url, Api(server.url))

    assert (found is not None) == is_kept


def test_it_opens_no_shop_from_half_the_facts(state, server):
    facts.write({"token": "t0"})

    assert story.reopen(server.url, Api(server.url)) is None
    assert server.asked == []


def test_it_breaks_off_at_an_item_that_kra_refuses(server):
    item = {"sku": "KETTLE", "state": "refused", "trouble": {"code": "910"}}
    server.answers["/api/items/"] = (200, {"results": [item]})

    with pytest.raises(Problem, match="KRA refused the item KETTLE: .*910"):
        story.are_registered(Api(server.url))


def test_it_breaks_off_at_a_sale_that_is_not_signed(server):
    sale = {"status": "queued", "trouble": {"code": "no_answer"}}

    with pytest.raises(Problem, match="The sale is queued: .*no_answer"):
        story.signed("sale", Api(server.url), sale)


def test_it_keeps_a_pdf_as_it_comes(state, server, capsys):
    pdf = b"%PDF-1.4\xff\x00\n"
    server.answers["/api/invoices/7/receipt.pdf"] = (200, pdf)

    story.keep_a_copy(Api(server.url, "t0"), {"id": 7})

    assert (state / "receipt.pdf").read_bytes() == pdf
    assert server.asked[0][3]["Authorization"] == "Token t0"
    assert str(state / "receipt.pdf") in capsys.readouterr().out


def test_it_keeps_no_refusal_as_a_pdf(state, server):
    error = {"code": "not_signed", "message": "The sale is queued.", "help": "Wait."}
    server.answers["/api/invoices/7/receipt.pdf"] = (409, {"error": error})

    with pytest.raises(Problem, match="answered 409: The sale is queued. Wait."):
        story.keep_a_copy(Api(server.url), {"id": 7})

    assert not (state / "receipt.pdf").exists()


def test_it_says_what_the_x_report_counts(server, capsys):
    report = {
        "sales": {"count": 2, "total": "12.00"},
        "credit_notes": {"count": 1, "total": "4.00"},
    }
    server.answers["/api/reports/x/?device=DEMO-0001"] = (200, report)

    story.count_the_day(Api(server.url), KNOWN)

    assert "sales 2 (KES 12.00), credit notes 1 (KES 4.00)" in capsys.readouterr().out


def test_it_says_where_to_look_and_shows_no_token():
    known = KNOWN | {"sale": 7, "receipt_url": "http://web/r/x/"}

    lines = story.addresses("http://web", "http://kra", "secret", known)

    assert ("admin", "http://web/admin/  (admin / secret)") in lines
    assert ("dashboard", "http://web/dashboard/  (the same account)") in lines
    assert ("receipt", "http://web/r/x/  (the buyer's page)") in lines
    assert ("", str(paths.STATE / facts.RECEIPT_FILE)) in lines
    assert not any("t0" in text or "p0" in text for _, text in lines)


def test_it_sells_every_kind():
    lines = shop.sale("R-1", "S")["lines"]
    rows = {row["sku"]: row for row in shop.catalogue()}

    assert {rows[line["item"]]["tax"] for line in lines} == {"standard", "exempt"}
    assert any("discount_percent" in line for line in lines)
    assert any(rows[line["item"]].get("product_type") == "service" for line in lines)
