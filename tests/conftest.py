"""What several tests share: where the real data are, if they are there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
"""Rules and real data beside the project; other people's, hence never part of it."""

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the real data are not beside the project ({SHARED.name}/)"
)

# No test is timed: a library's first import, or a busy machine, is not a failure.
settings.register_profile("pet2rep_eval", deadline=None)
settings.load_profile("pet2rep_eval")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite what the tests expect from files")
