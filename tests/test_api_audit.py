"""What tokens did is written down, with the thing's name, as what people did is."""

import json

import pytest
from django.contrib.auth import get_user_model

from companies.models import ApiToken, Member
from monitoring.middleware import AUDITED
from monitoring.models import AuditEvent

from .doors import DOORS, furnish, knock

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(open_till):
    return furnish(open_till("A000000001A", "dvc-a1", name="Alphaville"))


def test_every_retry_of_the_api_is_audited():
    """A new door that tries again must not be forgotten."""
    retries = [name for name in DOORS if name.endswith("/retry/")]

    assert len(retries) == len([door for door in AUDITED.values() if door.act == "retry"])


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("POST /api/customers/{id}/retry/", "sales.Customer"),
        ("POST /api/branch-users/{id}/retry/", "sales.BranchUser"),
        ("POST /api/insurances/{id}/retry/", "sales.Insurance"),
        ("POST /api/stock/movements/{id}/retry/", "items.StockMovement"),
    ],
)
def test_a_retry_is_written_down(world, name, model):
    answer = knock(name, world.path(name), world.shop.secret)

    assert answer.status_code in (200, 202), answer.content
    event = AuditEvent.objects.get(act="retry")
    assert (event.model, event.stage, event.actor_kind) == (model, "done", "token")
    assert event.company_id == world.shop.company.pk


def test_tokens_and_members_are_written_down(world):
    def ask(method, path, **body):
        answer = knock(f"{method} /api/tokens/", path, world.shop.secret, body)
        assert answer.status_code < 300, answer.content
        return answer

    AuditEvent.objects.all()
    made = ask("POST", "/api/tokens/", name="spare", scopes=["sales:read"])
    ask("DELETE", f"/api/tokens/{json.loads(made.content)['id']}/")
    joined = ask("POST", "/api/members/", username="asha", role="cashier")
    address = f"/api/members/{json.loads(joined.content)['id']}/"
    ask("PATCH", address, role="auditor")
    ask("DELETE", address)

    mine = AuditEvent.objects.filter(object_text__regex="spare|asha").order_by("pk")
    assert [(e.act, e.object_text.partition(" (")[0]) for e in mine] == [
        ("issue", "spare"), ("revoke", "spare"),
        ("add_member", "asha"), ("change_role", "asha"), ("remove_member", "asha"),
    ]  # fmt: skip
    assert mine.get(act="change_role").object_text == "asha (auditor)"
    assert json.loads(made.content)["token"] not in str(list(AuditEvent.objects.values()))


def test_a_refused_removal_leaves_no_trace_of_having_been_done(world):
    knock("DELETE /api/members/{id}/", f"/api/members/{world.things['members']}/",
          world.shop.secret)  # fmt: skip

    assert not AuditEvent.objects.filter(act="remove_member").exists()


def test_an_owner_gives_changes_and_takes_a_role_in_the_admin(world, client):
    owner = get_user_model().objects.get(username="alphaville-owner")
    get_user_model().objects.update(is_staff=True)
    client.force_login(owner)
    company = world.shop.company.pk

    def act(model, pk, name, value=""):
        form = {"reason": "new season", "value": value}
        return client.post(f"/admin/companies/{model}/{pk}/act/{name}/", form)

    assert act("company", company, "add_member", "asha").status_code == 400
    assert act("company", company, "add_member", "asha king").status_code == 400
    assert act("company", company, "add_member", "asha manager").status_code == 302
    asha = Member.objects.get(user__username="asha")
    assert act("member", asha.pk, "change_role", "auditor").status_code == 302
    asha.refresh_from_db()
    assert asha.role == "auditor"
    gone = act("member", asha.pk, "remove_member")
    assert gone["Location"] == "/admin/companies/member/"
    last = Member.objects.get(user=owner)
    refused = act("member", last.pk, "remove_member")

    assert refused.status_code == 409
    assert b"only owner" in refused.content
    done = AuditEvent.objects.filter(stage="done", actor="alphaville-owner")
    acts = [e.act for e in done.order_by("pk")]
    assert acts == ["add_member", "change_role", "remove_member"]


def test_operators_token_is_audited_as_well(world):
    secret = ApiToken.issue(name="op", scopes=["platform:admin"])[1]
    name = "POST /api/customers/{id}/retry/"

    assert knock(name, world.path(name), secret).status_code < 300

    assert AuditEvent.objects.get(act="retry").actor.startswith("op ")
