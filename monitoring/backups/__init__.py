"""Copies of the whole installation, and proof that they can be restored."""
