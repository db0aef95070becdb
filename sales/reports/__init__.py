"""Reports from our own records: right while KRA is down, and never twice about one sale."""
