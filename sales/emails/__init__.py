"""Receipts by e-mail: owed in the transaction that records KRA's signature, sent by a sweep."""
