"""From scans to a leaderboard: prepare → generate → score → compare, each stage cached by content."""

from pet2rep_eval.pipeline.configuration import RunConfiguration, read_configuration
from pet2rep_eval.pipeline.stages import Hooks, PlannedStage, Run, RunResult

__all__ = ["Hooks", "PlannedStage", "Run", "RunConfiguration", "RunResult", "read_configuration"]
