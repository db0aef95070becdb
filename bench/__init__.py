"""Measured ratios: ours beside what the machine can do, both in one run (README.md)."""
