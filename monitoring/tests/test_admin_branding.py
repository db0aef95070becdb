"""The page on which a person says how receipts look, and the preview of it."""

import io

import pypdf
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from companies.branding.services import change_branding
from companies.models import Branding, Member
from monitoring.admin.branding import PREVIEWS

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client, django_user_model):
    client.force_login(
        django_user_model.objects.create(username="op", is_staff=True, is_superuser=True)
    )
    return client


@pytest.fixture
def branding(alpha):
    return change_branding(alpha.company, header=["Karibu sana"], footer=["Asante"])


def page_of(branding):
    return reverse("admin:companies_branding_change", args=[branding.pk])


def form(**more):
    return {"header": "One\r\nTwo", "footer": "", "language": "sw", "paper": "58mm"} | more


def logo(size=(64, 32)):
    out = io.BytesIO()
    Image.new("RGB", size, "navy").save(out, "PNG")
    return SimpleUploadedFile("logo.png", out.getvalue(), "image/png")


def test_it_is_edited(staff, branding):
    response = staff.post(page_of(branding), form(new_logo=logo()))

    assert response.status_code == 302, response.content.decode()
    branding.refresh_from_db()
    assert (branding.header, branding.footer) == (["One", "Two"], [])
    assert (branding.language, branding.paper, branding.logo_width) == ("sw", "58mm", 64)


def test_the_logo_stays_until_it_is_removed(staff, branding):
    staff.post(page_of(branding), form(new_logo=logo()))
    staff.post(page_of(branding), form())
    branding.refresh_from_db()
    assert branding.logo_width == 64

    staff.post(page_of(branding), form(remove_logo="on"))
    branding.refresh_from_db()
    assert bytes(branding.logo) == b""


def test_a_first_branding_is_added(staff, alpha):
    body = form(company=alpha.company.pk)

    assert staff.post(reverse("admin:companies_branding_add"), body).status_code == 302
    assert Branding.objects.get(company=alpha.company).language == "sw"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"header": "\r\n".join("abcdef")}, "at most 5 fit"),
        ({"footer": "x" * 61}, "more than 60 characters"),
        ({"new_logo": SimpleUploadedFile("x.png", b"no picture")}, "cannot be read"),
        ({"language": "fr"}, "not one of the available choices"),
    ],
)
def test_it_says_what_is_wrong(staff, branding, body, said):
    response = staff.post(page_of(branding), form(**body))

    assert response.status_code == 200
    assert said in response.content.decode()
    assert Branding.objects.get().header == ["Karibu sana"]


@pytest.mark.parametrize("kind", PREVIEWS)
def test_the_preview_is_marked_as_a_sample(staff, branding, kind):
    response = staff.get(reverse("admin:companies_branding_preview", args=[branding.pk, kind]))

    assert response.status_code == 200
    text = response.content.decode("utf-8", "replace")
    if kind != "html":
        pages = pypdf.PdfReader(io.BytesIO(response.content)).pages
        text = "\n".join(page.extract_text() for page in pages)
    assert "SAMPLE" in text
    assert "Karibu sana" in text
    assert "Asante" in text


def test_the_previews_are_reached_from_the_page(staff, branding):
    page = staff.get(page_of(branding)).content.decode()

    for kind in PREVIEWS:
        assert reverse("admin:companies_branding_preview", args=[branding.pk, kind]) in page


def test_only_those_who_may_look_see_a_preview(client, branding, django_user_model):
    user = django_user_model.objects.create(username="clerk", is_staff=True)
    client.force_login(user)
    address = reverse("admin:companies_branding_preview", args=[branding.pk, "html"])

    assert client.get(address).status_code == 403
    assert client.get(page_of(branding)).status_code == 403
    Member.objects.create(company=branding.company, user=user, role="auditor")
    assert client.get(address).status_code == 200
    assert client.post(page_of(branding), form()).status_code == 403


def test_who_leads_the_company_changes_how_its_receipts_look(client, branding, django_user_model):
    user = django_user_model.objects.create(username="asha", is_staff=True)
    Member.objects.create(company=branding.company, user=user, role="manager")
    client.force_login(user)

    assert client.post(page_of(branding), form()).status_code == 302


def test_there_is_no_other_preview(staff, branding):
    for pk, kind in ((branding.pk, "exe"), (branding.pk + 1, "html")):
        address = reverse("admin:companies_branding_preview", args=[pk, kind])
        assert staff.get(address).status_code == 404


def test_no_secret_of_the_company_is_read(staff, branding, django_assert_max_num_queries):
    with django_assert_max_num_queries(40) as queries:
        staff.get(reverse("admin:companies_branding_changelist"))
        staff.get(page_of(branding))
        staff.get(reverse("admin:companies_branding_preview", args=[branding.pk, "html"]))

    read = " ".join(query["sql"].partition(" FROM ")[0] for query in queries.captured_queries)
    assert "consumer_" not in read
