"""The benchmark's prompt file, read with all variants of its keys and written in the current one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from pet2rep_eval.errors import InputError, UnknownNameError
from pet2rep_eval.inference.requests import Prompt

ID_KEYS = ("patient_id", "subject_id", "study_id", "id")
INPUTS = ("auto", "fused", "separate", "pet", "ct", "none")
"""Which pictures of a row are sent. ``auto``: the fused ones, else the separate ones, else none."""

_CT_KEYS = ("prompt_image_ct", "prompt_image_structure")
_USER_KEYS = {
    "fused": ("prompt_user_fuse",),
    "separate": ("prompt_user_structure", "prompt_user_pet"),
    "pet": ("prompt_user_pet",),
    "ct": ("prompt_user_structure",),
    "none": (),
}
_VOLUME = "prompt_volume_"


def read_prompts(
    path: str | Path, *, pictures: str = "auto", image_root: Path | None = None
) -> tuple[Prompt, ...]:
    """The prompts of a JSONL file, in its order.

    Picture and volume paths are relative to *image_root*, by default the file's folder, and must exist.
    Raises :class:`InputError` with file and line for whatever cannot be used: a broken line, a missing or
    repeated id, a missing text, a missing file.
    """
    if pictures not in INPUTS:
        raise UnknownNameError("choice of pictures", pictures, INPUTS)
    path = Path(path)
    root = path.parent if image_root is None else image_root
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise InputError(
            f"the prompt file cannot be read ({error.strerror})", path=path, remedy="Check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError("the prompt file is not UTF-8", path=path, remedy="Save it as UTF-8.") from error
    found: dict[str, int] = {}
    prompts: list[Prompt] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        prompt = _prompt(_row(line, path, number), path, number, root, pictures)
        if prompt.study_id in found:
            raise InputError(
                f"the study '{prompt.study_id}' stands in line {found[prompt.study_id]} already",
                path=path,
                line=number,
                remedy="Keep one line for each study.",
            )
        found[prompt.study_id] = number
        prompts.append(prompt)
    if not prompts:
        raise InputError(
            "the prompt file holds no prompt", path=path, remedy="Write it with: pet2rep-eval prepare"
        )
    return tuple(prompts)


def _row(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(
            f"not a JSON object ({error.msg}, column {error.colno})",
            path=path,
            line=number,
            remedy="Each line is one JSON object.",
        ) from None
    if not isinstance(row, dict):
        raise InputError("not a JSON object", path=path, line=number, remedy="Each line is one JSON object.")
    return row


def _prompt(row: Mapping[str, Any], path: Path, number: int, root: Path, pictures: str) -> Prompt:
    def problem(text: str, remedy: str) -> InputError:
        return InputError(text, path=path, line=number, remedy=remedy)

    identity = next((row[key] for key in ID_KEYS if row.get(key) not in (None, "")), None)
    if not isinstance(identity, str | int):
        raise problem("the row has no study id", f"Give one of: {', '.join(ID_KEYS)}.")

    def paths(*keys: str) -> tuple[Path, ...]:
        key = next((k for k in keys if row.get(k)), None)
        given = row[key] if key else []
        given = [given] if isinstance(given, str) else given
        if not isinstance(given, list) or not all(isinstance(p, str) for p in given):
            raise problem(f"'{key}' is not a list of paths", "Give a list of strings.")
        found = tuple(root / p for p in given)
        for file in found:
            if not file.exists():
                raise problem(
                    f"the file '{file}' of '{key}' is missing", "Give the folder with --image-root."
                )
        return found

    fused, pet, ct = paths("prompt_image_fuse"), paths("prompt_image_pet"), paths(*_CT_KEYS)
    mode = pictures
    if mode == "auto":
        mode = "fused" if fused else "separate" if pet and ct else "pet" if pet else "ct" if ct else "none"
    if mode == "separate" and len(pet) != len(ct):
        raise problem(
            f"{len(ct)} CT and {len(pet)} PET pictures do not pair", "Give one CT for each PET picture."
        )
    # of each plane the CT, then the PET: the order that the prompt names
    pairs = tuple(p for p in chain.from_iterable(zip_longest(ct, pet)) if p)
    images = {"fused": fused, "separate": pairs, "pet": pet, "ct": ct, "none": ()}[mode]
    if mode != "none" and not images:
        raise problem(f"the row has no pictures for '{mode}'", "Choose other pictures with --pictures.")

    texts = [row[key] for key in ("prompt_user_text",) if isinstance(row.get(key), str)]
    texts = texts or [row[key] for key in _USER_KEYS[mode] if isinstance(row.get(key), str)]
    if not texts:
        known = ("prompt_user_text", *_USER_KEYS[mode])
        raise problem("the row has no user text", f"Give one of: {', '.join(known)}.")
    volumes = {
        key.removeprefix(_VOLUME): next(iter(paths(key)))
        for key in row
        if key.startswith(_VOLUME) and row[key]
    }
    answer = row.get("answer")
    if answer is not None and not isinstance(answer, str):
        raise problem("'answer' is not a text", "Give the reference report as a string.")
    return Prompt(
        study_id=str(identity),
        system=str(row.get("prompt_system") or ""),
        user="\n".join(texts),
        images=images,
        volumes=volumes,
        reference=answer,
        task=str(row.get("task") or "PET2Rep"),
    )


def prompt_row(prompt: Prompt, root: Path | None = None) -> dict[str, Any]:
    """*prompt* in the official format; paths relative to *root* where they lie under it.

    Pictures go under ``prompt_image_fuse`` in the order in which the model sees them, also CT and PET pairs,
    so that a program that knows this key only gets all of them.
    """

    def relative(path: Path) -> str:
        absolute = path.resolve()
        if root is not None and absolute.is_relative_to(root.resolve()):
            return absolute.relative_to(root.resolve()).as_posix()
        return str(absolute)

    row: dict[str, Any] = {"patient_id": prompt.study_id, "task": prompt.task, "prompt_system": prompt.system}
    row["prompt_image_fuse"] = [relative(p) for p in prompt.images]
    row |= {f"{_VOLUME}{name}": relative(p) for name, p in prompt.volumes.items()}
    row["prompt_user_text"] = prompt.user
    if prompt.reference is not None:
        row["answer"] = prompt.reference
    return row


def write_prompts(prompts: Iterable[Prompt], path: str | Path) -> None:
    """Write *prompts* as the benchmark's prompt file, paths relative to its folder where they lie there."""
    path = Path(path)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for prompt in prompts:
            file.write(json.dumps(prompt_row(prompt, path.parent), ensure_ascii=False) + "\n")
