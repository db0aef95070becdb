"""What Prometheus reads at /metrics (docs/metrics.md).

Two sources. Facts about the work are read from rows when somebody scrapes (facts.py), so that every
web process, worker and beat is covered without telling anybody anything. Requests are counted where
they are answered (requests.py), by prometheus-client, across the processes of one server.
"""
