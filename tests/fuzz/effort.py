"""How long the fuzzing is: some seconds, or as long as `CNNC_FUZZ` says (examples for each test)."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

LONG = int(os.environ.get("CNNC_FUZZ", "0"))


def effort(examples: int) -> settings:
    """So many examples, always the same ones; with `CNNC_FUZZ` as many as it says, new ones each time."""
    return settings(max_examples=LONG or examples, deadline=None, derandomize=not LONG, database=None,
                    suppress_health_check=list(HealthCheck))
