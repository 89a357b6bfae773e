"""From the text of a report to its statements."""

from pet2rep_eval.parsing.report import parse_report

__all__ = ["parse_report"]
