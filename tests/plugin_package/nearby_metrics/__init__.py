"""A metric, a reader and a protocol for pet2rep-eval."""

from pathlib import Path

TWO_ORGANS = Path(__file__).with_name("two_organs.toml")
