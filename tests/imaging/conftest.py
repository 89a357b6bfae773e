"""One phantom for all tests of imaging, and its DICOM files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pet2rep_eval.imaging.geometry import Study
from pet2rep_eval.imaging.phantom import Phantom, make_phantom
from pet2rep_eval.imaging.phantom_files import write_dicom


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    return make_phantom()


@pytest.fixture(scope="session")
def study(phantom: Phantom) -> Study:
    return Study.of(phantom.suv, phantom.ct)


@pytest.fixture(scope="session")
def phantom_dicom(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dicom(phantom, tmp_path_factory.mktemp("phantom") / "study")
