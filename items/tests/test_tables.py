"""A catalogue as a file: a verdict per row, and nothing half-applied."""

import time
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from items.models import Item, ItemDefault
from items.services import sync_items, table
from outbox.models import Transmission

pytestmark = [pytest.mark.urls("items.tests.urls"), pytest.mark.django_db]
HEAD = "sku,name,classification,tax,price,is_active\n"


@pytest.fixture
def client(alpha, api):
    return api(alpha)


@pytest.fixture
def send(client):
    def post(data, query="", kind="text/csv"):
        data = data.encode() if isinstance(data, str) else data
        return client.generic("POST", f"/api/item/import/{query}", data, kind)

    return post


def fault(answer):
    (problem,) = answer.json()["error"]["detail"]
    assert answer.status_code == 400
    assert problem["next_step"]
    assert not Item.objects.exists()
    return problem["field"], problem["reason"]


def verdicts(answer):
    assert answer.status_code == 200, answer.content[:500]
    return [(v["row"], v["sku"], v["verdict"]) for v in answer.json()["results"]]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_it_reads_utf8_with_and_without_a_bom(send, bom):
    text = HEAD + 'A,"Kettle, 1.7 l é",1000000000,standard,2320.00,yes\nB,Pot,1000000000,B,x,\n'

    answer = send(bom + text.encode())

    assert verdicts(answer) == [(0, "A", "created"), (1, "B", "refused")]
    assert answer.json()["results"][1]["problems"][0]["field"] == "price"
    assert Item.objects.get().name == "Kettle, 1.7 l é"
    assert Transmission.objects.filter(kind="item").count() == 1


def test_it_reads_semicolons_and_windows_lines(send):
    text = HEAD.replace(",", ";").replace("\n", "\r\n") + "A;Kettle;1000000000;B;1;no\r\n"

    assert verdicts(send(text)) == [(0, "A", "created")]
    assert Item.objects.get().is_active is False


def test_it_reads_an_uploaded_file(client):
    file = SimpleUploadedFile("items.csv", (HEAD + "A,Kettle,1000000000,B,1,\n").encode())

    answer = client.post("/api/item/import/", {"file": file}, format="multipart")

    assert verdicts(answer) == [(0, "A", "created")]
    missing = client.post("/api/item/import/", {"other": "x"}, format="multipart")
    assert missing.json()["error"]["detail"][0]["field"] == "file"


def test_it_reads_json_like_the_sync(send):
    good = '{"sku":"A","name":"K","classification":"1000000000","tax":"B","price":1}'

    answer = send('{"items":[' + good + ',{"sku":"B"},7]}', kind="application/json")

    assert [v for *_, v in verdicts(answer)] == ["created", "refused", "refused"]


@pytest.mark.parametrize(
    ("_case", "data", "field"),
    [
        ("latin-1", (HEAD + "A,Kettle,1,B,1,\nB,Café,1,B,1,\n").encode("latin-1"), "line 3"),
        ("windows-1252", (HEAD + "A,“Best” kettle,1,B,1,\n").encode("cp1252"), "line 2"),
        ("utf-16", HEAD.encode("utf-16"), "line 1"),
        ("utf-16, big end first", b"\xfe\xff" + HEAD.encode("utf-16-be"), "line 1"),
        ("utf-16 without a mark", HEAD.encode("utf-16-le"), "line 1"),
        ("zero byte", (HEAD + "A\x00,K,1,B,1,\n").encode(), "line 2"),
        ("open quote", (HEAD + 'A,"K,1,B,1,\n').encode(), "line 2"),
        ("text behind a quote", (HEAD + 'A,"K" 1,1,B,1,\n').encode(), "line 2"),
        ("a last row that breaks", (HEAD + "A,K,1,B,1,\n" * 4999 + 'B,"K').encode(), "line 5001"),
        ("unknown column", b"sku,name,price,colour\nA,K,1,red\n", "line 1"),
        ("column twice", b"sku,name,price,price\nA,K,1,1\n", "line 1"),
        ("column missing", b"sku,price\nA,1\n", "line 1"),
        ("empty", b"", ""),
        ("only a head", HEAD.encode(), ""),
    ],
)
def test_a_faulty_file_stores_nothing(send, _case, data, field):
    assert fault(send(data))[0] == field


def test_other_bodies_are_refused(send):
    assert send("<x/>", kind="application/xml").status_code == 415
    assert send(HEAD, query="?dry_run=maybe").json()["error"]["detail"][0]["field"] == "dry_run"
    assert send(b"x" * (32 * 1_048_576 + 1)).status_code == 413
    assert fault(send("sku,name,price\n" + "A,K,1\n" * 50_001))[0] == ""


def test_a_row_with_too_many_cells_is_refused_alone(send):
    text = HEAD + "A,Kettle, 1.7 l,1000000000,B,1,\nB,Pot,1000000000,B,1,\n"

    assert verdicts(send(text)) == [(0, "A", "refused"), (1, "B", "created")]


def test_a_dry_run_says_the_same_and_stores_nothing(send):
    text = HEAD + "A,Kettle,1000000000,B,1,\nA,Again,1000000000,B,1,\nC,Pot,1000000000,X,1,\n"

    dry = verdicts(send(text, "?dry_run=true"))

    assert not Item.objects.exists()
    assert not Transmission.objects.exists()
    assert dry == verdicts(send(text))
    assert [v for *_, v in dry] == ["created", "refused", "refused"]
    assert [v for *_, v in verdicts(send(text))] == ["unchanged", "refused", "refused"]


def test_a_repeated_sku_is_found_across_the_parts(send, monkeypatch):
    monkeypatch.setattr("items.services.table.CHUNK", 2)
    rows = "".join(f"{sku},Kettle,1000000000,B,1,\n" for sku in "ABCA")

    assert verdicts(send(HEAD + rows))[3] == (3, "A", "refused")
    assert Item.objects.count() == 3


def test_a_death_in_the_middle_leaves_nothing(send, monkeypatch):
    real, calls = sync_items, []

    def dies(*args):
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return real(*args)

    monkeypatch.setattr(table, "CHUNK", 1)
    monkeypatch.setattr(table, "sync_items", dies)
    with pytest.raises(RuntimeError):
        send(HEAD + "A,Kettle,1000000000,B,1,\nB,Pot,1000000000,B,1,\n")

    assert not Item.objects.exists()


@pytest.mark.parametrize("rows", [10_000, pytest.param(50_000, marks=pytest.mark.long)])
def test_many_rows_are_taken_in_time(send, rows):
    def take(count, prefix):
        rows = "".join(f"{prefix}{n},Item {n},1000000000,B,{n % 900}.50,\n" for n in range(count))
        start = time.process_time()
        assert send(HEAD + rows).json()["summary"]["created"] == count
        return time.process_time() - start

    few = take(rows // 10, "F")
    many = take(rows, "M")

    assert Item.objects.count() == Transmission.objects.count() == rows + rows // 10
    # Ten times the rows, about ten times the work: measured here, for machines differ.
    assert many < 20 * few


@pytest.mark.django_db(transaction=True)
def test_many_rows_are_not_checked_with_the_plans_made_for_few(send):
    def take(count, prefix):
        rows = "".join(f"{prefix}{n},Item {n},1000000000,B,1,\n" for n in range(count))
        assert send(HEAD + rows).json()["summary"]["created"] == count

    def rows_read():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")
            cursor.execute("SELECT sum(seq_tup_read) FROM pg_stat_user_tables")
            return cursor.fetchone()[0]

    take(10, "A")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE items_item, outbox_transmission")
    take(10, "B")  # from now on the connection keeps its plans: to read all of a table of a page
    before = rows_read()
    take(2_500, "C")

    # A look at every row for every new one would read three million.
    assert rows_read() - before < 100_000


# --- Defaults by category ---

KITCHEN = {"category": "Kitchen", "classification": "1000000000", "tax": "standard",
           "product_type": "raw", "packaging_unit": "CT"}  # fmt: skip


def test_a_category_gives_what_a_new_row_leaves_out(client, send, alpha, beta, api):
    put = client.put("/api/item/defaults/", {"defaults": [KITCHEN]}, format="json")
    assert put.json()["defaults"][0]["tax"] == "B"
    assert api(beta).get("/api/item/defaults/").json() == {"defaults": []}

    answer = send("sku,name,price,category,packaging_unit\nA,Pot,1,Kitchen,\nB,Pan,1,Kitchen,BG\n"
                  "C,Cup,1,Other,\nD,Mug,1,,\n")  # fmt: skip

    assert [v for *_, v in verdicts(answer)] == ["created", "created", "refused", "refused"]
    fields = [p["field"] for p in answer.json()["results"][2]["problems"]]
    assert fields == ["classification", "tax"]
    first, second = Item.objects.order_by("sku")
    assert (first.tax_letter, first.product_type, first.packaging_unit) == ("B", "1", "CT")
    assert second.packaging_unit == "BG"
    # An item that exists keeps what its row leaves out.
    Item.objects.filter(pk=second.pk).update(tax_letter="A")
    verdicts(send("sku,name,price,category\nB,Pan,2,Kitchen\n"))
    second.refresh_from_db()
    assert (second.tax_letter, second.packaging_unit, second.price) == ("A", "BG", Decimal(2))


@pytest.mark.parametrize(
    ("_case", "defaults", "field"),
    [
        ("tax", [KITCHEN | {"tax": "Q"}], "defaults[0].tax"),
        ("unit", [KITCHEN | {"packaging_unit": "BOX"}], "defaults[0].packaging_unit"),
        ("twice", [KITCHEN, KITCHEN], "defaults[1].category"),
        ("blank", [KITCHEN | {"category": " "}], "defaults[0].category"),
    ],
)
def test_faulty_defaults_change_nothing(client, _case, defaults, field):
    client.put("/api/item/defaults/", {"defaults": [KITCHEN]}, format="json")

    answer = client.put("/api/item/defaults/", {"defaults": defaults}, format="json")

    assert answer.status_code == 400
    assert [p["field"] for p in answer.json()["error"]["detail"]] == [field]
    assert ItemDefault.objects.get().tax_letter == "B"
