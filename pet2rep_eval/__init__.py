"""Reads PET/CT reports as a nuclear medicine physician would, and scores generated ones."""

from pet2rep_eval._version import __version__

__all__ = ["__version__"]
