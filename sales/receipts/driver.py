"""The ESC/POS library, loaded so that it costs little and fails with a reason.

By itself it reads a list of all printers on the market with every process, which takes a second or
two, to find the one description that we use; `printer.json` is that one. It also makes a temporary
folder while it is being imported, which a server with a read-only disk refuses.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.errors import DomainError

PRINTERS = Path(__file__).parent / "printer.json"


class NoTemporaryFolder(DomainError):
    status = 503
    code = "no_temporary_folder"
    help = (
        "The operator sets TMPDIR to a folder that this service may write to. "
        "Meanwhile take the receipt as txt, html or pdf."
    )


def load() -> Any:
    """The library's printers. Raises NoTemporaryFolder; then the next call tries again."""
    os.environ.setdefault("ESCPOS_CAPABILITIES_FILE", str(PRINTERS))
    try:
        import escpos.printer
    except OSError as error:
        raise NoTemporaryFolder(
            f"Receipts for thermal printers need a temporary folder: {error.strerror or error}."
        ) from error
    return escpos.printer


def warm() -> None:
    """Load it before anybody waits for it: when a web worker starts."""
    try:
        load()
    except NoTemporaryFolder:
        # A worker without it answers everything else; who asks for such a receipt is told.
        return


@lru_cache(maxsize=4)
def printer_class(dots: int) -> Any:
    """A function that builds a printer which keeps its bytes, on paper of that width."""
    library = load()
    from escpos.capabilities import get_profile_class

    generic = get_profile_class("default")
    # Without a width it would write a complaint to standard output with every picture.
    media = {"media": {"width": {"mm": "Unknown", "pixels": dots}}}
    profile = type("Profile", (generic,), {"profile_data": generic.profile_data | media})

    def build() -> Any:
        printer = library.Dummy()
        printer.profile = profile()
        return printer

    return build
