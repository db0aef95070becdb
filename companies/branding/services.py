"""Read and change how a company's receipts look."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from companies.models import Branding, Company

from .logos import read_logo


def branding_of(company_id: int) -> Branding:
    """The company's branding; the defaults, unsaved, when it never chose any."""
    found = Branding.objects.filter(company_id=company_id).first()
    return found or Branding(company_id=company_id)


@transaction.atomic
def change_branding(company: Company, **changes: Any) -> Branding:
    """Change the fields named and leave the others, also when two do so at once."""
    mine = Branding.objects.filter(company=company)
    Branding.objects.get_or_create(company=company)
    mine.update(**changes, updated_at=timezone.now())
    return mine.get()


def set_logo(company: Company, upload: bytes) -> Branding:
    """Replace the logo by what `read_logo` makes of an upload. Raises Invalid, PayloadTooLarge."""
    logo = read_logo(upload)
    return change_branding(company, logo=logo.png, logo_width=logo.width, logo_height=logo.height)


def remove_logo(company: Company) -> Branding:
    return change_branding(company, logo=b"", logo_width=0, logo_height=0)
