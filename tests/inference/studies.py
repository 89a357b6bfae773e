"""Prompt files with small pictures for the tests of inference, and how their outputs are compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SYSTEM = "你是核医学科医师。"
USER = "请根据图像<image> <image> <image>书写报告。"


def write_pictures(folder: Path, count: int, size: int = 32, name: str = "s") -> list[str]:
    """*count* differing PNG pictures; their names."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for i in range(count):
        picture = Image.new("RGB", (size, size), (40 * i % 256, 90, 200 - 30 * i % 200))
        for x in range(size):
            picture.putpixel((x, (x * (i + 2)) % size), (255, 255, 255))
        picture.save(folder / f"{name}{i}.png")
        names.append(f"{folder.name}/{name}{i}.png")
    return names


def write_studies(folder: Path, count: int, pictures: int = 3) -> Path:
    """A prompt file of *count* studies with *pictures* shared pictures; texts differ by study."""
    folder.mkdir(parents=True, exist_ok=True)
    names = write_pictures(folder / "pictures", pictures)
    path = folder / "prompts.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for i in range(count):
            row = {
                "patient_id": f"study-{i:03d}",
                "task": "PET2Rep",
                "prompt_system": SYSTEM,
                "prompt_image_fuse": names,
                "prompt_user_text": f"{USER}病例{i}。",
                "answer": f"影像所见：第{i}例，FDG摄取未见异常。",
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a result file, sorted by id, without time fields."""
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in found:
        row["provenance"].pop("time")
    return sorted(found, key=lambda row: row["subject_id"])
