"""What Prometheus is told."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

REQUESTS = Counter("requests", "Requests by path and status.", ("path", "status"), registry=REGISTRY)
SECONDS = Histogram(
    "request_seconds",
    "From a request's first byte to its answer.",
    registry=REGISTRY,
    buckets=(0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30),
)
PICTURES = Counter("pictures", "Pictures that were answered.", registry=REGISTRY)
BATCH = Histogram("batch_pictures", "Pictures in a batch.", buckets=(1, 2, 4, 8, 16), registry=REGISTRY)
WAITING = Gauge("pictures_waiting", "Pictures that wait for their answer.", registry=REGISTRY)
MODEL = Gauge("model", "1 for the model that answers.", ("name", "engine"), registry=REGISTRY)
CHANGES = Counter("model_changes", "Models that were taken in place of another.", registry=REGISTRY)
REFUSED_MODELS = Counter(
    "model_failures", "Models that could not be loaded; the one before went on.", registry=REGISTRY
)
