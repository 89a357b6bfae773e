"""From the scanner's files to SUVs, key slices, quantities and prompts. Needs the extra ``imaging``.

Nothing heavy is imported here: SimpleITK, pydicom and Pillow come with the first call that needs them.
"""

from pet2rep_eval.imaging.reading import SuvVolume, load_ct, load_suv, read_suv
from pet2rep_eval.imaging.suv import SuvConversion, SUVWarning, suv_conversion

__all__ = [
    "SUVWarning",
    "SuvConversion",
    "SuvVolume",
    "load_ct",
    "load_suv",
    "read_suv",
    "suv_conversion",
]
