"""Promptable 3D segmenters: SegAnyPET, SAM-Med3D and models of the same build.

A point in a lesion or organ goes in, a mask comes out. The model is the user's: a checkout of SegAnyPET, or
the ``medim`` package, which holds SAM-Med3D, the architecture that SegAnyPET shares. Weights are given by
path. None is bundled, and SegAnyPET's have no public licence. Volumes are SimpleITK images; the label maps
that come out feed the quantities of :mod:`pet2rep_eval.imaging`.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pet2rep_eval.errors import BackendError, ImagingError, MissingExtraError
from pet2rep_eval.inference.processors import first_line

log = logging.getLogger("pet2rep_eval.inference")


@dataclass(frozen=True, slots=True)
class PointPrompt:
    """A point to segment around."""

    name: str
    """What lies there: an organ key, or ``component-1``, …"""
    point_mm: tuple[float, float, float]
    """Physical coordinates (LPS, millimetres)."""


def component_prompts(
    suv: Any, threshold: float = 4.0, minimum_ml: float = 0.5, limit: int = 30
) -> tuple[PointPrompt, ...]:
    """One prompt for each 18-connected component of *suv* over *threshold*, at its hottest voxel.

    Components under *minimum_ml* are left out; the hottest *limit* are kept, hottest first.
    """
    sitk = _simpleitk()
    hot = sitk.ConnectedComponent(sitk.Cast(suv >= threshold, sitk.sitkUInt8), True)
    statistics = sitk.LabelIntensityStatisticsImageFilter()
    statistics.Execute(hot, suv)
    labels = [v for v in statistics.GetLabels() if statistics.GetPhysicalSize(v) >= minimum_ml * 1000]
    labels.sort(key=statistics.GetMaximum, reverse=True)
    return tuple(
        PointPrompt(
            f"component-{i}", tuple(suv.TransformIndexToPhysicalPoint(statistics.GetMaximumIndex(label)))
        )
        for i, label in enumerate(labels[:limit], 1)
    )


def organ_prompts(labels: Any, names: dict[int, str]) -> tuple[PointPrompt, ...]:
    """One prompt for each organ of a label map (label → organ key), at its innermost voxel.

    The innermost voxel lies in the organ where a centroid may not (a curved bowel). Organs that the map does
    not hold get none.
    """
    import numpy as np

    sitk = _simpleitk()
    found = []
    for label, name in names.items():
        mask = sitk.Cast(labels == label, sitk.sitkUInt8)
        if not sitk.GetArrayViewFromImage(mask).any():
            continue
        inside = sitk.SignedMaurerDistanceMap(mask, insideIsPositive=True, useImageSpacing=True)
        depth = sitk.GetArrayViewFromImage(inside)
        index = [int(i) for i in np.unravel_index(int(depth.argmax()), depth.shape)][::-1]
        found.append(PointPrompt(name, tuple(labels.TransformIndexToPhysicalPoint(index))))
    return tuple(found)


class Sam3DSegmenter:
    """Runs a model with SAM-Med3D's three parts: ``image_encoder``, ``prompt_encoder``, ``mask_decoder``.

    Around each point a cube is resampled, normalised over its positive voxels as the model was trained, and
    segmented with the point as the only prompt.
    """

    def __init__(self, model: Any, *, cube: int = 128, spacing_mm: float = 1.5) -> None:
        """*cube*: edge of the model's input in voxels; *spacing_mm*: their size in training."""
        missing = [
            part for part in ("image_encoder", "prompt_encoder", "mask_decoder") if not hasattr(model, part)
        ]
        if missing:
            raise BackendError(f"The segmenter has no {', '.join(missing)}: it is not built as SAM-Med3D is.")
        self._model, self._cube, self._spacing = model.eval(), cube, spacing_mm

    def segment(self, volume: Any, prompts: Sequence[PointPrompt]) -> Any:
        """A label map on the grid of *volume*: the mask of the n-th prompt has the label n, from 1.

        Where masks overlap the earlier prompt wins. Raises :class:`ImagingError` for a point outside.
        """
        import numpy as np

        sitk = _simpleitk()
        labels = np.zeros(volume.GetSize()[::-1], dtype=np.uint16)
        for number, prompt in enumerate(prompts, 1):
            index = volume.TransformPhysicalPointToIndex(prompt.point_mm)
            if any(not 0 <= i < n for i, n in zip(index, volume.GetSize(), strict=True)):
                raise ImagingError(f"The prompt '{prompt.name}' lies outside the volume.")
            grid = self._grid(prompt.point_mm, volume)
            cube = sitk.Resample(volume, grid, sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkFloat32)
            mask = sitk.GetImageFromArray(self._mask(sitk.GetArrayFromImage(cube)).astype(np.uint8))
            mask.CopyInformation(cube)
            back = sitk.Resample(mask, volume, sitk.Transform(), sitk.sitkNearestNeighbor, 0, sitk.sitkUInt8)
            here = sitk.GetArrayViewFromImage(back).astype(bool)
            labels[here & (labels == 0)] = number
        result = sitk.GetImageFromArray(labels)
        result.CopyInformation(volume)
        return result

    def _grid(self, centre: tuple[float, float, float], volume: Any) -> Any:
        """An empty cube around *centre*, in the directions of *volume*."""
        import numpy as np

        sitk = _simpleitk()
        grid = sitk.Image([self._cube] * 3, sitk.sitkFloat32)
        grid.SetSpacing([self._spacing] * 3)
        grid.SetDirection(volume.GetDirection())
        # the centre is voxel cube // 2, which the prompt below names
        offset = np.array(volume.GetDirection()).reshape(3, 3) @ np.full(3, self._cube // 2 * self._spacing)
        grid.SetOrigin((np.array(centre) - offset).tolist())
        return grid

    def _mask(self, cube: Any) -> Any:
        """Boolean mask of a cube (z, y, x) around its centre voxel."""
        import torch

        values = torch.from_numpy(cube)
        body = values[values > 0]
        if body.numel() > 1:
            values = (values - body.mean()) / body.std().clamp(min=1e-6)
        device = next(self._model.parameters()).device
        middle = float(self._cube // 2)
        point = torch.tensor([[[middle, middle, middle]]], device=device)
        with torch.inference_mode():
            image = self._model.image_encoder(values[None, None].to(device))
            sparse, dense = self._model.prompt_encoder(
                points=(point, torch.ones(1, 1, device=device)), boxes=None, masks=None
            )
            small, _ = self._model.mask_decoder(
                image_embeddings=image,
                image_pe=self._model.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=False,
            )
            logits = torch.nn.functional.interpolate(
                small, size=cube.shape, mode="trilinear", align_corners=False
            )
        return (logits[0, 0] > 0).cpu().numpy()


def load_sam_med3d(
    checkpoint: str | Path | None, *, allow_pickle: bool = False, cube: int = 128, **settings: Any
) -> Sam3DSegmenter:
    """SAM-Med3D from the ``medim`` package with the weights of *checkpoint*; None leaves them random.

    *settings* go to the architecture (``encoder_depth``, …). Raises :class:`BackendError` for weights that do
    not fit or are pickled, unless *allow_pickle*.
    """
    try:
        from medim.models.sam_med3d import build_sam3D_vit_b_ori  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError("medim", "segment") from error
    model = build_sam3D_vit_b_ori(pretrained=False, image_size=cube, **settings)
    if checkpoint is not None:
        _load_weights(model, Path(checkpoint), allow_pickle)
    return Sam3DSegmenter(model, cube=cube)


def load_checkout(
    folder: str | Path, checkpoint: str | Path, *, trust_remote_code: bool = False, allow_pickle: bool = False
) -> Sam3DSegmenter:
    """SegAnyPET, or SAM-Med3D, from a checkout of its repository and a weights file.

    The checkout's own code runs (``segment_anything/build_sam3D.py``), hence *trust_remote_code* is needed.
    """
    folder = Path(folder)
    source = folder / "segment_anything" / "build_sam3D.py"
    if not source.is_file():
        raise BackendError(f"'{folder}' is no checkout of SegAnyPET or SAM-Med3D: it has no {source.name}.")
    if not trust_remote_code:
        raise BackendError(f"The code of '{folder}' would run. Give trust_remote_code=True if you trust it.")
    log.warning("Running Python code of '%s', as asked.", folder)
    spec = importlib.util.spec_from_file_location("segment_anything.build_sam3D", source)
    sys.path.insert(0, str(folder))
    try:
        module: Any = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        spec.loader.exec_module(module)  # type: ignore[union-attr]
        model = module.sam_model_registry3D["vit_b_ori"](checkpoint=None)
    except (ImportError, AttributeError, KeyError, TypeError) as error:
        raise BackendError(f"The checkout '{folder}' cannot be used: {first_line(error)}") from error
    finally:
        sys.path.remove(str(folder))
    _load_weights(model, Path(checkpoint), allow_pickle)
    return Sam3DSegmenter(model)


def _load_weights(model: Any, path: Path, allow_pickle: bool) -> None:
    if not path.is_file():
        raise BackendError(
            f"The weights '{path}' are not there. They are not part of this package: give their path."
        )
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        weights = load_file(path)
    elif not allow_pickle:
        raise BackendError(
            f"The weights '{path}' are pickled, which can run code when they are loaded. Convert them to "
            "safetensors, or give allow_pickle=True if you trust them."
        )
    else:
        import torch

        log.warning("Loading pickled weights from %s, as asked.", path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
        weights = weights.get("model_state_dict", weights)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise BackendError(f"The weights '{path}' do not fit the segmenter: {first_line(error)}") from error


def _simpleitk() -> Any:
    try:
        import SimpleITK
    except ImportError as error:
        raise MissingExtraError("SimpleITK", "imaging") from error
    return SimpleITK
