"""A company is on board whole or not at all; what is odd is refused with a reason."""

import pytest
from django.contrib.auth import get_user_model
from django.db import DataError

from companies import services
from companies.models import COMPANY_SCOPES, ApiToken, Branch, Company, Member
from companies.services import onboard_company

pytestmark = pytest.mark.django_db
URL = "/api/company/onboard/"
GATEWAY = {"consumer_key": "ck-never-shown", "consumer_secret": "cs-never-shown", "app_id": "app"}


def body(**more):
    facts = {
        "pin": "A123456789Z",
        "name": "Baraka Stores",
        "environment": "simulator",
        "head_office": {"code": "00", "name": "Head office", "address": "Moi Avenue"},
    }
    return facts | more


@pytest.fixture
def onboard(api):
    operator = api()
    return lambda **more: operator.post(URL, body(**more), format="json")


def test_it_makes_company_branch_and_first_token(onboard, client_of):
    response = onboard()

    assert response.status_code == 201
    answer = response.json()
    assert (answer["company"]["pin"], answer["company"]["profile"]) == ("A123456789Z", "direct")
    assert answer["company"]["pin_verified"] is False
    assert (answer["branch"]["code"], answer["branch"]["is_head_office"]) == ("00", True)
    token = ApiToken.objects.get(company__pin="A123456789Z")
    assert set(token.scopes) == set(COMPANY_SCOPES)
    rows = client_of(answer["token"]).get("/api/companies/").json()["results"]
    assert [row["pin"] for row in rows] == ["A123456789Z"]


def test_the_same_pin_twice_is_a_conflict(onboard):
    onboard()

    response = onboard(name="Another name")

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "company_exists"
    assert [(c.name, c.branches.count(), c.tokens.count()) for c in Company.objects.all()] == [
        ("Baraka Stores", 1, 1)
    ]


def test_it_leaves_nothing_behind_when_a_part_fails(db):
    office = {"code": "00", "name": "n" * 61}
    facts = {key: body()[key] for key in ("pin", "name", "environment")} | {"profile": "direct"}

    with pytest.raises(DataError):
        onboard_company(head_office=office, **facts)

    assert not Company.objects.exists()
    assert not Branch.objects.exists()
    assert not ApiToken.objects.exists()


ARABIC_ZERO = "\u0660"


@pytest.mark.parametrize(
    ("_case", "more", "field"),
    [
        ("short PIN", {"pin": "A12345678Z"}, "pin"),
        ("small letters", {"pin": "a123456789z"}, "pin"),
        ("PIN and a new line", {"pin": "A123456789Z\n"}, "pin"),
        ("digits of another script", {"pin": f"A12345678{ARABIC_ZERO}Z"}, "pin"),
        ("no name", {"name": ""}, "name"),
        ("unknown environment", {"environment": "test"}, "environment"),
        ("unknown profile", {"profile": "vscu"}, "profile"),
        ("branch of one digit", {"head_office": {"code": "0", "name": "n"}}, "head_office.code"),
        ("branch and a new line", {"head_office": {"code": "00\n", "name": "n"}},
         "head_office.code"),
        ("branch in another script", {"head_office": {"code": ARABIC_ZERO * 2, "name": "n"}},
         "head_office.code"),
        ("unknown field", {"phone": "0712"}, "phone"),
        ("keys that no header can carry", {"gateway": GATEWAY | {"consumer_secret": "ключ"}},
         "gateway.consumer_secret"),
        ("an app id with a new line", {"gateway": GATEWAY | {"app_id": "a\n"}}, "gateway.app_id"),
    ],
)  # fmt: skip
def test_it_refuses_what_is_not_a_company(onboard, _case, more, field):
    response = onboard(**more)

    assert response.status_code == 400, response.content
    assert [p["field"] for p in response.json()["error"]["detail"]] == [field]
    assert not Company.objects.exists()


@pytest.mark.parametrize(
    ("_case", "environment", "gateway", "status"),
    [
        ("sandbox without keys", "sandbox", None, 400),
        ("sandbox with keys", "sandbox", GATEWAY, 201),
        ("simulator without keys", "simulator", None, 201),
    ],
)
def test_the_gateway_wants_its_keys(onboard, _case, environment, gateway, status):
    response = onboard(environment=environment, profile="gavaconnect", gateway=gateway)

    assert response.status_code == status
    assert "never-shown" not in response.content.decode()


def test_the_gateways_keys_are_kept_encrypted(onboard, django_assert_num_queries):
    onboard(environment="sandbox", profile="gavaconnect", gateway=GATEWAY)

    company = Company.objects.get()
    assert (company.consumer_key, company.consumer_secret) == ("ck-never-shown", "cs-never-shown")
    assert str(company) == "Baraka Stores (A123456789Z)"


def test_only_the_operator_onboards(api, alpha):
    response = api(alpha).post(URL, body(), format="json")

    assert response.status_code == 403
    assert Company.objects.count() == 1


def test_a_branch_is_added_once(api, alpha):
    client, branch = api(alpha), {"code": "01", "name": "Mombasa"}

    assert client.post("/api/branches/", branch, format="json").status_code == 201
    response = client.post("/api/branches/", branch, format="json")

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "branch_exists"
    assert [str(b) for b in alpha.branches.order_by("code")][1] == f"{alpha.pk}/01 Mombasa"


MEMBER = {"username": "asha", "role": "cashier"}


def test_a_person_gets_a_role_once(api, alpha):
    client = api(alpha)

    first = client.post("/api/members/", MEMBER, format="json")
    again = client.post("/api/members/", MEMBER | {"role": "owner"}, format="json")

    assert (first.status_code, again.status_code) == (201, 409)
    assert again.json()["error"]["code"] == "member_exists"
    assert str(Member.objects.get()) == "asha (cashier)"


@pytest.mark.parametrize(
    ("_case", "password", "status"),
    [("none", None, 201), ("strong", "mambo-9Kq-sawa", 201), ("weak", "12345", 400)],
)
def test_a_new_person_gets_a_password_that_is_not_weak(api, alpha, _case, password, status):
    response = api(alpha).post("/api/members/", MEMBER | {"password": password}, format="json")

    assert response.status_code == status, response.content
    people = get_user_model().objects.all()
    assert [p.check_password(password) for p in people if password] == [True] * (
        status == 201 and password is not None
    )
    assert all(p.has_usable_password() == (password is not None) for p in people)


def test_a_person_made_by_another_request_a_moment_ago_is_taken(db):
    people = get_user_model().objects
    first = people.create_user("asha", password="mambo-9Kq-sawa")

    assert services._new_user("asha", "", "other-7Zp-x") == first

    assert people.get().check_password("mambo-9Kq-sawa")


def test_a_person_may_work_for_two_companies(api, alpha, beta):
    api(alpha).post("/api/members/", MEMBER | {"password": "mambo-9Kq-sawa"}, format="json")

    response = api(beta).post("/api/members/", MEMBER | {"password": "other-7Zp-x"}, format="json")

    assert response.status_code == 201
    (person,) = get_user_model().objects.all()
    assert person.check_password("mambo-9Kq-sawa")
    assert person.memberships.count() == 2


# --- Another role, or none ---


def member(company, name, role, **fields):
    user = get_user_model().objects.create(username=name, **fields)
    return Member.objects.create(company=company, user=user, role=role)


def test_a_role_is_changed_and_taken_away(api, alpha):
    member(alpha, "owner", "owner")
    asha = member(alpha, "asha", "cashier")

    changed = api(alpha).patch(f"/api/members/{asha.pk}/", {"role": "manager"}, format="json")
    gone = api(alpha).delete(f"/api/members/{asha.pk}/")
    again = api(alpha).delete(f"/api/members/{asha.pk}/")

    assert (changed.status_code, changed.json()["role"]) == (200, "manager")
    assert (gone.status_code, again.status_code) == (204, 404)
    assert [str(m) for m in Member.objects.all()] == ["owner (owner)"]
    assert get_user_model().objects.count() == 2


def test_the_last_owner_stays(api, alpha, beta):
    owner = member(alpha, "owner", "owner")
    member(alpha, "gone", "owner", is_active=False)
    member(beta, "stranger", "owner")
    address = f"/api/members/{owner.pk}/"

    answers = [
        api(alpha).delete(address),
        api(alpha).patch(address, {"role": "auditor"}, format="json"),
    ]

    for answer in answers:
        assert answer.status_code == 409, answer.content
        assert answer.json()["error"]["code"] == "last_owner"
        assert "Make somebody else an owner" in answer.json()["error"]["help"]
    assert api(alpha).patch(address, {"role": "owner"}, format="json").status_code == 200
    member(alpha, "second", "owner")
    assert api(alpha).delete(address).status_code == 204


def test_another_companys_member_is_not_there(api, alpha, beta):
    theirs = member(beta, "stranger", "cashier")
    address = f"/api/members/{theirs.pk}/"

    answers = [
        api(alpha).patch(address, {"role": "owner"}, format="json"),
        api(alpha).delete(address),
    ]

    assert [a.status_code for a in answers] == [404, 404]
    assert Member.objects.get().role == "cashier"


@pytest.mark.parametrize("body", [{"role": "king"}, {}, {"role": None}, {"role": "owner", "x": 1}])
def test_a_role_that_is_none_is_refused(api, alpha, body):
    asha = member(alpha, "asha", "cashier")

    answer = api(alpha).patch(f"/api/members/{asha.pk}/", body, format="json")

    assert answer.status_code == 400
    assert answer.json()["error"]["detail"][0]["field"] in ("role", "x")
    assert Member.objects.get().role == "cashier"


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_remove_each_other_leave_one(alpha):
    import threading

    from django.db import connection

    owners = [member(alpha, name, "owner") for name in ("a", "b")]
    together, refused = threading.Barrier(2), []

    def leave(one):
        together.wait(10)
        try:
            services.remove_member(one)
        except services.LastOwner:
            refused.append(one.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=leave, args=[one]) for one in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert (Member.objects.count(), len(refused)) == (1, 1)
