"""Finds PET/CT studies in what a user has: one study, a tree of thousands, archives, or a table of paths.

Layouts: DICOM trees (TCIA, autoPET: one folder a series), BIDS-like trees (PETWB-REP), autoPET's NIfTI
folders (``SUV.nii.gz``, ``CTres.nii.gz``), pairs ``<id>_0000`` (CT) and ``<id>_0001`` (PET) as in PETRG-3D,
zip archives.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pet2rep_eval.errors import ImagingError, InputError
from pet2rep_eval.imaging.dicom import NOT_IMAGES, read_header, walk_files
from pet2rep_eval.imaging.header import text
from pet2rep_eval.imaging.nifti import is_nifti, stem

MANIFESTS = (".csv", ".tsv", ".jsonl")
_PET = re.compile(r"(?:^|[_\-.])(?:pet|suv|suvbw|pt)(?=$|[_\-.])", re.IGNORECASE)
_CT = re.compile(r"(?:^|[_\-.])(?:ct|ctres)(?=$|[_\-.])", re.IGNORECASE)
_LESIONS = re.compile(r"(?:^|[_\-.])(?:seg|lesions?|tumou?r)(?=$|[_\-.])", re.IGNORECASE)
_LABELS = re.compile(r"(?:^|[_\-.])(?:labels?|organs?|totalseg\w*|dseg)(?=$|[_\-.])", re.IGNORECASE)
_TAGS = ("SOPClassUID", "Modality", "SeriesInstanceUID", "StudyInstanceUID", "PatientID", "Rows")
_LONGEST_ID = 120


@dataclass(frozen=True, slots=True)
class StudyFiles:
    """Where the volumes of a study lie, or why it cannot be used."""

    study_id: str
    pet: Path | None = None
    ct: Path | None = None
    lesions: Path | None = None
    """A NIfTI mask or label map of lesions."""
    labels: Path | None = None
    """A label map of organs, or a folder of masks."""
    layout: str = ""
    problem: str | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Which of PET and CT are not there."""
        return tuple(name for name, path in (("PET", self.pet), ("CT", self.ct)) if path is None)


def safe_id(study_id: str) -> str:
    """*study_id* if it can name a file. Raises ImagingError for path separators, ``..``, control
    characters, …
    """
    plain = unicodedata.normalize("NFC", study_id).strip()
    bad = (
        not plain
        or len(plain.encode()) > _LONGEST_ID
        or plain.startswith((".", "-", "~"))
        or plain.endswith(".")
        or re.search(r'[\\/:*?"<>|$`]', plain) is not None
        or any(unicodedata.category(c).startswith("C") for c in plain)
    )
    if bad:
        raise ImagingError(
            f"The study id {study_id!r} cannot name a file. Use letters, digits, '.', '_' and '-'."
        )
    return plain


def id_from(parts: Sequence[str]) -> str:
    """A study id from names of folders: joined by ``-``, with the rest replaced."""
    joined = "-".join(unicodedata.normalize("NFC", part) for part in parts if part)
    plain = re.sub(r"[^\w.\-]+", "_", joined).strip("._-")
    if len(plain.encode()) > _LONGEST_ID:
        plain = plain[:60] + "-" + hashlib.sha256(joined.encode()).hexdigest()[:10]
    return plain or "study-" + hashlib.sha256(joined.encode()).hexdigest()[:10]


def find_studies(
    paths: Sequence[str | Path], progress: Callable[[int], None] | None = None
) -> tuple[StudyFiles, ...]:
    """All studies in *paths*, sorted by id; those without PET or CT, or with an unusable id, carry a problem.

    *progress* is called with the number of files seen so far. Raises ImagingError where a path cannot be
    read, InputError for a broken table.
    """
    found: list[StudyFiles] = []
    for given in map(Path, paths):
        if not given.exists() and not given.is_symlink():
            raise ImagingError(f"{given}: there is no such file or folder.")
        if given.is_file() and given.suffix.lower() in MANIFESTS:
            found += read_manifest(given)
        elif given.is_file() and given.suffix.lower() == ".zip":
            found.append(StudyFiles(id_from([given.stem]), given, given, layout="zip"))
        elif given.is_file():
            raise ImagingError(
                f"{given}: give a folder, a zip archive or a table (CSV, TSV, JSONL) of studies."
            )
        else:
            found += _in_folder(given, progress)
    return _checked(found)


def _checked(found: Sequence[StudyFiles]) -> tuple[StudyFiles, ...]:
    """Sorted, with a problem for what is missing, unsafe or there twice."""
    result = []
    seen: dict[str, int] = {}
    for study in found:
        seen[study.study_id] = seen.get(study.study_id, 0) + 1
    for study in sorted(found, key=lambda s: s.study_id):
        problem = study.problem
        try:
            safe_id(study.study_id)
        except ImagingError as error:
            problem = str(error)
        if problem is None and study.missing:
            problem = f"no {' and no '.join(study.missing)} was found"
        if problem is None and seen[study.study_id] > 1:
            problem = f"{seen[study.study_id]} studies have this id; give each its own in a table"
        result.append(replace(study, problem=problem))
    return tuple(result)


def read_manifest(path: Path) -> list[StudyFiles]:
    """A table with the columns ``study_id``, ``pet``, ``ct`` and, if there are any, ``lesions``, ``labels``.

    Paths are relative to the table. Raises InputError with the line.
    """
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows: list[tuple[int, dict[str, str]]] = []
    if path.suffix.lower() == ".jsonl":
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    raise InputError(
                        "not a JSON object", path=path, line=number, remedy="Each line is one."
                    ) from error
                rows.append((number, {k: str(v) for k, v in dict(row).items() if v is not None}))
    else:
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        for row in (reader := csv.DictReader(lines, delimiter=delimiter)):
            rows.append((reader.line_num, {k: v for k, v in row.items() if k and v}))
    found = []
    for number, row in rows:
        for column in ("study_id", "pet", "ct"):
            if not row.get(column):
                raise InputError(
                    f"'{column}' is missing", path=path, line=number, remedy="Columns: study_id, pet, ct."
                )
        places = {k: path.parent / row[k] for k in ("pet", "ct", "lesions", "labels") if row.get(k)}
        gone = [str(p) for p in places.values() if not p.exists()]
        problem = f"{gone[0]}: there is no such file or folder" if gone else None
        found.append(StudyFiles(row["study_id"], **places, layout="table", problem=problem))
    return found


def _in_folder(root: Path, progress: Callable[[int], None] | None) -> list[StudyFiles]:
    """Studies below *root*: NIfTI files by their names, DICOM folders by one header each, archives."""
    folders: dict[Path, list[Path]] = {}
    found: list[StudyFiles] = []
    for number, path in enumerate(walk_files(root), 1):
        folders.setdefault(path.parent, []).append(path)
        if progress is not None and number % 500 == 0:
            progress(number)
    nifti: dict[Path, list[Path]] = {}
    series: list[tuple[Path, str, str]] = []
    for folder, files in folders.items():
        volumes = [f for f in files if is_nifti(f)]
        if volumes:
            nifti[folder] = volumes
        found += [
            StudyFiles(id_from([*_parts(root, folder), f.stem]), f, f, layout="zip")
            for f in files
            if f.suffix.lower() == ".zip"
        ]
        series += [(folder, m, s) for m, s in _dicom_kinds(files)]
    return found + _with_masks(_dicom_studies(root, series), _nifti_studies(root, nifti))


def _with_masks(dicom: Sequence[StudyFiles], nifti: Sequence[StudyFiles]) -> list[StudyFiles]:
    """Masks that lie as NIfTI beside DICOM series belong to that study."""
    masks = {s.study_id: s for s in nifti if s.pet is None and s.ct is None and s.problem is None}
    known = {s.study_id for s in dicom}
    merged = [
        replace(s, lesions=m.lesions, labels=m.labels) if (m := masks.get(s.study_id)) else s for s in dicom
    ]
    return merged + [s for s in nifti if not (s.study_id in masks and s.study_id in known)]


def _parts(root: Path, folder: Path) -> list[str]:
    parts = list(folder.relative_to(root).parts)
    return parts or [root.resolve().name]


# --- NIfTI ---


def _nifti_studies(root: Path, folders: dict[Path, list[Path]]) -> list[StudyFiles]:
    groups: dict[tuple[str, ...], list[Path]] = {}
    layouts: dict[tuple[str, ...], str] = {}
    for folder, files in folders.items():
        for path in files:
            name = stem(path)
            numbered = re.fullmatch(r"(.+)_000[01]", name)
            if numbered:
                key, layout = (*_inner(root, folder), numbered[1]), "petrg-3d"
            elif name.startswith("sub-"):
                key = tuple(p for p in _parts(root, folder) if p.startswith(("sub-", "ses-")))
                key, layout = key or (name.split("_")[0],), "bids"
            elif _PET.search(name) or _CT.search(name) or _LESIONS.search(name) or _LABELS.search(name):
                key, layout = tuple(_without_modality(_parts(root, folder))), "folder"
                prefix = re.split(
                    r"[_\-.](?:pet|suv|pt|ct|ctres|seg)(?=$|[_\-.])", name, flags=re.IGNORECASE
                )[0]
                shared = len({f for f in files if _PET.search(stem(f))}) > 1
                if shared and prefix != name:
                    key = (*key, prefix)
            else:
                continue
            groups.setdefault(key, []).append(path)
            layouts[key] = layout
    return [_nifti_study(key, files, layouts[key]) for key, files in groups.items()]


def _inner(root: Path, folder: Path) -> list[str]:
    """Folders below the root, without those that only hold images."""
    return [p for p in folder.relative_to(root).parts if not re.fullmatch(r"images\w*", p, re.IGNORECASE)]


def _without_modality(parts: Sequence[str]) -> list[str]:
    kept = [p for p in parts if not re.fullmatch(r"(?:pet|ct|pt|nifti|nii)", p, re.IGNORECASE)]
    return kept or list(parts)


def _nifti_study(key: tuple[str, ...], files: Sequence[Path], layout: str) -> StudyFiles:
    def one(wanted: Sequence[Path]) -> tuple[Path | None, str | None]:
        if len(wanted) < 2:
            return (wanted[0] if wanted else None), None
        return None, f"several volumes could be it: {', '.join(sorted(f.name for f in wanted))}"

    if layout == "petrg-3d":
        pets = [f for f in files if stem(f).endswith("_0001")]
        cts = [f for f in files if stem(f).endswith("_0000")]
    else:
        masks = [f for f in files if _LESIONS.search(stem(f)) or _LABELS.search(stem(f))]
        pets = [f for f in files if _PET.search(stem(f)) and not _CT.search(stem(f)) and f not in masks]
        cts = [f for f in files if _CT.search(stem(f)) and f not in masks]
        # autoPET gives each volume twice: in SUV and in Bq/ml; on its own grid and on the PET's.
        pets = [f for f in pets if stem(f).lower() in ("suv", "suvbw")] or pets
        cts = [f for f in cts if not stem(f).lower().endswith("ctres")] or cts
    pet, doubt = one(pets)
    ct, other = one(cts)
    lesions, _ = one([f for f in files if _LESIONS.search(stem(f))])
    labels, _ = one([f for f in files if _LABELS.search(stem(f))])
    return StudyFiles(id_from(key), pet, ct, lesions, labels, layout, doubt or other)


# --- DICOM ---


def _dicom_kinds(files: Sequence[Path]) -> set[tuple[str, str]]:
    """(modality, study UID) of the series in a folder, from its first and last image, or from all."""
    candidates = [f for f in files if f.suffix.lower() not in NOT_IMAGES and f.name.upper() != "DICOMDIR"]
    # Two files a folder are opened, not hundreds: that is what a tree of thousands of studies costs.
    ends = [
        next((k for f in way if (k := _kind(f)) is not None), None) for way in (candidates, candidates[::-1])
    ]
    found = {kind for kind in ends if kind is not None}
    if len(found) > 1:
        found |= {k for f in candidates if (k := _kind(f)) is not None}
    return {(k[0], k[1]) for k in found}


def _kind(path: Path) -> tuple[str, str, str] | None:
    try:
        found = read_header(path, tags=_TAGS)
    except ImagingError:
        return ("", "", "damaged")  # told in full when the study is read
    if found is None:
        return None
    header = found.header
    return text(header, "Modality"), text(header, "StudyInstanceUID"), text(header, "SeriesInstanceUID")


def _dicom_studies(root: Path, series: Sequence[tuple[Path, str, str]]) -> list[StudyFiles]:
    """One study for each StudyInstanceUID; its id is the shortest folder name that no other study shares."""
    by_uid: dict[str, list[tuple[Path, str]]] = {}
    for folder, modality, uid in series:
        by_uid.setdefault(uid, []).append((folder, modality))
    damaged = {folder for folder, _ in by_uid.pop("", [])}
    groups = [members for uid in by_uid for members in _copies(by_uid[uid])]
    paths = [_common([folder for folder, _ in members]) for members in groups]
    names = [_parts(root, path) for path in paths]
    # How many studies begin with these folder names, and which lie in a folder.
    sharing = Counter(tuple(parts[:n]) for parts in names for n in range(1, len(parts) + 1))
    inside: dict[Path, set[int]] = {}
    for number, members in enumerate(groups):
        for folder, _ in members:
            inside.setdefault(folder, set()).add(number)
    found = []
    for number, (members, parts) in enumerate(zip(groups, names, strict=True)):
        mixed = set().union(*(inside[folder] for folder, _ in members))
        if len(mixed) > 1:
            if number == min(mixed):
                problem = f"{paths[number]}: files of {len(mixed)} studies or patients lie in one folder"
                found.append(StudyFiles(id_from(parts), layout="dicom", problem=problem))
            continue
        length = next((n for n in range(1, len(parts) + 1) if sharing[tuple(parts[:n])] == 1), len(parts))
        pets, cts = ([f for f, m in members if m == kind] for kind in ("PT", "CT"))
        pet, ct = (_common(places) if places else None for places in (pets, cts))
        found.append(StudyFiles(id_from(parts[:length]), pet, ct, layout="dicom"))
    known = {f for members in groups for f, _ in members}
    found.extend(
        StudyFiles(id_from(_parts(root, f)), layout="dicom", problem=f"{f}: the DICOM files are damaged")
        for f in sorted(damaged - known)
    )
    return found


def _copies(members: Sequence[tuple[Path, str]]) -> list[list[tuple[Path, str]]]:
    """One study that lies whole in several folders is a study in each of them."""
    common = _common([folder for folder, _ in members])
    parts: dict[str, list[tuple[Path, str]]] = {}
    for folder, modality in members:
        inner = folder.relative_to(common).parts
        parts.setdefault(inner[0] if inner else "", []).append((folder, modality))
    whole = [{"PT", "CT"} <= {m for _, m in part} for part in parts.values()]
    if len(parts) < 2 or not any(whole):
        return [list(members)]
    return [copy for part in parts.values() for copy in _copies(part)]


def _common(folders: Sequence[Path]) -> Path:
    """The deepest folder that holds all of *folders*."""
    first = folders[0]
    for candidate in (first, *first.parents):
        if all(candidate == f or candidate in f.parents for f in folders):
            return candidate
    return first
