"""From prompts to generated reports: prompt files, backends and the runner that resumes.

Thin: the models' own libraries do the work. This package prepares, feeds, records and resumes.
"""

from pet2rep_eval.inference.backends import BACKENDS, Backend, create_backend
from pet2rep_eval.inference.decoding import PRESETS, Decoding
from pet2rep_eval.inference.prompt_file import read_prompts, write_prompts
from pet2rep_eval.inference.requests import Completion, Prompt
from pet2rep_eval.inference.runner import RunReport, generate

__all__ = [
    "BACKENDS",
    "PRESETS",
    "Backend",
    "Completion",
    "Decoding",
    "Prompt",
    "RunReport",
    "create_backend",
    "generate",
    "read_prompts",
    "write_prompts",
]
