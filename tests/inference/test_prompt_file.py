"""The official prompt file with all variants of its keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pet2rep_eval.errors import InputError, UnknownNameError
from pet2rep_eval.inference import read_prompts, write_prompts
from tests.conftest import SHARED, needs_shared
from tests.inference.studies import write_pictures, write_studies


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "prompts.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    return write_pictures(tmp_path / "p", 6)


def names(paths: tuple[Path, ...]) -> list[str]:
    return [path.stem for path in paths]


def test_current_keys(tmp_path: Path, pictures: list[str]) -> None:
    row = {
        "patient_id": "a",
        "prompt_system": "S",
        "prompt_image_fuse": pictures[:3],
        "prompt_user_text": "U",
        "answer": "R",
    }
    (prompt,) = read_prompts(write(tmp_path, row))
    assert (prompt.study_id, prompt.system, prompt.user, prompt.reference) == ("a", "S", "U", "R")
    assert names(prompt.images) == ["s0", "s1", "s2"]


@pytest.mark.parametrize("ct_key", ["prompt_image_ct", "prompt_image_structure"])
def test_separate_pictures_go_in_pairs_ct_first(tmp_path: Path, pictures: list[str], ct_key: str) -> None:
    row = {"patient_id": 7, ct_key: pictures[:3], "prompt_image_pet": pictures[3:]}
    row |= {"prompt_user_structure": "CT text", "prompt_user_pet": "PET text"}
    (prompt,) = read_prompts(write(tmp_path, row))
    assert prompt.study_id == "7"
    assert names(prompt.images) == ["s0", "s3", "s1", "s4", "s2", "s5"]
    assert prompt.user == "CT text\nPET text"


@pytest.mark.parametrize(
    ("choice", "images", "user"),
    [
        ("auto", ["s0"], "fused text"),
        ("fused", ["s0"], "fused text"),
        ("separate", ["s2", "s1"], "CT text\nPET text"),
        ("pet", ["s1"], "PET text"),
        ("ct", ["s2"], "CT text"),
    ],
)
def test_the_text_goes_with_the_pictures(
    tmp_path: Path, pictures: list[str], choice: str, images: list[str], user: str
) -> None:
    row = {"subject_id": "a", "prompt_image_fuse": pictures[:1], "prompt_image_pet": pictures[1:2]}
    row |= {"prompt_image_ct": pictures[2:3], "prompt_user_fuse": "fused text"}
    row |= {"prompt_user_pet": "PET text", "prompt_user_structure": "CT text"}
    (prompt,) = read_prompts(write(tmp_path, row), pictures=choice)
    assert (names(prompt.images), prompt.user) == (images, user)


def test_volumes_are_paths(tmp_path: Path) -> None:
    (tmp_path / "ct.nii.gz").write_bytes(b"x")
    row = {"patient_id": "a", "prompt_user_text": "U", "prompt_volume_ct": "ct.nii.gz"}
    (prompt,) = read_prompts(write(tmp_path, row))
    assert prompt.images == ()
    assert dict(prompt.volumes) == {"ct": tmp_path / "ct.nii.gz"}


def test_written_prompts_read_back_the_same(tmp_path: Path) -> None:
    before = read_prompts(write_studies(tmp_path / "one", 3))
    write_prompts(before, tmp_path / "one" / "again.jsonl")
    write_prompts(before, tmp_path / "elsewhere.jsonl")
    assert read_prompts(tmp_path / "one" / "again.jsonl") == before
    assert [p.digest() for p in read_prompts(tmp_path / "elsewhere.jsonl")] == [p.digest() for p in before]
    line = (tmp_path / "one" / "again.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert json.loads(line)["prompt_image_fuse"][0] == "pictures/s0.png"


def test_the_digest_sees_texts_and_picture_contents_not_places(tmp_path: Path) -> None:
    a, b = read_prompts(write_studies(tmp_path / "one", 2))
    (moved, _) = read_prompts(write_studies(tmp_path / "two", 2))
    assert a.digest() == moved.digest() != b.digest()
    (tmp_path / "two" / "pictures" / "s1.png").write_bytes(b"other")
    assert a.digest() != moved.digest()


@needs_shared
def test_the_public_demo_is_read(tmp_path: Path) -> None:
    demo = SHARED / "data/pet2rep"
    root = tmp_path / "slice_prompt"
    root.mkdir()
    for picture in demo.glob("*.jpg"):
        (root / picture.name).symlink_to(picture)
    (prompt,) = read_prompts(demo / "prompt_qwen25vl.jsonl", image_root=tmp_path)
    assert names(prompt.images) == ["demo_90_coronal", "demo_100_coronal", "demo_110_coronal"]
    assert prompt.reference is not None
    assert len(prompt.reference) > 1000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"patient_id": "a", "prompt_user_text": "U"}\n{"patient', "line 2: not a JSON object"),
        ("[1]", "line 1: not a JSON object"),
        ('{"prompt_user_text": "U"}', "line 1: the row has no study id"),
        ('{"patient_id": "a"}', "line 1: the row has no user text"),
        (
            '{"patient_id": "a", "prompt_user_text": "U", "prompt_image_fuse": ["no.png"]}',
            "line 1: .*no.png.*image-root",
        ),
        (
            '{"patient_id": "a", "prompt_user_text": "U", "prompt_image_fuse": [1]}',
            "line 1: .*not a list of paths",
        ),
        ('{"patient_id": "a", "prompt_user_text": "U", "answer": 3}', "line 1: 'answer' is not a text"),
        (
            '{"patient_id": "a", "prompt_user_text": "U"}\n' * 2,
            "line 2: the study 'a' stands in line 1 already",
        ),
        ("\n", "holds no prompt"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_prompts(path)


def test_unpaired_pictures_a_missing_choice_and_a_missing_file(tmp_path: Path, pictures: list[str]) -> None:
    row = {
        "patient_id": "a",
        "prompt_user_text": "U",
        "prompt_image_pet": pictures[:2],
        "prompt_image_ct": pictures[:1],
    }
    path = write(tmp_path, row)
    with pytest.raises(InputError, match="1 CT and 2 PET"):
        read_prompts(path)
    with pytest.raises(InputError, match="no pictures for 'fused'"):
        read_prompts(path, pictures="fused")
    with pytest.raises(UnknownNameError, match="fused"):
        read_prompts(path, pictures="fussed")
    with pytest.raises(InputError, match="cannot be read"):
        read_prompts(tmp_path / "none.jsonl")
