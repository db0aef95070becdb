"""The supervisor behind ./run: servers, demo, tests and checks. Standard library only."""
