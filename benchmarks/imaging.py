"""Key slices from compressed volumes: planes only, against resampling and fusing whole volumes.

Also: the planes of every strategy on the phantom, and one pair of files under many study ids in parallel.
Volumes are synthetic (the phantom); every measurement runs in a process of its own, after its imports.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813

from benchmarks.measure import Row
from pet2rep_eval.imaging.colours import colour_map, coloured
from pet2rep_eval.imaging.geometry import Study, canonical, plane_of, resample, zscore
from pet2rep_eval.imaging.phantom import CT_NOISE_HU, Patient, Phantom, make_phantom
from pet2rep_eval.imaging.planes import STRATEGIES, choose_planes, shown
from pet2rep_eval.imaging.preparing import Options, prepare_studies
from pet2rep_eval.imaging.studies import StudyFiles

CT_SIZE = (512, 512, 500)
PET_SIZES = ((192, 192, 500), (400, 400, 326))
FIELD_MM = (432.0, 320.0, 1000.0)


def spacing(size: tuple[int, int, int]) -> tuple[float, float, float]:
    """Of a grid of *size* over the phantom's field of view."""
    x, y, z = (f / n for f, n in zip(FIELD_MM, size, strict=True))
    return x, y, z


def write_volumes(folder: Path) -> dict[str, Path]:
    """A CT and two PET volumes of the phantom as ``.nii.gz``."""
    coarse = (16.0, 16.0, 20.0)
    paths = {}
    for size in PET_SIZES:
        phantom = make_phantom(Patient(), pet_spacing=spacing(size), ct_spacing=coarse)
        assert phantom.suv.GetSize() == size
        paths[f"{size[0]}"] = folder / f"suv_{size[0]}.nii.gz"
        sitk.WriteImage(phantom.suv, str(paths[f"{size[0]}"]), True, 1)
    phantom = make_phantom(Patient(), pet_spacing=coarse, ct_spacing=spacing(CT_SIZE), noise=False)
    assert phantom.ct.GetSize() == CT_SIZE
    values = sitk.GetArrayFromImage(phantom.ct).astype(np.int16)
    random = np.random.default_rng(0)
    for plane in values:
        plane += np.rint(random.normal(0, CT_NOISE_HU, plane.shape)).astype(np.int16)
    ct = sitk.GetImageFromArray(values)
    ct.CopyInformation(phantom.ct)
    paths["ct"] = folder / "ct.nii.gz"
    sitk.WriteImage(ct, str(paths["ct"]), True, 1)
    return paths


def planes_only(pet: Path, ct: Path, output: Path) -> None:
    """The product: three planes, nine pictures and their sidecars."""
    study = StudyFiles("s", pet, ct)
    result = prepare_studies([study], output, Options(units="suv"), workers=1)[0]
    assert result.problem is None, result.problem


def whole_volumes(pet: Path, ct: Path, output: Path) -> None:
    """What the benchmark describes, volume by volume in plain numpy (float32), then three planes cut."""
    from PIL import Image

    suv = canonical(sitk.ReadImage(str(pet), sitk.sitkFloat32))
    moved = resample(sitk.ReadImage(str(ct), sitk.sitkFloat32), suv)
    scaled, _ = zscore(sitk.GetArrayFromImage(moved))
    grey = (scaled - scaled.min()) / (scaled.max() - scaled.min())
    values = np.clip(sitk.GetArrayFromImage(suv) / 5.0, 0, 1)
    colour = colour_map("hot").astype(np.float32)[(values * 255).astype(np.uint8)]
    fused = (255 * (np.float32(0.5) * grey[..., None] + np.float32(0.5) * colour)).astype(np.uint8)
    output.mkdir(parents=True, exist_ok=True)
    rows = values.shape[1]
    for fraction in (0.45, 0.5, 0.55):
        plane = np.ascontiguousarray(plane_of(fused, "coronal", int(fraction * rows)))
        Image.fromarray(plane).save(output / f"{fraction}.png")


def resampled_volumes(pet: Path, ct: Path, output: Path) -> None:
    """A milder comparison: the whole CT is resampled, but only three planes are coloured and fused."""
    suv = canonical(sitk.ReadImage(str(pet), sitk.sitkFloat32))
    moved = sitk.GetArrayFromImage(resample(sitk.ReadImage(str(ct), sitk.sitkFloat32), suv))
    values = sitk.GetArrayFromImage(suv)
    for fraction in (0.45, 0.5, 0.55):
        index = int(fraction * values.shape[1])
        grey = np.clip((plane_of(moved, "coronal", index) + 160) / 400, 0, 1)
        assert (0.5 * grey[..., None] + 0.5 * coloured(plane_of(values, "coronal", index) / 5, "hot")).any()


WAYS = {"planes only": planes_only, "whole resample": resampled_volumes, "whole volumes": whole_volumes}


def measured(pet: Path, ct: Path, output: Path, rounds: int = 3) -> dict[str, dict[str, float]]:
    """CPU seconds (least of some interleaved rounds) and peak memory of each way, in its own process."""
    best: dict[str, dict[str, float]] = {}
    for number in range(rounds):
        for way in WAYS:
            command = [sys.executable, "-m", "benchmarks.imaging", way, str(pet), str(ct)]
            done = subprocess.run(
                [*command, str(output / f"{way}-{number}")], check=True, capture_output=True, text=True
            )
            result = json.loads(done.stdout)
            if way not in best or result["cpu"] < best[way]["cpu"]:
                best[way] = result
    return best


def child(way: str, pet: str, ct: str, output: str) -> None:
    """In the process: what it costs after the imports."""
    for library in ("PIL.Image", "pydicom", "pet2rep_eval.imaging.preparing", "scipy.ndimage"):
        import_module(library)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    before = resource.getrusage(resource.RUSAGE_SELF)
    WAYS[way](Path(pet), Path(ct), Path(output))
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    print(json.dumps({"cpu": seconds, "peak": peak_mb()}))


def peak_mb() -> float:
    """Highest resident memory of this process; ``ru_maxrss`` would begin with that of the parent."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return float("nan")


@contextmanager
def memory_of_children() -> Iterator[list[float]]:
    """Resident megabytes of all child processes together, sampled ten times a second."""
    import psutil

    samples: list[float] = []
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(0.1):
            total = 0
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    total += process.memory_info().rss
            samples.append(total / 2**20)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def coverage_table() -> list[dict[str, Any]]:
    """Organs and lesions that three planes of every strategy show, with the table at three heights."""
    rows: dict[str, dict[str, Any]] = {}
    for height in (-40.0, 0.0, 40.0):
        phantom = make_phantom(Patient(offset_mm=(0, height, 0)))
        study = Study.of(phantom.suv, phantom.ct)
        lesions = _canonical(phantom, phantom.masks())
        visible = {k: v for k, v in phantom.organ_masks().items() if v.any()}
        named = {s.name for s in phantom.structures if s.organ}
        organs = _canonical(phantom, {k: v for k, v in visible.items() if k in named})
        for name in STRATEGIES:
            if name == "explicit":
                continue
            for count in (3, 5) if name == "coverage" else (3,):
                planes = choose_planes(study, name, count=count, masks=lesions)
                row = rows.setdefault(f"{name} ×{count}", {})
                row[f"organs {height:+.0f}"] = sum(map(bool, shown(study, planes, organs).values()))
                row[f"lesions {height:+.0f}"] = sum(map(bool, shown(study, planes, lesions).values()))
                row["of"] = (len(organs), len(lesions))
    return [{"strategy": name, **row} for name, row in rows.items()]


def _canonical(phantom: Phantom, masks: dict[str, Any]) -> dict[str, Any]:
    """Masks in the order of canonical voxels: the phantom is stored from front to back."""
    return {name: mask[:, ::-1, :] for name, mask in masks.items()}


def run(_: object = None, *, full: bool = False) -> Iterator[Row]:
    """Rows for the benchmark's table; *full*: 100 study ids instead of 8."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        # In a process of its own, so that its memory does not stay with this one.
        subprocess.run([sys.executable, "-m", "benchmarks.imaging", "volumes", temporary], check=True)
        paths = {name: folder / f"suv_{name}.nii.gz" for name in (str(s[0]) for s in PET_SIZES)}
        paths["ct"] = folder / "ct.nii.gz"
        for size in PET_SIZES:
            pet, name = paths[f"{size[0]}"], "×".join(map(str, size))
            found = measured(pet, paths["ct"], folder / f"out-{size[0]}")
            ours = found["planes only"]
            for way, result in found.items():
                remark = "" if way == "planes only" else f"{result['cpu'] / ours['cpu']:.1f} times ours"
                yield Row("imaging", f"PET {name}, CT 512×512×500: {way}", result["cpu"], "CPU s", remark)
                remark = "" if way == "planes only" else f"{result['peak'] / ours['peak']:.1f} times ours"
                yield Row("imaging", f"  peak memory, {way}", result["peak"], "MB", remark)
        count = 100 if full else 8
        studies = [StudyFiles(f"s{n:03d}", paths["192"], paths["ct"]) for n in range(count)]
        start, before = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
        with memory_of_children() as peak:
            results = prepare_studies(studies, folder / "many", Options(units="suv"), workers=2)
        assert not [r.problem for r in results if r.problem]
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        yield Row(
            "imaging", f"{count} study ids, two workers", time.time() - start, "s", f"{seconds:.0f} CPU s"
        )
        half = len(peak) // 2
        first, second = max(peak[:half], default=0.0), max(peak[half:], default=0.0)
        remark = f"both workers together; in the first half {first:.0f}"
        yield Row("imaging", "  peak memory", max(first, second), "MB", remark)
    for row in coverage_table():
        organs, lesions = row["of"]
        shown_organs = "/".join(str(row[f"organs {h}"]) for h in ("-40", "+0", "+40"))
        shown_lesions = "/".join(str(row[f"lesions {h}"]) for h in ("-40", "+0", "+40"))
        yield Row(
            "imaging",
            f"planes {row['strategy']}: lesions shown, table +0",
            row["lesions +0"],
            f"of {lesions}",
            f"table −40/0/+40 mm: organs {shown_organs} of {organs}, lesions {shown_lesions}",
        )


def main() -> None:
    for row in run(full="--full" in sys.argv):
        print(f"{row.what:60} {row.value:10.4g} {row.unit} {row.remark}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 5:
        child(*sys.argv[1:])
    elif sys.argv[1:2] == ["volumes"]:
        write_volumes(Path(sys.argv[2]))
    else:
        main()
