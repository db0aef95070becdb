"""What an operator's staff may look at. Nothing is changed here: that is the API's and the
services' part, and a permission to view shows every company.
"""

from . import companies, devices, outbox, registers, sales

__all__ = ["companies", "devices", "outbox", "registers", "sales"]
