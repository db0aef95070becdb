"""Receipts: decided in `document`, set by one module per kind of format, listed in `formats`, and
handed out, on record, by `printing`.
"""
