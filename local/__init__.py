"""The supervisor behind ./run: servers, demo, tests and checks.

Standard library only, but for prepare.py, which runs inside Django.
"""
