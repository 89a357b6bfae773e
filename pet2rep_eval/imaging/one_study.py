"""From studies to pictures, sidecars and quantities: one study at a time, many in parallel, resumable."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pet2rep_eval._version import __version__
from pet2rep_eval.errors import ImagingError, Pet2RepEvalError
from pet2rep_eval.imaging.dicom import Series, check_geometry, read_volume, series_in
from pet2rep_eval.imaging.geometry import Study, Voxels, canonical, voxels
from pet2rep_eval.imaging.header import require, tag_name, text
from pet2rep_eval.imaging.labels import expected_states, load_labels, organ_uptake
from pet2rep_eval.imaging.nifti import is_nifti, open_nifti, read_nifti
from pet2rep_eval.imaging.planes import DEFAULT_STRATEGY, KeyPlane, choose_planes, explicit, shown
from pet2rep_eval.imaging.quantities import DEFAULT_THRESHOLD, components, region_quantities
from pet2rep_eval.imaging.reading import SuvVolume, choose_ct, choose_pet, located, read_suv, suv_of
from pet2rep_eval.imaging.rendering import (
    DEFAULT_PRESET,
    VARIANTS,
    annotated,
    cut,
    encoded,
    preset,
    render,
    sidecar,
    suffix,
)
from pet2rep_eval.imaging.studies import StudyFiles, safe_id

LAYOUTS = ("pet2rep", "petrg-3d")
IMAGES = "images"
RECORD = "study.json"
BODY_MEAN = (0.3, 2.0)
"""Outside of it the mean SUV of the body is flagged: it is about 1 where dose, weight and times are right."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is made of each study. All of it decides whether a finished study is made anew."""

    preset: str = DEFAULT_PRESET
    strategy: str = DEFAULT_STRATEGY
    orientation: str = "coronal"
    count: int = 3
    indices: tuple[int, ...] = ()
    positions_mm: tuple[float, ...] = ()
    """Explicit planes; they win over the strategy."""
    units: str | None = None
    strict: bool = False
    threshold: str = DEFAULT_THRESHOLD
    label_table: str | None = None
    layout: str = "pet2rep"
    changes: tuple[tuple[str, Any], ...] = ()
    """Settings of the preset that are replaced."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What became of one study."""

    study_id: str
    problem: str | None = None
    record: dict[str, Any] = field(default_factory=dict)
    resumed: bool = False


def fingerprint(study: StudyFiles, options: Options) -> str:
    """Changes with the input files (paths, sizes, times), the options and the version."""
    parts: list[Any] = [asdict(options), __version__]
    for path in (study.pet, study.ct, study.lesions, study.labels):
        if path is None:
            continue
        files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file())
        stats = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files[:1] + files[-1:]]
        parts.append([str(path.resolve()), len(files), stats])
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]


def prepare_study(study: StudyFiles, output: Path, options: Options) -> Prepared:
    """Pictures, sidecars and the record of one study below ``output/images/<study_id>``, all or nothing.

    Never raises for a bad study: the reason is in the result.
    """
    try:
        study_id = safe_id(study.study_id)
        if study.problem:
            raise ImagingError(study.problem)
        if study.pet is None or study.ct is None:
            raise ImagingError(f"no {' and no '.join(study.missing)} was found")
        target = output / IMAGES / study_id
        mark = fingerprint(study, options)
        done = _finished(target, mark)
        if done is not None:
            return Prepared(study_id, None, done, True)
        partial = output / IMAGES / f".partial-{study_id}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            record = {"study_id": study_id, "fingerprint": mark, **_make(study, partial, study_id, options)}
            _write_json(partial / RECORD, record)
            shutil.rmtree(target, ignore_errors=True)
            partial.replace(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return Prepared(study_id, None, record)
    except Pet2RepEvalError as error:
        return Prepared(study.study_id, str(error))
    except MemoryError:
        return Prepared(study.study_id, "there is not enough memory for the volumes; use fewer workers")
    except Exception as error:  # noqa: BLE001 - one study must not stop thousands; the reason is reported
        return Prepared(study.study_id, f"{type(error).__name__}: {error}")


def _finished(target: Path, mark: str) -> dict[str, Any] | None:
    try:
        record = json.loads((target / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("fingerprint") != mark:
        return None
    complete = all((target / name).is_file() for p in record["planes"] for name in p["files"].values())
    return record if complete else None


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def load_study(study: StudyFiles, options: Options) -> tuple[Study, SuvVolume, list[str]]:
    """The volumes of a study with what was doubtful about them. Raises ImagingError, SUVError."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        suv, ct = _volumes(study, options, notes)
    notes += [str(w.message) for w in caught]
    volumes = Study.of(suv.image, ct)
    # The volume as it was read would cost its memory a second time.
    return volumes, replace(suv, image=None), list(dict.fromkeys(notes))


def _volumes(study: StudyFiles, options: Options, notes: list[str]) -> tuple[SuvVolume, Any]:
    if study.pet is None or study.ct is None:
        raise ImagingError(f"no {' and no '.join(study.missing)} was found")
    with ExitStack() as stack:
        pet_place = stack.enter_context(located(study.pet))
        ct_place = pet_place if study.ct == study.pet else stack.enter_context(located(study.ct))
        found: tuple[Series, ...] | None = None
        if is_nifti(pet_place):
            suv = read_suv(pet_place, strict=options.strict, units=options.units)
        else:
            found = series_in(pet_place)
            suv = suv_of(choose_pet(found, pet_place, None, notes))
            if options.strict and (notes or suv.conversion.warnings):
                raise ImagingError([*notes, *suv.conversion.warnings][0])
            notes += suv.conversion.warnings
        if is_nifti(ct_place):
            return suv, open_nifti(ct_place)
        series = found if found is not None and study.ct == study.pet else series_in(ct_place)
        chosen = choose_ct(series, ct_place, None, suv.frame_of_reference)
        if found is not None and text(chosen.header, "PatientID") != suv.patient:
            raise ImagingError(
                f"{tag_name('PatientID')} differs between PET and CT: they are of two patients."
            )
        check_geometry(chosen)
        return suv, read_volume(chosen)


def _make(files: StudyFiles, folder: Path, study_id: str, options: Options) -> dict[str, Any]:
    study, suv, notes = load_study(files, options)
    lesions = _lesion_masks(files, study)
    if options.indices or options.positions_mm:
        planes = explicit(
            study, options.orientation, indices=options.indices, positions_mm=options.positions_mm
        )
    else:
        planes = choose_planes(study, options.strategy, options.orientation, options.count, lesions)
    whole = options.layout == "petrg-3d"
    study = study.with_ct(None if whole else [(p.orientation, p.index) for p in planes])
    body_mean = study.body_mean()
    if not BODY_MEAN[0] <= body_mean <= BODY_MEAN[1]:
        notes.append(
            f"the mean SUV of the body is {body_mean:.2f}, outside {BODY_MEAN[0]} to {BODY_MEAN[1]}: "
            "dose, weight or times may be wrong, or only a part of the body is in the image"
        )
    notes += [f"plane {p.index}: {p.reason}" for p in planes if "warning" in p.reason]
    conversion = suv.conversion.record()
    record: dict[str, Any] = {
        "software": f"pet2rep-eval {__version__}",
        "options": asdict(options),
        "planes": [_draw(study, plane, folder, study_id, options, conversion) for plane in planes],
        "suv": conversion,
        "body_mean_suv": round(body_mean, 4),
        "pet_grid": {"size": list(study.suv.GetSize()), "spacing_mm": [round(s, 6) for s in study.spacing]},
        "notes": notes,
    }
    if lesions:
        seen = shown(study, planes, lesions)
        values = voxels(study.suv)
        record["lesions"] = [
            {
                **region_quantities(values, mask, study.spacing, name=name, rule=options.threshold).record(),
                "shown_in_planes": list(seen[name]),
            }
            for name, mask in lesions.items()
        ]
    if files.labels is not None:
        record |= _organs(files.labels, study, options)
    if options.layout == "petrg-3d":
        from pet2rep_eval.imaging.petrg3d import write_pair

        write_pair(study, folder, study_id)
        record["sex"] = suv.sex
    return record


def _lesion_masks(files: StudyFiles, study: Study) -> dict[str, Voxels]:
    """The lesions of a mask (connected parts, the largest first) or of a label map (its values)."""
    if files.lesions is None:
        return {}
    sitk = require("SimpleITK")
    image = canonical(read_nifti(files.lesions))
    moved = sitk.Resample(image, study.suv, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0, sitk.sitkInt32)
    values = sitk.GetArrayFromImage(moved)
    if values.max() > 1:
        return {f"lesion {v}": values == v for v in np.unique(values[values > 0])}
    labels, count = components(values > 0)
    order = np.argsort(-np.bincount(labels.ravel(), minlength=count + 1)[1:], kind="stable") + 1
    return {f"lesion {n}": labels == label for n, label in enumerate(order.tolist(), 1)}


def _organs(labels: Path, study: Study, options: Options) -> dict[str, Any]:
    masks = load_labels(labels, study.suv, options.label_table)
    values = voxels(study.suv)
    rows = [asdict(row) for row in organ_uptake(values, masks, study.spacing)]
    for row in rows:
        row |= {k: round(v, 4) for k, v in row.items() if isinstance(v, float)}
    try:
        expected = {
            organ: {"states": sorted(e.states), "assessable": sorted(e.assessable), "reason": e.reason}
            for organ, e in expected_states(values, masks, study.spacing).items()
        }
    except ImagingError as error:
        return {"organs": rows, "expected_states": None, "expected_states_missing": str(error)}
    return {"organs": rows, "expected_states": expected}


def _draw(
    study: Study, plane: KeyPlane, folder: Path, study_id: str, options: Options, conversion: dict[str, Any]
) -> dict[str, Any]:
    """The pictures of one plane with a sidecar each; their names."""
    style = preset(options.preset, **dict(options.changes))
    values = cut(study, plane, style.pixel_mm)
    pictures, windows = render(values, style)
    files = {}
    for variant in VARIANTS:
        name = f"{study_id}_{plane.index}_{plane.orientation}_{variant}"
        content = encoded(annotated(pictures[variant], values, plane, style), style)
        (folder / f"{name}{suffix(style)}").write_bytes(content)
        _write_json(
            folder / f"{name}.json", {"picture": variant} | sidecar(plane, values, style, windows, conversion)
        )
        files[variant] = f"{name}{suffix(style)}"
    return {**asdict(plane), "files": files}
