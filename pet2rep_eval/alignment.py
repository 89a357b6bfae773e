"""Pairs by study id, intention to treat: every reference study gets exactly one outcome, none is dropped."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pet2rep_eval.datasets import quality
from pet2rep_eval.datasets.cleaning import clean, signature
from pet2rep_eval.datasets.records import References, Row, Submission
from pet2rep_eval.errors import InputError
from pet2rep_eval.records import FLAGS, AlignedSystem, Outcome, Pair

NO_REFERENCE = ("",)
"""References of a study that is only known by its id (from a list of ids)."""

UNSEEN = (
    "The references come from the submission itself, so missing studies cannot be seen. "
    "Give --references, or --ids with the ids of all studies."
)

_NAMED = 10
_SPACE = re.compile(r"\s+")


def named(items: Iterable[str]) -> str:
    """The first few of *items*, and how many there are besides."""
    listed = list(items)
    return ", ".join(listed[:_NAMED]) + (f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else "")


def _loose(study_id: str) -> str:
    """An id without what programs change on the way: case, width, separators, leading zeros, ``.0``."""
    text = unicodedata.normalize("NFKC", study_id).casefold()
    text = re.sub(r"(?<=\d)\.0+$", "", text)
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[\W_]+", "-", text)).strip("-")


def near_ids(unknown: Sequence[str], missing: Sequence[str]) -> dict[str, str]:
    """Unknown id → missing study that it may mean (``1``, ``001``). Told, never taken for equal."""
    loose = Counter(map(_loose, missing))
    single = {_loose(study): study for study in missing if loose[_loose(study)] == 1}
    return {study: single[_loose(study)] for study in unknown if _loose(study) in single}


def align(
    submission: Submission,
    references: References | None = None,
    ids: Sequence[str] | None = None,
    *,
    cleaning: str | None = None,
    require_references: bool = True,
) -> AlignedSystem:
    """One pair for every reference study.

    The studies are those of *ids* where given, else of *references*, else of the references that stand in the
    submission. *references* wins over the latter. Without ``require_references`` studies may be without a
    reference (:data:`NO_REFERENCE`), for checking a submission by itself. *cleaning* is the submission's own
    (``default``, or ``none`` for a column that is clean already) unless given.
    Raises :class:`InputError` if there are no references, or none of the ids is shared.
    """
    groups: dict[str, list[Row]] = {}
    for row in submission.rows:
        groups.setdefault(row.study_id, []).append(row)
    notes = [*submission.notes, *(references.notes if references else ())]
    notes += [f"Gone past: {problem}" for problem in submission.problems]

    inside = _inside(submission, strict=references is None)
    if references is not None:
        known: Mapping[str, tuple[str, ...]] = references.studies
        notes += _disagreements(inside, known)
    else:
        known = inside
        if require_references and not inside:
            raise InputError(
                "there are no references to score against",
                path=submission.path,
                remedy="Give them with --references.",
            )
        if ids is None:
            notes.append(UNSEEN)
    studies = _studies(submission, groups, references, known, ids, require_references)
    wanted = set(studies)
    unknown = tuple(study for study in groups if study not in wanted)
    _check_shared(submission, references, studies, unknown, len(groups))

    mode = submission.cleaning if cleaning is None else cleaning
    applied: Counter[str] = Counter()
    merged: list[str] = []
    pairs = [
        _pair(study, known.get(study, NO_REFERENCE), groups.get(study, []), mode, applied, merged)
        for study in studies
    ]
    if applied:
        counts = ", ".join(f"{rule} {count}" for rule, count in applied.items())
        notes.append(f"Cleaning changed predictions: {counts}.")
    if merged:
        notes.append(f"Identical predictions under one id were merged ({len(merged)}): {named(merged)}.")
    differing = [p.study_id for p in pairs if p.outcome is Outcome.DUPLICATE]
    if differing:
        notes.append(
            f"Differing predictions under one id count as failed ({len(differing)}): {named(differing)}."
        )
    notes += _unknown_notes(unknown, pairs)
    unreferenced = [p.study_id for p in pairs if p.references == NO_REFERENCE]
    if unreferenced and require_references:
        notes.append(f"Studies without a reference ({len(unreferenced)}): {named(unreferenced)}.")
    return AlignedSystem(
        submission.system, tuple(pairs), unknown, tuple(notes), _provenance(submission, references, mode)
    )


def _inside(submission: Submission, *, strict: bool) -> dict[str, tuple[str, ...]]:
    """Study id → references beside the predictions. Contradicting ones raise if they are to be used."""
    found: dict[str, tuple[str, ...]] = {}
    for row in submission.rows:
        if row.references and found.setdefault(row.study_id, row.references) != row.references and strict:
            raise InputError(
                f"the study '{row.study_id}' has two different references",
                path=submission.path,
                line=row.line,
                remedy="Keep one of them, or give the references with --references.",
            )
    return found


def _same(one: Sequence[str], other: Sequence[str]) -> bool:
    return [_SPACE.sub("", t) for t in one] == [_SPACE.sub("", t) for t in other]


def _disagreements(inside: Mapping[str, tuple[str, ...]], known: Mapping[str, tuple[str, ...]]) -> list[str]:
    ids = [study for study, texts in inside.items() if study in known and not _same(texts, known[study])]
    if not ids:
        return []
    return [
        f"The references inside the submission differ from those of --references, which count, "
        f"for {len(ids)} studies: {named(ids)}."
    ]


def _studies(
    submission: Submission,
    groups: Mapping[str, list[Row]],
    references: References | None,
    known: Mapping[str, tuple[str, ...]],
    ids: Sequence[str] | None,
    require_references: bool,
) -> list[str]:
    """The studies that count, each once, in order."""
    if ids is not None:
        without = [study for study in ids if study not in known]
        if references is not None and without:
            raise InputError(
                f"{len(without)} of the ids have no reference: {named(without)}",
                path=references.path,
                remedy="Add their references, or take them off the list of ids.",
            )
        return list(dict.fromkeys(ids))
    if references is not None:
        return list(known)
    for study, rows in groups.items():
        if require_references and study not in known and not any(row.problem for row in rows):
            raise InputError(
                f"the study '{study}' has no reference beside its prediction",
                path=submission.path,
                line=rows[0].line,
                remedy="Add it, or give the references with --references.",
            )
    return list(groups)


def _check_shared(
    submission: Submission,
    references: References | None,
    studies: Sequence[str],
    unknown: Sequence[str],
    predicted: int,
) -> None:
    if not (studies and predicted) or len(unknown) < predicted:
        return
    column = submission.columns.get("id", "id")
    there = (
        f"'{references.columns.get('id', 'id')}' of {references.path}" if references else "the list of ids"
    )
    near = near_ids(unknown, studies)
    hint = "Choose the id columns with --id-column and --references-id-column."
    if near:
        one, other = next(iter(near.items()))
        hint = (
            f"{len(near)} differ only in leading zeros, case or separators ('{one}' and '{other}'): "
            "write the ids alike, as text."
        )
    raise InputError(
        f"no study id is shared: '{column}' holds {named(map(repr, unknown[:3]))}, "
        f"{there} holds {named(map(repr, studies[:3]))}",
        path=submission.path,
        line=submission.rows[0].line if submission.rows else None,
        remedy=hint,
    )


def _pair(
    study: str,
    references: tuple[str, ...],
    rows: Sequence[Row],
    mode: str,
    applied: Counter[str],
    merged: list[str],
) -> Pair:
    if not rows:
        return Pair(study, references, "", Outcome.MISSING)
    readable = [row for row in rows if not row.problem]
    cleaned = {row.text: clean(row.text, mode) for row in readable}
    texts = list(dict.fromkeys(c.text for c in cleaned.values()))
    if not readable:
        return Pair(study, references, "", Outcome.UNREADABLE)
    if len(texts) > 1 or len(readable) < len(rows):
        return Pair(study, references, "", Outcome.DUPLICATE)
    applied.update(cleaned[readable[0].text].rules)
    if len(rows) > 1:
        merged.append(study)
    text = texts[0]
    if quality.is_garbage(text):
        return Pair(study, references, "", Outcome.UNREADABLE)
    if quality.is_empty(text):
        return Pair(study, references, "", Outcome.EMPTY)
    if quality.is_refusal(text):
        return Pair(study, references, "", Outcome.REFUSED)
    return Pair(
        study, references, text, Outcome.SCORED, quality.flags(text, references[0], readable[0].prompt)
    )


def _unknown_notes(unknown: Sequence[str], pairs: Sequence[Pair]) -> list[str]:
    if not unknown:
        return []
    notes = [f"Predictions without a reference study are left out ({len(unknown)}): {named(unknown)}."]
    near = near_ids(unknown, [p.study_id for p in pairs if p.outcome is Outcome.MISSING])
    if near:
        told = named(f"'{one}' for '{other}'" for one, other in near.items())
        notes.append(
            f"Ids that may be meant for missing studies ({len(near)}): {told}. "
            "Ids are compared as text, with their leading zeros; write them alike."
        )
    return notes


def _plain(value: str) -> str:
    """*value* without what separates the parts of a signature."""
    return re.sub(r"[|:\s]+", "_", value)


def _provenance(submission: Submission, references: References | None, mode: str) -> dict[str, str]:
    columns = {role: _plain(name) for role, name in submission.columns.items()}
    found = {"id": columns.get("id", ""), "prediction": columns.get("prediction", "")}
    if references is not None:
        found["reference"] = "file." + _plain(references.columns.get("reference", ""))
    elif "reference" in columns:
        found["reference"] = columns["reference"]
    found["cleaning"] = signature(mode)
    return {key: value for key, value in found.items() if value}


def outcome_counts(aligned: AlignedSystem) -> dict[str, int]:
    """Outcome → number of studies, in the order of :class:`Outcome`, zeros included."""
    counts = Counter(p.outcome for p in aligned.pairs)
    return {outcome.value: counts[outcome] for outcome in Outcome}


def flag_counts(aligned: AlignedSystem) -> dict[str, int]:
    """Flag → number of scored studies that carry it, in the order of ``FLAGS``, zeros included."""
    counts = Counter(flag for p in aligned.pairs for flag in p.flags)
    return {flag: counts[flag] for flag in FLAGS}
