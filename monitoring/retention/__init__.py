"""What is let go by age, and what keeps it (docs/retention.md)."""
