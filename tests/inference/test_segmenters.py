"""Promptable segmenters: prompts from images, geometry, and the real architecture at random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pet2rep_eval.errors import BackendError, ImagingError
from pet2rep_eval.inference.segmenters import (
    PointPrompt,
    Sam3DSegmenter,
    component_prompts,
    load_checkout,
    load_sam_med3d,
    organ_prompts,
)

sitk = pytest.importorskip("SimpleITK")
torch = pytest.importorskip("torch")

SMALL = {
    "encoder_depth": 1,
    "encoder_embed_dim": 48,
    "encoder_num_heads": 2,
    "encoder_global_attn_indexes": [0],
}


def volume(array: Any, spacing: tuple[float, float, float] = (4.0, 4.0, 5.0), turned: bool = False) -> Any:
    image = sitk.GetImageFromArray(np.asarray(array, dtype=np.float32))
    image.SetSpacing(spacing)
    image.SetOrigin((-30.0, 12.0, 400.0))
    if turned:
        image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    return image


def two_spots() -> Any:
    array = np.full((20, 24, 22), 0.5)
    array[5:9, 6:10, 6:10] = 6.0
    array[6, 8, 7] = 9.0
    array[14:17, 15:19, 14:18] = 5.0
    array[14, 17, 16] = 12.0
    array[1, 1, 1] = 30.0  # too small to be a lesion
    return array


def test_hot_components_are_prompted_at_their_hottest_voxel() -> None:
    image = volume(two_spots())
    first, second = component_prompts(image, threshold=4.0, minimum_ml=0.5)
    assert first.name == "component-1"
    assert image.TransformPhysicalPointToIndex(first.point_mm) == (16, 17, 14)
    assert image.TransformPhysicalPointToIndex(second.point_mm) == (7, 8, 6)
    assert len(component_prompts(image, minimum_ml=0.0)) == 3
    assert len(component_prompts(image, limit=1)) == 1
    assert component_prompts(image, threshold=50) == ()


def test_organs_are_prompted_inside_also_where_their_centroid_is_not() -> None:
    labels = np.zeros((9, 21, 21), dtype=np.uint8)
    labels[:, 3:18, 3:18] = 5
    labels[:, 7:21, 7:14] = 0  # a horseshoe
    image = sitk.GetImageFromArray(labels)
    (prompt,) = organ_prompts(image, {5: "kidneys", 6: "spleen"})
    assert prompt.name == "kidneys"
    assert image[image.TransformPhysicalPointToIndex(prompt.point_mm)] == 5


class Threshold(torch.nn.Module):
    """Stands for the three parts of the model: its mask is where the normalised cube is positive."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.points: list[Any] = []

    def image_encoder(self, image: Any) -> Any:
        return image

    def prompt_encoder(self, points: Any, boxes: None, masks: None) -> tuple[Any, Any]:
        self.points.append(points)
        return points[0], None

    def mask_decoder(self, image_embeddings: Any, multimask_output: bool, **_: Any) -> tuple[Any, Any]:
        assert not multimask_output
        return image_embeddings, None


Threshold.prompt_encoder.get_dense_pe = lambda: None  # type: ignore[attr-defined]


@pytest.mark.parametrize("turned", [False, True])
def test_masks_come_back_on_the_volumes_grid(turned: bool) -> None:
    image = volume(two_spots(), turned=turned)
    model = Threshold()
    prompts = component_prompts(image)
    labels = Sam3DSegmenter(model, cube=32, spacing_mm=2.0).segment(image, prompts)
    assert (labels.GetSize(), labels.GetSpacing()) == (image.GetSize(), image.GetSpacing())
    assert (labels.GetOrigin(), labels.GetDirection()) == (image.GetOrigin(), image.GetDirection())
    found = sitk.GetArrayFromImage(labels)
    for number, corner in (
        (1, (slice(14, 17), slice(15, 19), slice(14, 18))),
        (2, (slice(5, 9), slice(6, 10), slice(6, 10))),
    ):
        truth = np.zeros(found.shape, dtype=bool)
        truth[corner] = True
        dice = 2 * ((found == number) & truth).sum() / ((found == number).sum() + truth.sum())
        assert dice > 0.8
    assert all(
        point.tolist() == [[[16.0, 16.0, 16.0]]] and label.tolist() == [[1.0]]
        for point, label in model.points
    )


def test_the_first_of_overlapping_masks_wins_and_points_outside_are_refused() -> None:
    image = volume(two_spots())
    segmenter = Sam3DSegmenter(Threshold(), cube=32, spacing_mm=2.0)
    (hot, _) = component_prompts(image)
    assert set(np.unique(sitk.GetArrayFromImage(segmenter.segment(image, [hot, hot])))) == {0, 1}
    with pytest.raises(ImagingError, match="far"):
        segmenter.segment(image, [PointPrompt("far", (9999.0, 0.0, 0.0))])
    with pytest.raises(BackendError, match="image_encoder"):
        Sam3DSegmenter(torch.nn.Linear(1, 1))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    pytest.importorskip("medim")
    from safetensors.torch import save_file

    torch.manual_seed(3)
    save_file(load_sam_med3d(None, cube=64, **SMALL)._model.state_dict(), tmp_path / "sam.safetensors")
    return tmp_path / "sam.safetensors"


def test_the_real_architecture_with_weights_by_path(weights: Path, tmp_path: Path) -> None:
    image = volume(two_spots())
    prompts = component_prompts(image)
    one, again = (load_sam_med3d(weights, cube=64, **SMALL).segment(image, prompts) for _ in range(2))
    assert one.GetSize() == image.GetSize()
    assert (sitk.GetArrayFromImage(one) == sitk.GetArrayFromImage(again)).all()
    pickled = tmp_path / "sam.pth"
    torch.save({"model_state_dict": load_sam_med3d(weights, cube=64, **SMALL)._model.state_dict()}, pickled)
    with pytest.raises(BackendError, match="pickled"):
        load_sam_med3d(pickled, cube=64, **SMALL)
    same = load_sam_med3d(pickled, cube=64, allow_pickle=True, **SMALL).segment(image, prompts)
    assert (sitk.GetArrayFromImage(one) == sitk.GetArrayFromImage(same)).all()


def test_weights_that_are_missing_or_do_not_fit_are_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="not part of this package"):
        load_sam_med3d(tmp_path / "none.safetensors", cube=64, **SMALL)
    with pytest.raises(BackendError, match="do not fit"):
        load_sam_med3d(weights, cube=64, **(SMALL | {"encoder_depth": 2}))


def test_a_checkout_runs_only_if_it_is_trusted(weights: Path, tmp_path: Path) -> None:
    package = tmp_path / "SegAnyPET" / "segment_anything"
    package.mkdir(parents=True)
    (package / "build_sam3D.py").write_text(
        "from medim.models.sam_med3d import build_sam3D_vit_b_ori\n"
        f"small = dict({SMALL!r}, image_size=128)\n"
        "sam_model_registry3D = {'vit_b_ori': lambda checkpoint: build_sam3D_vit_b_ori(**small)}\n",
        encoding="utf-8",
    )
    with pytest.raises(BackendError, match="trust_remote_code"):
        load_checkout(package.parent, weights)
    with pytest.raises(BackendError, match="do not fit"):  # made for cubes of 64
        load_checkout(package.parent, weights, trust_remote_code=True)
    with pytest.raises(BackendError, match="no checkout"):
        load_checkout(tmp_path, weights, trust_remote_code=True)
