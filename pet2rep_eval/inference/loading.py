"""Loads a vision-language model from disk or hub: safetensors only, no code of its own, unless asked."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pet2rep_eval.errors import BackendError, InputError, MissingExtraError
from pet2rep_eval.inference.processors import first_line, load_processor

log = logging.getLogger("pet2rep_eval.inference")

DTYPES = ("auto", "float32", "bfloat16", "float16")
QUANTISATIONS = ("4bit", "8bit")
_WEIGHTS = re.compile(r"\.(safetensors|bin|pt|pth|ckpt)$")
_END_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class Options:
    """Options of ``transformers:``."""

    batch_size: int = 8
    """Studies at once to begin with; halved on memory errors."""
    dtype: str = "auto"
    device_map: str | None = None
    """By default ``auto`` where a GPU is at hand, else the CPU."""
    attention: str | None = None
    adapter: str | None = None
    """Folder of a LoRA adapter."""
    quantisation: str | None = None
    trust_remote_code: bool = False
    allow_pickle: bool = False

    def __post_init__(self) -> None:
        for name, known in (("dtype", DTYPES), ("quantisation", QUANTISATIONS)):
            value = getattr(self, name)
            if value is not None and value not in known:
                raise InputError(
                    f"the option '{name}' cannot be '{value}'", remedy=f"Known: {', '.join(known)}."
                )
        if self.batch_size < 1:
            raise InputError("the option 'batch_size' must be positive")


@dataclass(slots=True)
class Loaded:
    """A model ready to generate."""

    model: Any
    processor: Any
    device: str
    dtype: str


def fingerprint(folder: Path) -> str:
    """Twelve hexadecimal digits that tell one checkpoint from another without reading all of it.

    Over names, sizes, and the first and last 64 KiB of every file in *folder*.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            digest.update(file.read(_END_BYTES))
            file.seek(max(0, size - _END_BYTES))
            digest.update(file.read(_END_BYTES))
    return digest.hexdigest()[:12]


def check_weights(folder: Path, what: str, allow_pickle: bool) -> None:
    """Refuse a folder without safetensors weights: loading a pickle can run any code."""
    names = [p.name for p in folder.iterdir() if _WEIGHTS.search(p.name)]
    if any(name.endswith(".safetensors") for name in names):
        return
    if not names:
        raise BackendError(f"The {what} '{folder}' holds no weights.")
    if not allow_pickle:
        raise BackendError(
            f"The {what} '{folder}' holds pickled weights only ({sorted(names)[0]}), which can run code "
            "when they are loaded. Convert them to safetensors, or give --allow-pickle if you trust them."
        )
    log.warning("Loading pickled weights from %s, as asked: they can run code.", folder)


@contextmanager
def quiet_bars() -> Iterator[None]:
    """Keeps the library's loading bars out of logs; leaves them as they were."""
    from transformers.utils import logging as library

    shown = library.is_progress_bar_enabled()
    library.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            library.enable_progress_bar()


def load(path: str, options: Options) -> Loaded:
    """Model and processor of *path*, a folder or a hub name. Raises :class:`BackendError` with the reason."""
    try:
        import torch
        from transformers import AutoModelForImageTextToText
    except ImportError as error:
        raise MissingExtraError(error.name or "transformers", "inference") from error
    folder = Path(path)
    if folder.is_dir():
        check_weights(folder, "model", options.allow_pickle)
    if options.trust_remote_code:
        log.warning("Running Python code that comes with '%s', as asked.", path)
    device_map = options.device_map or ("auto" if torch.cuda.is_available() else None)
    with quiet_bars():
        processor = load_processor(path, log.warning, options.trust_remote_code)
        settings: dict[str, Any] = {"dtype": options.dtype, "trust_remote_code": options.trust_remote_code}
        settings |= {"device_map": device_map} if device_map else {}
        settings |= {"attn_implementation": options.attention} if options.attention else {}
        settings |= (
            {"quantization_config": _quantisation(options.quantisation)} if options.quantisation else {}
        )
        settings |= {} if options.allow_pickle else {"use_safetensors": True}
        try:
            model = AutoModelForImageTextToText.from_pretrained(path, **settings)
        except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
            raise BackendError(f"The model '{path}' cannot be loaded: {first_line(error)}") from error
        if options.adapter:
            model = _with_adapter(model, options)
    model.eval()
    tokenizer = getattr(processor, "tokenizer", processor)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Loaded(model, processor, str(model.device), str(model.dtype).removeprefix("torch."))


def _quantisation(kind: str) -> Any:
    try:
        import bitsandbytes  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        raise BackendError(
            "Quantisation needs a GPU and the package 'bitsandbytes'. Install it, or drop --quantisation."
        ) from error
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(load_in_4bit=kind == "4bit", load_in_8bit=kind == "8bit")


def _with_adapter(model: Any, options: Options) -> Any:
    try:
        from peft import PeftModel
    except ImportError as error:
        raise MissingExtraError("peft", "lora") from error
    folder = Path(str(options.adapter))
    if not folder.is_dir():
        raise BackendError(
            f"The adapter '{folder}' is no folder. Name the folder that holds adapter_config.json."
        )
    check_weights(folder, "adapter", options.allow_pickle)
    try:
        return PeftModel.from_pretrained(model, str(folder))
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BackendError(f"The adapter '{folder}' cannot be loaded: {first_line(error)}") from error
