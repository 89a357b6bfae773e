"""Where texts come from. A backend is one module and one line in :data:`BACKENDS`.

Each module holds ``create(name, decoding, options)``, which gives a :class:`Backend`. Another package
adds one through the entry point group ``pet2rep_eval.backends``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import MISSING, fields
from types import UnionType
from typing import Any, Protocol, TypeVar, get_args, get_type_hints

from pet2rep_eval.errors import InputError, UnknownNameError
from pet2rep_eval.inference.decoding import Decoding
from pet2rep_eval.inference.requests import Completion, Prompt
from pet2rep_eval.registry import Registry

_HERE = "pet2rep_eval.inference.backends"

BACKENDS = Registry(
    "backend",
    {
        "transformers": f"{_HERE}.transformers_model:create",
        "openai": f"{_HERE}.openai_server:create",
        "template": f"{_HERE}.template_baseline:create",
        "command": f"{_HERE}.command_program:create",
        "replay": f"{_HERE}.replay_outputs:create",
    },
)


class Backend(Protocol):
    """Turns prompts into completions."""

    def settings(self) -> Mapping[str, Any]:
        """All that decides the texts, as JSON values, without secrets: goes into provenance.

        A run is resumed only with equal settings.
        """

    def environment(self) -> Mapping[str, Any]:
        """What is worth knowing besides: versions, device, batch size. Recorded, never compared."""

    def count_tokens(self, text: str) -> int | None:
        """Length of *text* in the model's tokens; None where no tokenizer is at hand."""

    def generate(self, prompts: Sequence[Prompt]) -> Generator[Completion, None, None]:
        """One completion for every prompt, in any order, each as soon as it is there.

        A request that fails gives a completion with a reason. :class:`BackendError` means that no further
        request can succeed.
        """

    def close(self) -> None:
        """Free what was loaded: the next model may need the memory. A later call loads it again."""


T = TypeVar("T")


def create_backend(model: str, decoding: Decoding, options: Mapping[str, Any] | None = None) -> Backend:
    """The backend for ``BACKEND:NAME``, with *options* of its own (see ``docs/models.md``).

    Raises :class:`InputError` or :class:`UnknownNameError` for what cannot be used; a model is
    loaded when the first prompt comes.
    """
    kind, colon, name = model.partition(":")
    if not colon:
        raise InputError(
            f"'{model}' names no backend",
            remedy=f"Write BACKEND:NAME, where BACKEND is one of: {', '.join(BACKENDS.names())}.",
        )
    factory: Callable[[str, Decoding, Mapping[str, Any]], Backend] = BACKENDS.load(kind)
    return factory(name, decoding, options or {})


def read_options(kind: type[T], backend: str, options: Mapping[str, Any]) -> T:
    """*options* as the dataclass *kind*, each name and type checked.

    A value is never repeated in an error: somebody may have put a secret there.
    """
    hints = get_type_hints(kind)
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name in ("api_key", "key", "token", "password"):
            raise InputError(
                f"a secret must not stand in the options of '{backend}:' ('{name}')",
                remedy="Put it into an environment variable (api_key_env) or a file (api_key_file).",
            )
        if name not in known:
            raise UnknownNameError(f"option of the backend '{backend}:'", name, known)
        values[name] = _typed(backend, name, value, hints[name])
    missing = [
        f.name
        for f in fields(kind)  # type: ignore[arg-type]
        if f.name not in values and f.default is MISSING and f.default_factory is MISSING
    ]
    if missing:
        raise InputError(f"the backend '{backend}:' needs {', '.join(missing)}", remedy="See docs/models.md.")
    return kind(**values)


def _typed(backend: str, name: str, value: Any, hint: Any) -> Any:
    allowed = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if isinstance(value, bool) or value is None:
        good = type(value) in allowed
    else:
        if isinstance(value, int) and float in allowed and int not in allowed:
            value = float(value)
        good = type(value) in allowed
    if not good:
        wanted = " or ".join(t.__name__ for t in allowed if t is not type(None))
        raise InputError(f"the option '{name}' of the backend '{backend}:' must be of type {wanted}")
    return value
