from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from . import follower


def journal_metrics(now: datetime) -> Iterator[Metric]:
    text = "Age of the oldest fact that is in no chain yet."
    yield GaugeMetricFamily("etims_journal_lag_seconds", text, value=follower.lag_s())
