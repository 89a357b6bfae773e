"""Label maps of any segmenter: organs by name, their uptake, and the states to be expected of them."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pet2rep_eval.errors import ImagingError, UnknownNameError
from pet2rep_eval.imaging.geometry import Voxels, canonical
from pet2rep_eval.imaging.header import require
from pet2rep_eval.imaging.nifti import is_nifti, stem
from pet2rep_eval.imaging.quantities import LiverReference, Spacing, components
from pet2rep_eval.records import UptakeState
from pet2rep_eval.resources import read_text


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(read_text("lexicons", "label_maps.toml"))


def table_names() -> tuple[str, ...]:
    """Tables of label values that come with the package."""
    return tuple(_data()["tables"])


def _plain(name: str) -> str:
    """A segment's name without side and number: ``lung_upper_lobe_left`` → ``lung_upper_lobe``."""
    plain = re.sub(r"[\s\-]+", "_", name.strip().lower())
    plain = re.sub(r"(?:^|_)(?:left|right|l|r)(?=_|$)", "", plain)
    plain = re.sub(r"(?:_(?:[cltsCLTS]?\d+))+$", "", plain)
    return plain.strip("_")


@cache
def _by_name() -> dict[str, str]:
    return {name: organ for organ, names in _data()["organs"].items() for name in names}


def organ_of(name: str) -> str | None:
    """Organ key of a segment by its name, or None: no organ of a report."""
    known = _by_name()
    plain = _plain(name)
    return known.get(plain) or known.get(name.strip().lower())


def side_of(name: str) -> str | None:
    """``left``, ``right`` or None."""
    found = re.search(r"(?:^|[_\s\-])(left|right|l|r)(?=[_\s\-]|$)", name.strip().lower())
    return None if not found else {"l": "left", "r": "right"}.get(found[1], found[1])


def read_table(path: Path) -> dict[int, str]:
    """Value → name from JSON (either direction, or nnU-Net's ``labels``), CSV or TSV (``index``,
    ``name``).
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            content = json.loads(text)
            content = content.get("labels", content)
            table = {}
            for key, value in content.items():
                number, name = (key, value) if str(key).lstrip("-").isdigit() else (value, key)
                table[int(number)] = str(name)
        else:
            delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
            rows = list(csv.DictReader(text.splitlines(), delimiter=delimiter))
            table = {int(row["index"]): row["name"] for row in rows}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ImagingError(
            f"{path}: this is no table of labels ({type(error).__name__}). JSON {{value: name}}, "
            "nnU-Net's dataset.json, or CSV/TSV with the columns 'index' and 'name' are read."
        ) from error
    table.pop(0, None)
    return table


def bundled_table(name: str) -> dict[int, str]:
    """A table that comes with the package, by name. Raises UnknownNameError."""
    tables = _data()["tables"]
    if name not in tables:
        raise UnknownNameError("table of labels", name, tables)
    return dict(enumerate(tables[name], start=1))


def load_labels(
    path: str | Path, grid: Any, table: str | Path | Mapping[int, str] | None = None
) -> dict[str, Voxels]:
    """Segment name → mask ``[z, y, x]`` on the canonical PET grid *grid* (nearest neighbour).

    *path* is a label map (NIfTI) or a folder with one NIfTI mask a segment. *table* names its values: a file,
    a mapping, or the name of a bundled table; by default a JSON, TSV or CSV of the same name, or
    ``dataset.json``. Raises ImagingError where values have no names.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if is_nifti(f))
        if not files:
            raise ImagingError(f"{path}: there is no NIfTI mask in the folder.")
        found = {stem(f): _on_grid(f, grid) > 0 for f in files}
        return {name: mask for name, mask in found.items() if mask.any()}
    values = _on_grid(path, grid)
    names = _table(path, table)
    masks = {}
    for value in np.unique(values[values != 0]):
        if int(value) not in names:
            raise ImagingError(f"{path}: value {int(value)} of the label map has no name in its table.")
        masks[names[int(value)]] = values == value
    return masks


def _table(path: Path, table: str | Path | Mapping[int, str] | None) -> dict[int, str]:
    if isinstance(table, Mapping):
        return dict(table)
    if table is not None:
        return bundled_table(str(table)) if str(table) in table_names() else read_table(Path(table))
    for beside in (
        *(path.with_name(stem(path) + s) for s in (".json", ".tsv", ".csv")),
        path.parent / "dataset.json",
    ):
        if beside.is_file():
            return read_table(beside)
    raise ImagingError(
        f"{path}: the names of the labels are not said. Put a table beside it ({stem(path)}.json), "
        f"or name one: {', '.join(table_names())}."
    )


def _on_grid(path: Path, grid: Any) -> Voxels:
    from pet2rep_eval.imaging.nifti import read_nifti

    sitk = require("SimpleITK")
    labels = canonical(read_nifti(path))
    nearest = sitk.sitkNearestNeighbor
    moved = sitk.Resample(labels, grid, sitk.Transform(), nearest, 0.0, sitk.sitkFloat32)
    values = sitk.GetArrayFromImage(moved)
    if not np.array_equal(values, np.rint(values)):
        raise ImagingError(f"{path}: a label map holds whole numbers; this holds fractions.")
    whole: Voxels = values.astype(np.int32)
    return whole


@dataclass(frozen=True, slots=True)
class OrganUptake:
    """Uptake of one organ, sides apart where the segmenter tells them apart."""

    organ: str
    side: str | None
    suv_mean: float
    suv_median: float
    suv_max: float
    suv_sd: float
    volume_ml: float


def grouped(masks: Mapping[str, Voxels]) -> dict[tuple[str, str | None], Voxels]:
    """(organ key, side) → union of the segments of that organ and side; segments of no organ are left out."""
    found: dict[tuple[str, str | None], Voxels] = {}
    for name, mask in masks.items():
        organ = organ_of(name)
        if organ is not None:
            key = organ, side_of(name)
            found[key] = found[key] | mask if key in found else mask
    return found


def organ_uptake(suv: Voxels, masks: Mapping[str, Voxels], spacing: Spacing) -> tuple[OrganUptake, ...]:
    """Statistics of every organ that *masks* (by segment name) hold."""
    voxel_ml = float(np.prod(spacing)) / 1000
    rows = []
    for (organ, side), mask in sorted(
        grouped(masks).items(), key=lambda item: (item[0][0], item[0][1] or "")
    ):
        v = suv[mask].astype(np.float64)
        if v.size:
            rows.append(
                OrganUptake(
                    organ,
                    side,
                    float(v.mean()),
                    float(np.median(v)),
                    float(v.max()),
                    float(v.std()),
                    v.size * voxel_ml,
                )
            )
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class References:
    """Uptake that others are compared with."""

    liver: LiverReference
    blood_pool: float


def references(suv: Voxels, masks: Mapping[str, Voxels]) -> References:
    """Liver (median and robust SD, so that lesions in it do not count) and blood pool (aorta), eroded.

    Raises ImagingError where either is not segmented.
    """
    found = {}
    for name in ("liver", "blood_pool"):
        segments = [m for n, m in masks.items() if _plain(n) in _data()["reference"][name]]
        values = suv[_core(np.logical_or.reduce(segments))] if segments else np.empty(0)
        if values.size == 0:
            wanted = _data()["reference"][name][0]
            raise ImagingError(f"The label map has no {wanted}, which the uptake of organs is compared with.")
        middle = float(np.median(values))
        found[name] = middle, 1.4826 * float(np.median(np.abs(values - middle)))
    return References(LiverReference(*found["liver"]), found["blood_pool"][0])


def _core(mask: Voxels) -> Voxels:
    """A mask without its outermost voxels, where the blur mixes neighbours; itself if all are."""
    from scipy import ndimage

    core: Voxels = ndimage.binary_erosion(mask, ndimage.generate_binary_structure(3, 1))
    return core if core.any() else mask


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the image lets one expect a report to say about an organ."""

    organ: str
    states: frozenset[UptakeState]
    """Abnormal states; empty: none is seen."""
    assessable: frozenset[UptakeState]
    """Abnormal states that the rule can judge for this organ."""
    reason: str


def expected_states(suv: Voxels, masks: Mapping[str, Voxels], spacing: Spacing) -> dict[str, Expectation]:
    """Organ key → abnormal uptake states that its SUVs let one expect.

    The rule, on the organ without its outermost voxels, for connected parts of at least 1 ml: *increased*
    above 1.5 × liver + 2 SD, except in organs with physiological uptake or excretion; *decreased* below 0.7 ×
    the organ's own median; *absent* below 0.4 × that median and 0.5 × blood pool; both except in organs whose
    normal uptake is uneven or low. The figures are in ``lexicons/label_maps.toml``.
    """
    rule = _data()["rule"]
    level = references(suv, masks)
    hot = (
        rule["increased_liver_factor"] * level.liver.mean
        + rule["increased_liver_deviations"] * level.liver.sd
    )
    voxel_ml = float(np.prod(spacing)) / 1000
    whole: dict[str, Voxels] = {}
    for (organ, _), mask in grouped(masks).items():
        whole[organ] = whole[organ] | mask if organ in whole else mask
    found = {}
    for organ, mask in whole.items():
        core = _core(mask)
        median = float(np.median(suv[core]))
        cold, void = rule["decreased_fraction"] * median, rule["absent_fraction"] * median
        void = min(void, rule["absent_blood_pool_fraction"] * level.blood_pool)
        states, assessable, reasons = set(), set(), [f"median {median:.2f}"]
        if organ not in rule["physiological"]:
            assessable.add(UptakeState.INCREASED)
            if _largest_ml(core & (suv > hot), voxel_ml) >= rule["smallest_focus_ml"]:
                states.add(UptakeState.INCREASED)
                reasons.append(f"a focus above {hot:.2f}")
        if organ not in rule["uneven"]:
            assessable |= {UptakeState.DECREASED, UptakeState.ABSENT}
            if _largest_ml(core & (suv < void), voxel_ml) >= rule["smallest_focus_ml"]:
                states.add(UptakeState.ABSENT)
                reasons.append(f"a part below {void:.2f}")
            elif _largest_ml(core & (suv < cold), voxel_ml) >= rule["smallest_focus_ml"]:
                states.add(UptakeState.DECREASED)
                reasons.append(f"a part below {cold:.2f}")
        found[organ] = Expectation(organ, frozenset(states), frozenset(assessable), ", ".join(reasons))
    return found


def _largest_ml(mask: Voxels, voxel_ml: float) -> float:
    if not mask.any():
        return 0.0
    labels, _ = components(mask)
    return float(np.bincount(labels.ravel())[1:].max()) * voxel_ml


CONSISTENT, CONTRADICTED, NOT_ASSESSABLE = "consistent", "contradicted", "not assessable"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A report's statement about an organ against the image."""

    organ: str
    verdict: str
    """``consistent``, ``contradicted`` or ``not assessable``."""
    stated: frozenset[UptakeState]
    expected: frozenset[UptakeState]
    reason: str


def compare_with_report(
    expected: Mapping[str, Expectation], stated: Mapping[str, frozenset[UptakeState]]
) -> tuple[Comparison, ...]:
    """What a report states (``ParsedReport.states``) against what the image lets one expect, organ by organ.

    Only states that the rule can judge are compared; decreased and absent count as one direction, because
    where one ends and the other begins is a matter of words. An organ that is not segmented, or of which the
    report states no uptake, is not assessable.
    """
    rows = []
    for organ, states in stated.items():
        abnormal = states - {UptakeState.NORMAL}
        judged = expected.get(organ)
        if judged is None:
            rows.append(Comparison(organ, NOT_ASSESSABLE, abnormal, frozenset(), "not segmented"))
        elif not states:
            rows.append(
                Comparison(organ, NOT_ASSESSABLE, abnormal, judged.states, "the report states no uptake")
            )
        elif not judged.assessable or (abnormal and not abnormal & judged.assessable):
            reason = "physiological or uneven uptake"
            rows.append(Comparison(organ, NOT_ASSESSABLE, abnormal, judged.states, reason))
        else:
            same = _directions(abnormal & judged.assessable) == _directions(judged.states)
            verdict = CONSISTENT if same else CONTRADICTED
            rows.append(Comparison(organ, verdict, abnormal, judged.states, judged.reason))
    return tuple(rows)


def _directions(states: frozenset[UptakeState]) -> set[str]:
    return {"up" if state is UptakeState.INCREASED else "down" for state in states}
