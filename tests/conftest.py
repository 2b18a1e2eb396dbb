"""What all tests share: the profiles of Hypothesis, and how much of the hard treatment is given."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "local")

FULL = os.environ.get("DALSEGNO_TORTURE") == "full"


@pytest.fixture(scope="session")
def torture_count():
    """Scales a full count of kills or faults: all of it under ``DALSEGNO_TORTURE=full``, else a tenth."""

    def scaled(full: int) -> int:
        return full if FULL else max(1, -(-full // 10))

    return scaled
