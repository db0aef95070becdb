"""KYC and architecture documents: facts of the deployment, blanks where it knows nothing."""

import io

import pytest
from django.core.management import CommandError, call_command

from .conftest import KEY


def write(folder, company=""):
    call_command(
        "certify", documents=True, folder=str(folder), company=company, stdout=io.StringIO()
    )
    return {path.name: path.read_text() for path in (folder / "documents").iterdir()}


def test_they_hold_the_deployment_s_facts(alpha, beta, tmp_path, settings):
    papers = write(tmp_path, alpha.company.pin)

    assert sorted(papers) == ["architecture.md", "kyc.md"]
    assert "| KRA PIN | A000000001A |" in papers["kyc.md"]
    assert "| alpha-1 | 00 | active | KRACU0100000001 |" in papers["kyc.md"]
    assert settings.KRA_HOSTS[("sandbox", "direct")][0] in papers["architecture.md"]
    assert settings.PUBLIC_URL in papers["architecture.md"]
    assert "Beta Stores" not in "".join(papers.values())


def test_what_is_not_known_is_left_to_people(alpha, tmp_path):
    kyc = write(tmp_path)["kyc.md"]

    assert "| Directors | to be filled in: names and national IDs |" in kyc
    assert "| Trade name | to be filled in: trade name, or none |" in kyc


def test_they_hold_no_secret(alpha, tmp_path, settings):
    texts = "".join(write(tmp_path).values())

    secrets = [KEY, "never-shown", settings.SECRET_KEY, *settings.ENCRYPTION_KEYS]
    secrets.append(settings.DATABASES["default"].get("PASSWORD") or "never-shown")
    assert not [secret for secret in secrets if secret in texts]


def test_what_people_filled_in_stays(alpha, tmp_path):
    write(tmp_path)
    kyc = tmp_path / "documents" / "kyc.md"
    kyc.write_text("filled in by hand")

    papers = write(tmp_path)

    assert papers["kyc.md"] == "filled in by hand"
    assert len([name for name in papers if name.startswith("kyc-")]) == 1


def test_names_of_strangers_break_no_table(alpha, tmp_path):
    alpha.company.trade_name = "A | B <script>"
    alpha.company.save()

    assert "A \\| B &lt;script>" in write(tmp_path)["kyc.md"]


def test_the_company_must_be_named_when_there_are_two(alpha, beta, tmp_path):
    with pytest.raises(CommandError, match="--company PIN"):
        write(tmp_path)
