"""From scans to a leaderboard: prepare → generate → score → compare, each stage cached by content."""

from pet2rep_eval.pipeline.configuration import RunConfiguration, read_configuration
from pet2rep_eval.pipeline.full_demo import full_demo
from pet2rep_eval.pipeline.stages import Hooks, PlannedStage, Run, RunResult

__all__ = ["Hooks", "PlannedStage", "Run", "RunConfiguration", "RunResult", "full_demo", "read_configuration"]
