"""Loads a model's processor, also where torchvision is missing.

The processors of the Qwen family hold a video processor that needs torchvision, though a report needs
pictures only. Without torchvision a subclass without it is used: it gives the same tokens and pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from pet2rep_eval.errors import BackendError

IMAGE_ONLY = {
    "qwen2_vl": "Qwen2VLProcessor",
    "qwen2_5_vl": "Qwen2_5_VLProcessor",
    "qwen3_vl": "Qwen3VLProcessor",
    "qwen3_vl_moe": "Qwen3VLProcessor",
}
"""Model type → processor class for which the fallback exists."""


def image_only_class(model_type: str) -> Any:
    """The processor class of *model_type* without its video processor."""
    import transformers
    from transformers.processing_utils import ProcessorMixin

    base: Any = getattr(transformers, IMAGE_ONLY[model_type])

    class ImageOnlyProcessor(base):  # type: ignore[misc]
        # The base class reads from this signature which parts are loaded.
        def __init__(
            self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None, **_: Any
        ) -> None:
            for kind in ("image", "video"):
                token = getattr(tokenizer, f"{kind}_token", None) or f"<|{kind}_pad|>"
                setattr(self, f"{kind}_token", token)
                setattr(self, f"{kind}_token_id", tokenizer.convert_tokens_to_ids(token))
            for kind in ("start", "end"):
                token = getattr(tokenizer, f"vision_{kind}_token", None) or f"<|vision_{kind}|>"
                setattr(self, f"vision_{kind}_token", token)
                setattr(self, f"vision_{kind}_token_id", tokenizer.convert_tokens_to_ids(token))
            ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    ImageOnlyProcessor.__name__ = ImageOnlyProcessor.__qualname__ = base.__name__
    return ImageOnlyProcessor


def load_processor(path: str, note: Callable[[str], None], trust_remote_code: bool = False) -> Any:
    """The processor of the model at *path* (a folder or hub name). Raises :class:`BackendError`."""
    from transformers import AutoConfig, AutoProcessor

    try:
        kind = AutoConfig.from_pretrained(path, trust_remote_code=trust_remote_code).model_type
        if kind in IMAGE_ONLY and find_spec("torchvision") is None:
            note("torchvision is not installed: pictures are prepared without it, and videos cannot be.")
            return image_only_class(kind).from_pretrained(path, trust_remote_code=trust_remote_code)
        return AutoProcessor.from_pretrained(path, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise BackendError(f"The processor of '{path}' cannot be loaded: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """The first line of an error's message that says something."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
