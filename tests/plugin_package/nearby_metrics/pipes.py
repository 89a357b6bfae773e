"""Files of ``study|report`` lines, with the suffix .psv."""

from pet2rep_eval.datasets.records import Record
from pet2rep_eval.datasets.source import Reader


def _records(source):
    lines = source.path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        study, sign, report = line.partition("|")
        yield Record(number, {"study_id": study, "prediction": report}, "" if sign else "there is no |")


READER = Reader("pipes", lambda source: source.path.suffix == ".psv", _records)
