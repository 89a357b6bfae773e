"""``pet2rep-eval prepare``: PET/CT studies → SUV → key slices → prompts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pet2rep_eval.cli._output import Grid, chosen_format, console, emit, note, progress, to_json, to_rich

if TYPE_CHECKING:
    from pet2rep_eval.imaging.preparing import Prepared
    from pet2rep_eval.imaging.studies import StudyFiles


@click.command(name="prepare", short_help="Turn PET/CT studies into key slices and prompts.")
@click.argument("studies", nargs=-1, type=click.Path(path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Folder for pictures and prompts.")
@click.option("--layout", default="pet2rep", show_default=True, help="pet2rep, petrg-3d (adds volumes).")
@click.option(
    "--preset", default="clinical", show_default=True, help="Look of the pictures: clinical, pet2rep."
)
@click.option(
    "--planes",
    "strategy",
    default="body_fraction",
    show_default=True,
    help="body_fraction, pet2rep_fixed, centroid, mip, max_uptake, coverage.",
)
@click.option("--orientation", default="coronal", show_default=True, help="coronal, sagittal, axial.")
@click.option("--count", type=click.IntRange(1, 20), default=3, show_default=True, help="Planes a study.")
@click.option(
    "--index", "indices", type=int, multiple=True, help="A plane by its index, instead of a strategy."
)
@click.option("--position", "positions", type=float, multiple=True, help="A plane by its position in mm.")
@click.option("--units", type=click.Choice(["suv"]), help="NIfTI files hold SUVs by body weight already.")
@click.option("--strict", is_flag=True, help="A doubtful header is an error.")
@click.option("--threshold", default="41%", show_default=True, help="Rule of metabolic tumour volumes.")
@click.option("--label-table", help="Names of the values of label maps: a file, or totalsegmentator.")
@click.option("--colours", help="Colour map instead of the preset's: hot, pet, hot_iron, …")
@click.option("--suv-max", type=click.FloatRange(min=0.1), help="Upper end of the SUV window.")
@click.option("--caption/--no-caption", default=None, help="Plane and sides, below and in the picture.")
@click.option("--scale-bar/--no-scale-bar", default=None, help="A bar of 10 cm below the picture.")
@click.option("--prompt", default="pet2rep", show_default=True, help="Name of the prompt.")
@click.option(
    "--language", type=click.Choice(["zh", "en"]), default="zh", show_default=True, help="Of prompts."
)
@click.option(
    "--references", type=click.Path(path_type=Path), help="Reference reports, for the key 'answer'."
)
@click.option("--phantoms", type=click.IntRange(1), help="Make so many synthetic patients and prepare them.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the synthetic patients.")
@click.option("--workers", type=click.IntRange(1), help="Processes (default: the cores, at most 4).")
@click.option("--list", "list_only", is_flag=True, help="Only say what was found and what is missing.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), help="Of the list on stdout.")
def command(
    studies: tuple[Path, ...],
    output: Path | None,
    strategy: str,
    indices: tuple[int, ...],
    positions: tuple[float, ...],
    prompt: str,
    language: str,
    references: Path | None,
    phantoms: int | None,
    seed: int,
    workers: int | None,
    list_only: bool,
    form: str | None,
    **options: Any,
) -> None:
    """Turn PET/CT STUDIES into SUVs, key slices, quantities and prompts.

    STUDIES are folders (of one study or of thousands), zip archives, or tables with the columns study_id, pet
    and ct. DICOM and NIfTI are read. A study that fails is reported with its reason and stops no other; run
    the
    same command again to go on after a stop. Exit 1 if a study failed.

    \b
    Examples:
      pet2rep-eval prepare scans/ -o slices --references reports.jsonl
      pet2rep-eval prepare scans/ --list
      pet2rep-eval prepare autopet/ -o slices --preset pet2rep --planes pet2rep_fixed
      pet2rep-eval prepare --phantoms 12 -o slices
    """
    from pet2rep_eval.errors import InputError
    from pet2rep_eval.imaging.outputs import PromptChoice, write_outputs
    from pet2rep_eval.imaging.preparing import prepare_studies
    from pet2rep_eval.imaging.studies import find_studies

    places = list(studies)
    if output is None and not list_only:
        raise click.UsageError("Give --output DIR, or --list.")
    if phantoms is not None and output is not None:
        places.append(_phantoms(output, phantoms, seed, language))
        references = references or output / "phantoms" / "references.jsonl"
    if not places:
        raise click.UsageError("Give the studies, or --phantoms N.")
    with progress("Looking for studies") as seen:
        found = find_studies(places, seen)
    if not found:
        raise InputError(
            "no PET/CT study was found", path=places[0], remedy="DICOM, NIfTI, zip and tables are read."
        )
    if list_only or output is None:
        _list(found, form)
        return
    chosen = _options(strategy, indices, positions, options)
    reports, sexes = _references(references)
    output.mkdir(parents=True, exist_ok=True)
    with progress("Preparing", len(found)) as done:
        finished: list[Prepared] = []

        def step(result: Prepared) -> None:
            finished.append(result)
            done(len(finished))

        results = prepare_studies(found, output, chosen, workers=workers, progress=step)
    paths = write_outputs(output, results, PromptChoice(prompt, language, reports, sexes))
    _report(results, paths, output, form)


def _options(
    strategy: str, indices: tuple[int, ...], positions: tuple[float, ...], given: dict[str, Any]
) -> Any:
    from pet2rep_eval.imaging.colours import colour_map
    from pet2rep_eval.imaging.preparing import Options

    changes: dict[str, Any] = {}
    if (colours := given.pop("colours")) is not None:
        colour_map(colours)
        changes["colours"] = colours
    if (suv_max := given.pop("suv_max")) is not None:
        changes["suv_window"] = (0.0, suv_max)
    for name in ("caption", "scale_bar"):
        if (value := given.pop(name)) is not None:
            changes[name] = value
    return Options(
        strategy=strategy, indices=indices, positions_mm=positions, changes=tuple(changes.items()), **given
    )


def _phantoms(output: Path, count: int, seed: int, language: str) -> Path:
    from pet2rep_eval.imaging.phantom_cohort import write_cohort

    with progress("Making phantoms", count) as done:
        made: list[object] = []

        def step(patient: object) -> None:
            made.append(patient)
            done(len(made))

        return write_cohort(output / "phantoms", count, seed, language=language, progress=step)


def _references(path: Path | None) -> tuple[dict[str, str], dict[str, str]]:
    """Reports, and sexes where a JSONL file has the key ``sex``, by study id."""
    if path is None:
        return {}, {}
    import json

    from pet2rep_eval.datasets import read_references

    reports = {study: texts[0] for study, texts in read_references(path).studies.items()}
    sexes = {}
    if path.suffix.lower() == ".jsonl":
        for line in path.read_text(encoding="utf-8-sig").splitlines():
            row = json.loads(line) if line.strip() else {}
            if isinstance(row, dict) and row.get("sex") in ("M", "F"):
                sexes[str(row.get("study_id", ""))] = row["sex"]
    return reports, sexes


def _list(found: tuple[StudyFiles, ...], form: str | None) -> None:
    rows = [
        {
            "study_id": s.study_id,
            "layout": s.layout,
            "pet": None if s.pet is None else str(s.pet),
            "ct": None if s.ct is None else str(s.ct),
            "lesions": None if s.lesions is None else str(s.lesions),
            "labels": None if s.labels is None else str(s.labels),
            "problem": s.problem,
        }
        for s in found
    ]
    if chosen_format(form) == "json":
        emit(to_json(rows))
        return
    cells = [
        tuple(
            str(r[k] or "") if k in ("study_id", "layout", "problem") else "✓" if r[k] else "–"
            for k in rows[0]
        )
        for r in rows
    ]
    whole = sum(s.problem is None for s in found)
    grid = Grid(
        f"{len(found)} studies, {whole} complete",
        ("Study", "Layout", "PET", "CT", "Lesions", "Labels", "Problem"),
        tuple(cells),
    )
    console().print(to_rich(grid))


def _report(results: tuple[Prepared, ...], paths: dict[str, Path], output: Path, form: str | None) -> None:
    failed = [r for r in results if r.problem is not None]
    doubtful = [r for r in results if r.problem is None and r.record["notes"]]
    if chosen_format(form) == "json":
        emit(
            to_json(
                {
                    "prepared": len(results) - len(failed),
                    "resumed": sum(r.resumed for r in results),
                    "failed": {r.study_id: r.problem for r in failed},
                    "notes": {r.study_id: r.record["notes"] for r in doubtful},
                    "files": {name: str(path) for name, path in paths.items()},
                }
            )
        )
    else:
        lines = [(r.study_id, "failed", str(r.problem)) for r in failed]
        lines += [(r.study_id, "note", text) for r in doubtful for text in r.record["notes"]]
        if lines:
            console().print(to_rich(Grid("", ("Study", "", "What"), tuple(lines))))
    note(
        f"{output}: {len(results) - len(failed)} studies prepared "
        f"({sum(r.resumed for r in results)} were there), {len(failed)} failed. "
        f"Look at {paths['contact sheet'].name}; generate from {paths['prompts'].name}."
    )
    if failed:
        sys.exit(1)
