"""The thermal printers' library: light, and a reason when it cannot be loaded."""

import json
import os
import subprocess
import sys
import tempfile

import pytest

from sales.receipts import driver

# Prints what the library was made of, as a fresh process sees it.
FRESH = """
import json
from sales.receipts import driver
driver.warm()
from escpos import capabilities
names = list(capabilities.CAPABILITIES["profiles"])
printer = driver.printer_class(576)()
printer.hw("INIT")
print(json.dumps([names, printer.output.hex()]))
"""


def test_it_reads_one_printer_not_the_market():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ESCPOS_CAPABILITIES")}
    done = subprocess.run(
        [sys.executable, "-c", FRESH], capture_output=True, env=environment, timeout=60, check=True
    )

    assert json.loads(done.stdout) == [["default"], "1b40"]


@pytest.fixture
def unloaded(monkeypatch):
    """As before the first receipt of a process."""
    names = [name for name in sys.modules if name.partition(".")[0] == "escpos"]
    for name in names:
        monkeypatch.delitem(sys.modules, name)
    driver.printer_class.cache_clear()
    yield
    driver.printer_class.cache_clear()


def test_without_a_temporary_folder_it_says_what_to_do_and_recovers(unloaded, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as broken:
        broken.setattr(tempfile, "mkdtemp", refuse)
        driver.warm()
        with pytest.raises(driver.NoTemporaryFolder, match="Read-only file system") as raised:
            driver.printer_class(576)

    assert raised.value.status == 503
    assert "TMPDIR" in raised.value.help
    assert driver.printer_class(576)().output == b""
