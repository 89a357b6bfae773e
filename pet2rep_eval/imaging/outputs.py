"""What a run leaves besides the pictures: prompt files, quantities, failures, the contact sheet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pet2rep_eval.errors import InputError, UnknownNameError
from pet2rep_eval.imaging.contact_sheet import write_contact_sheet
from pet2rep_eval.imaging.labels import Expectation, compare_with_report
from pet2rep_eval.imaging.petrg3d import FOLDER, collect
from pet2rep_eval.imaging.preparing import IMAGES, Prepared
from pet2rep_eval.prompts import healthy_report, prompt_names, render_prompt
from pet2rep_eval.records import UptakeState

TASK = "PET2Rep"


@dataclass(frozen=True, slots=True)
class PromptChoice:
    """Which prompt is written for the studies."""

    name: str = "pet2rep"
    language: str = "zh"
    reports: Mapping[str, str] = field(default_factory=dict)
    """Study id → reference report, for the key ``answer``."""
    sexes: Mapping[str, str] = field(default_factory=dict)
    """Study id → ``M`` or ``F``, for prompts that depend on it."""


def write_outputs(output: Path, results: Sequence[Prepared], choice: PromptChoice) -> dict[str, Path]:
    """Writes the two prompt files, ``quantities.jsonl``, ``failures.jsonl`` and the contact sheet.

    ``prompts.jsonl`` is the benchmark's format: the text for fused pictures, and the paths of fused, PET and
    CT pictures; the second file has the text for separate ones. Returns kind → path.
    """
    if choice.name not in prompt_names():
        raise UnknownNameError("prompt", choice.name, prompt_names())
    done = [r for r in results if r.problem is None]
    failed = [(r.study_id, r.problem) for r in results if r.problem is not None]
    paths = {
        "prompts": _write(output / "prompts.jsonl", (prompt_record(r.record, choice) for r in done)),
        "separate prompts": _write(
            output / "prompts.separate.jsonl", (prompt_record(r.record, choice, "separate") for r in done)
        ),
        "quantities": _write(output / "quantities.jsonl", (_quantities(r.record, choice) for r in done)),
        "failures": _write(
            output / "failures.jsonl", ({"study_id": i, "problem": problem} for i, problem in failed)
        ),
        "contact sheet": write_contact_sheet(output, [r.record for r in done], failed),
    }
    if any(r.record["options"]["layout"] == "petrg-3d" for r in done):
        healthy = {sex: healthy_report("zh", sex) for sex in ("M", "F")}
        sexes = {r.study_id: choice.sexes.get(r.study_id, r.record.get("sex", "")) for r in done}
        paths[FOLDER] = collect(output, [r.study_id for r in done], choice.reports, sexes, healthy)
    return paths


def prompt_record(record: Mapping[str, Any], choice: PromptChoice, variant: str = "fused") -> dict[str, Any]:
    """A line of the benchmark's prompt file. Raises InputError where it needs a sex that is not known."""
    study_id = record["study_id"]

    def pictures(kind: str) -> list[str]:
        return [f"{IMAGES}/{study_id}/{plane['files'][kind]}" for plane in record["planes"]]

    count = len(record["planes"]) * (1 if variant == "fused" else 2)
    sex = choice.sexes.get(study_id) or record.get("sex") or None
    try:
        system, user = render_prompt(
            choice.name, choice.language, variant, images=count, sex=sex if sex in ("M", "F") else None
        )
    except InputError as error:
        raise InputError(f"study '{study_id}': {error.problem}", remedy=error.remedy) from error
    line: dict[str, Any] = {"patient_id": study_id, "task": TASK, "prompt_system": system}
    if variant == "fused":
        line["prompt_image_fuse"] = pictures("fused")
    line |= {"prompt_image_pet": pictures("pet"), "prompt_image_ct": pictures("ct"), "prompt_user_text": user}
    if record["options"]["layout"] == "petrg-3d":
        line |= {
            "prompt_volume_ct": f"{FOLDER}/images/{study_id}_0000.nii.gz",
            "prompt_volume_pet": f"{FOLDER}/images/{study_id}_0001.nii.gz",
        }
    if study_id in choice.reports:
        line["answer"] = choice.reports[study_id]
    return line


def _quantities(record: Mapping[str, Any], choice: PromptChoice) -> dict[str, Any]:
    kept = ("study_id", "body_mean_suv", "suv", "lesions", "organs", "expected_states", "notes")
    row = {key: record[key] for key in kept if key in record}
    report = choice.reports.get(record["study_id"])
    if report and record.get("expected_states"):
        row["report_against_image"] = _comparison(report, record["expected_states"])
    return row


def _comparison(report: str, expected: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the reference report states of each organ against what its SUVs let one expect."""
    from pet2rep_eval.parsing import parse_report

    def states(names: Iterable[str]) -> frozenset[UptakeState]:
        return frozenset(map(UptakeState, names))

    judged = {
        organ: Expectation(organ, states(e["states"]), states(e["assessable"]), e["reason"])
        for organ, e in expected.items()
    }
    return [
        {
            "organ": c.organ,
            "verdict": c.verdict,
            "stated": sorted(c.stated),
            "expected": sorted(c.expected),
            "reason": c.reason,
        }
        for c in compare_with_report(judged, parse_report(report).states)
    ]


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """JSON lines, complete or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    partial.replace(path)
    return path
