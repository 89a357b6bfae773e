"""What goes to a model and what comes back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Prompt:
    """One study as a model gets it."""

    study_id: str
    system: str
    user: str
    """As in the file, literal ``<image>`` included."""
    images: tuple[Path, ...] = ()
    """Pictures in the order in which the model sees them."""
    volumes: Mapping[str, Path] = field(default_factory=dict)
    """For 3D models: ``ct``, ``pet`` → a volume file. Passed on as paths, never opened here."""
    reference: str | None = None
    task: str = "PET2Rep"

    def digest(self) -> str:
        """Sixteen hexadecimal digits over texts, picture contents and volume names and sizes.

        Two prompts of one digest are the same request, wherever their files lie; volumes are too large to be
        read for it.
        """
        digest = hashlib.sha256(f"{self.system}\0{self.user}\0".encode())
        for image in self.images:
            digest.update(hashlib.sha256(image.read_bytes()).digest())
        for name, path in sorted(self.volumes.items()):
            digest.update(f"{name}\0{path.name}\0{path.stat().st_size}\0".encode())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Completion:
    """What became of one request: a text, or the reason why there is none."""

    study_id: str
    text: str | None
    """None where the request failed; an empty text is a result."""
    reason: str = ""
    """Why there is no text."""
    finish: str | None = None
    """``stop`` or ``length`` where the backend tells."""
    tokens_in: int | None = None
    tokens_out: int | None = None
    seconds: float = 0.0
    """Wall-clock time of the request, or of its batch divided by the batch's size."""
    attempts: int = 1
