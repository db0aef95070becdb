"""A company's branding as a receipt carries it."""

from companies.branding.services import branding_of

from .document import Branding
from .words import Language


def branding_for(company_id: int) -> Branding:
    row = branding_of(company_id)
    language: Language = "sw" if row.language == "sw" else "en"
    return Branding(
        logo=bytes(row.logo) or None,
        header=tuple(line for line in row.header if line.strip()),
        footer=tuple(line for line in row.footer if line.strip()),
        language=language,
        paper=row.paper,
    )
