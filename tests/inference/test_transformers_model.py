"""``transformers:`` with real architectures at random weights, loaded from disk."""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
import weakref
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pet2rep_eval.errors import BackendError, InputError, UnknownNameError
from pet2rep_eval.inference import Completion, Decoding, Prompt, create_backend, generate, read_prompts
from pet2rep_eval.inference.backends.transformers_model import TransformersBackend
from pet2rep_eval.inference.tiny_models import FAMILIES, build_tiny_model
from tests.inference.studies import SYSTEM, rows, write_studies

torch = pytest.importorskip("torch")
Models = Callable[[str], Path]
SHORT = Decoding(max_new_tokens=12)


def studies(folder: Path, count: int, pictures: int = 3) -> tuple[Prompt, ...]:
    """Prompts of differing lengths, so that a batch needs padding."""
    prompts = read_prompts(write_studies(folder, count, pictures))
    return tuple(dataclasses.replace(p, user=p.user + "肝脏。" * (7 * i % 5)) for i, p in enumerate(prompts))


def backend(path: Path, decoding: Decoding = SHORT, **options: Any) -> TransformersBackend:
    made = create_backend(f"transformers:{path}", decoding, options)
    assert isinstance(made, TransformersBackend)
    return made


def answers(
    path: Path, prompts: tuple[Prompt, ...], decoding: Decoding = SHORT, **options: Any
) -> list[Completion]:
    return list(backend(path, decoding, **options).generate(prompts))


@pytest.mark.parametrize("pictures", [3, 6])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_of_four_says_what_single_studies_say(
    tiny_model: Models, tmp_path: Path, family: str, pictures: int
) -> None:
    prompts = studies(tmp_path, 5, pictures)
    single = answers(tiny_model(family), prompts, batch_size=1)
    four = answers(tiny_model(family), prompts, batch_size=4)
    plain = [(c.study_id, c.text, c.tokens_in, c.tokens_out, c.finish) for c in single]
    assert plain == [(c.study_id, c.text, c.tokens_in, c.tokens_out, c.finish) for c in four]
    assert [c.study_id for c in single] == [p.study_id for p in prompts]
    assert len({c.text for c in single}) > 1, "the texts tell the studies apart"
    assert all(c.tokens_in and c.tokens_out and not c.reason for c in single)


@pytest.mark.parametrize("family", FAMILIES)
def test_more_pictures_are_more_tokens_and_their_contents_matter(
    tiny_model: Models, tmp_path: Path, family: str
) -> None:
    tokens = []
    for count in (0, 3, 6):
        (found,) = answers(tiny_model(family), studies(tmp_path / str(count), 1, count))
        assert found.tokens_in is not None
        tokens.append(found.tokens_in)
    assert (tokens[2] - tokens[1]) == pytest.approx(tokens[1] - tokens[0], abs=8)
    assert tokens[1] > tokens[0]
    (prompt,) = studies(tmp_path / "same", 1, 3)
    before = answers(tiny_model(family), (prompt,), Decoding(max_new_tokens=40))[0].text
    shutil.copy(prompt.images[0], prompt.images[2])
    assert answers(tiny_model(family), (prompt,), Decoding(max_new_tokens=40))[0].text != before


def test_sampling_depends_on_seed_and_study_and_not_on_the_batch(tiny_model: Models, tmp_path: Path) -> None:
    prompts = studies(tmp_path, 5)
    sampling = Decoding(seed=3, temperature=0.9, top_k=50, top_p=0.95, max_new_tokens=12)
    one = [c.text for c in answers(tiny_model("llava"), prompts, sampling, batch_size=1)]
    assert one == [c.text for c in answers(tiny_model("llava"), prompts, sampling, batch_size=4)]
    assert one[2:] == [c.text for c in answers(tiny_model("llava"), prompts[2:], sampling, batch_size=2)]
    other = dataclasses.replace(sampling, seed=4)
    assert one != [c.text for c in answers(tiny_model("llava"), prompts, other, batch_size=4)]


def test_sampling_draws_from_the_models_probabilities() -> None:
    from pet2rep_eval.inference.sampling import sampler

    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0, -4.0]])
    draws, counts = 4000, torch.zeros(5)
    (temperature, top_k, noise) = sampler(Decoding(temperature=1.5, top_k=4), ["a"], "cpu")
    for _ in range(draws):
        counts[noise(None, top_k(None, temperature(None, logits))).argmax()] += 1
    expected = torch.softmax(torch.where(logits[0] < -2, -torch.inf, logits[0] / 1.5), dim=0) * draws
    assert counts[4] == 0
    chi_square = float((((counts - expected) ** 2) / expected)[:4].sum())
    assert chi_square < 16.3, "three degrees of freedom, one in a thousand"


def test_the_checkpoints_own_decoding_settings_do_not_leak_in(tiny_model: Models, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model("llava"), tmp_path / "model")
    settings = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    own = {"repetition_penalty": 5.0, "do_sample": True, "temperature": 9.0, "min_new_tokens": 3}
    (folder / "generation_config.json").write_text(json.dumps(settings | own), encoding="utf-8")
    prompts = studies(tmp_path, 2)
    plain = [c.text for c in answers(tiny_model("llava"), prompts)]
    assert [c.text for c in answers(folder, prompts)] == plain
    penalised = [c.text for c in answers(folder, prompts, dataclasses.replace(SHORT, repetition_penalty=5.0))]
    assert penalised != plain


def test_a_run_is_resumed_to_the_same_file(tiny_model: Models, tmp_path: Path) -> None:
    prompts, path = studies(tmp_path, 7), tiny_model("idefics3")
    generate(prompts, backend(path, batch_size=4), tmp_path / "whole.jsonl")
    generate(prompts[:3], backend(path, batch_size=4), tmp_path / "out.jsonl")
    report = generate(prompts, backend(path, batch_size=4), tmp_path / "out.jsonl")
    assert (report.resumed, report.generated) == (3, 4)
    assert rows(tmp_path / "out.jsonl") == rows(tmp_path / "whole.jsonl")
    environment = json.loads((tmp_path / "out.run.json").read_text(encoding="utf-8"))["sessions"][1][
        "environment"
    ]
    assert {"transformers", "torch", "device", "dtype", "batch_size", "attention"} <= set(environment)


def test_another_checkpoint_under_the_same_name_is_not_continued(tiny_model: Models, tmp_path: Path) -> None:
    prompts = studies(tmp_path, 2)
    folder = shutil.copytree(tiny_model("llava"), tmp_path / "model")
    generate(prompts[:1], backend(folder), tmp_path / "out.jsonl")
    shutil.rmtree(folder)
    build_tiny_model("llava", folder, [SYSTEM], seed=2)
    with pytest.raises(InputError, match="fingerprint"):
        generate(prompts, backend(folder), tmp_path / "out.jsonl")


def test_building_a_model_leaves_the_random_state_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    build_tiny_model("llava", tmp_path / "model", [SYSTEM])
    assert torch.equal(before, torch.random.get_rng_state())


# ------------------------------------------------------------------ memory and bad studies


def limit_memory(
    made: TransformersBackend, studies_at_once: int, monkeypatch: pytest.MonkeyPatch, error: str
) -> list[int]:
    model = made._model().model
    real, sizes = model.generate, []

    def scarce(**inputs: Any) -> Any:
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > studies_at_once:
            raise (torch.OutOfMemoryError if "CUDA" in error else RuntimeError)(error)
        return real(**inputs)

    monkeypatch.setattr(model, "generate", scarce)
    return sizes


@pytest.mark.parametrize(
    "error",
    ["CUDA out of memory. Tried to allocate 2 GiB.", "DefaultCPUAllocator: not enough memory: you tried"],
)
def test_the_batch_is_halved_until_it_fits(
    tiny_model: Models,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    prompts, made = studies(tmp_path, 9), backend(tiny_model("llava"), batch_size=8)
    sizes = limit_memory(made, 2, monkeypatch, error)
    found = list(made.generate(prompts))
    assert sizes == [8, 4, 2, 2, 2, 2, 1]
    assert [c.text for c in found] == [c.text for c in answers(tiny_model("llava"), prompts)]
    assert made.environment()["batch_size"] == 2
    assert "going on with 4" in caplog.text


def test_a_study_that_never_fits_gets_a_reason(
    tiny_model: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = backend(tiny_model("llava"), batch_size=2)
    limit_memory(made, 0, monkeypatch, "CUDA out of memory")
    assert [c.reason for c in made.generate(studies(tmp_path, 2))] == ["out of memory (study by itself)"] * 2


def test_a_broken_picture_fails_alone(tiny_model: Models, tmp_path: Path) -> None:
    prompts = studies(tmp_path, 4)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG no picture")
    prompts = (prompts[0], dataclasses.replace(prompts[1], images=(broken,)), *prompts[2:])
    found = answers(tiny_model("llava"), prompts, batch_size=4)
    assert [c.text is None for c in found] == [False, True, False, False]
    assert "cannot identify image file" in found[1].reason


# ------------------------------------------------------------------ chat templates and processors


def with_template(model: Path, folder: Path, change: Callable[[str], str]) -> Path:
    shutil.copytree(model, folder)
    path = folder / "chat_template.jinja"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "change",
    [
        lambda t: (
            "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + t
        ),
        lambda t: t.replace(
            "{% for message in messages %}", "{% for message in messages if message['role'] != 'system' %}"
        ),
    ],
    ids=["refused", "dropped"],
)
def test_a_system_text_that_the_template_does_not_take_goes_before_the_users(
    tiny_model: Models, tmp_path: Path, change: Callable[[str], str]
) -> None:
    (prompt,) = studies(tmp_path, 1)
    folder = with_template(tiny_model("llava"), tmp_path / "model", change)
    folded = dataclasses.replace(prompt, system="", user=f"{prompt.system}\n{prompt.user}")
    assert answers(folder, (prompt,))[0].text == answers(tiny_model("llava"), (folded,))[0].text
    assert answers(folder, (prompt,))[0].tokens_in == answers(tiny_model("llava"), (folded,))[0].tokens_in


def test_a_model_without_chat_template_is_refused(tiny_model: Models, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model("llava"), tmp_path / "model")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(BackendError, match="no chat template"):
        answers(folder, studies(tmp_path, 1))


def test_image_marks_in_the_text_are_not_taken_for_pictures(tiny_model: Models, tmp_path: Path) -> None:
    (prompt,) = studies(tmp_path, 1, 3)
    assert prompt.user.count("<image>") == 3
    plain = dataclasses.replace(prompt, user=prompt.user.replace("<image> <image> <image>", ""))
    assert answers(tiny_model("llava"), (prompt,))[0].text == answers(tiny_model("llava"), (plain,))[0].text


@pytest.mark.parametrize("kind", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
def test_the_processor_without_videos_counts_picture_tokens_as_the_model_does(
    tiny_model: Models, tmp_path: Path, kind: str
) -> None:
    from PIL import Image

    from pet2rep_eval.inference.processors import image_only_class

    processor = image_only_class(kind).from_pretrained(tiny_model("qwen2_5_vl"))
    pictures = [Image.new("RGB", (64, 40), (10 * i, 0, 0)) for i in range(3)]
    content = [{"type": "image", "image": p} for p in pictures] + [{"type": "text", "text": "报告"}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=True, return_dict=True, return_tensors="pt"
    )
    grids = inputs["image_grid_thw"]
    assert len(grids) == 3
    expected = int((grids.prod(dim=1) // 4).sum())
    assert int((inputs["input_ids"] == processor.image_token_id).sum()) == expected
    assert "video_processor" not in processor.get_attributes()


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed")
def test_the_fallback_without_torchvision_is_told(
    tiny_model: Models, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answers(tiny_model("qwen2_5_vl"), studies(tmp_path, 1))
    assert "torchvision is not installed: pictures are prepared without it" in caplog.text


# ------------------------------------------------------------------ adapters


# peft asks transformers for a property under its old name
old_name = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")


def make_adapter(model: Path, folder: Path, scale: float) -> Path:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    base = AutoModelForImageTextToText.from_pretrained(model)
    adapted = get_peft_model(base, LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    torch.manual_seed(0)
    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=scale) if scale else None
    adapted.save_pretrained(folder)
    return folder


@old_name
@pytest.mark.parametrize("family", FAMILIES)
def test_a_lora_adapter_is_applied(tiny_model: Models, tmp_path: Path, family: str) -> None:
    pytest.importorskip("peft")
    prompts = studies(tmp_path, 2)
    plain = [c.text for c in answers(tiny_model(family), prompts)]
    idle, strong = (make_adapter(tiny_model(family), tmp_path / f"{s}", s) for s in (0.0, 3.0))
    assert [c.text for c in answers(tiny_model(family), prompts, adapter=str(idle))] == plain
    assert [c.text for c in answers(tiny_model(family), prompts, adapter=str(strong))] != plain
    generate(prompts[:1], backend(tiny_model(family), adapter=str(idle)), tmp_path / "out.jsonl")
    with pytest.raises(InputError, match="adapter"):
        generate(prompts, backend(tiny_model(family), adapter=str(strong)), tmp_path / "out.jsonl")


@old_name
def test_an_adapter_that_is_not_there_or_pickled_is_refused(tiny_model: Models, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="is no folder"):
        answers(tiny_model("llava"), studies(tmp_path, 1), adapter=str(tmp_path / "none"))
    adapter = make_adapter(tiny_model("llava"), tmp_path / "adapter", 0.0)
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(BackendError, match="pickled"):
        answers(tiny_model("llava"), studies(tmp_path, 1), adapter=str(adapter))


# ------------------------------------------------------------------ what may run code


def test_pickled_weights_are_refused_unless_asked_for(
    tiny_model: Models, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from safetensors.torch import load_file

    folder = shutil.copytree(tiny_model("llava"), tmp_path / "model")
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()
    prompts = studies(tmp_path, 1)
    with pytest.raises(BackendError, match=r"pickled weights only \(pytorch_model.bin\).*--allow-pickle"):
        answers(folder, prompts)
    assert (
        answers(folder, prompts, allow_pickle=True)[0].text == answers(tiny_model("llava"), prompts)[0].text
    )
    assert "pickled weights" in caplog.text


def test_code_that_comes_with_a_model_runs_only_if_asked_for(
    tiny_model: Models, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(tiny_model("llava"), tmp_path / "strange_model")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "strange", "auto_map": {"AutoConfig": "configuration_strange.StrangeConfig"}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "configuration_strange.py").write_text(
        f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n"
        "from transformers import LlavaConfig\n\n\n"
        "class StrangeConfig(LlavaConfig):\n    model_type = 'strange'\n",
        encoding="utf-8",
    )
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    prompts = studies(tmp_path, 1)
    with pytest.raises(BackendError):
        answers(folder, prompts)
    assert not (tmp_path / "ran").exists()
    caplog.set_level(logging.WARNING)
    with pytest.raises(BackendError):  # its configuration is known now, a model class for it is not
        answers(folder, prompts, trust_remote_code=True)
    assert (tmp_path / "ran").exists()
    assert "Running Python code that comes with" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float8"}, "dtype"),
        ({"quantisation": "2bit"}, "quantisation"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_unusable_options(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        backend(tmp_path, **options)


def test_models_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder is not there"):
        create_backend("transformers:./none", Decoding())
    with pytest.raises(InputError, match="names no model"):
        create_backend("transformers:", Decoding())
    (tmp_path / "empty").mkdir()
    with pytest.raises(BackendError, match="holds no weights"):
        answers(tmp_path / "empty", studies(tmp_path, 1))
    with pytest.raises(UnknownNameError, match="llava"):
        build_tiny_model("lava", tmp_path / "x", [])


def test_the_token_limit_is_checked_with_the_models_own_tokens(tiny_model: Models, tmp_path: Path) -> None:
    prompts = studies(tmp_path, 2)
    made = backend(tiny_model("llava"), Decoding(max_new_tokens=2))
    notes: list[str] = []
    generate(prompts, made, tmp_path / "out.jsonl", note=notes.append)
    longest = max(made.count_tokens(p.reference or "") or 0 for p in prompts)
    assert f"2 of 2 references are longer than 2 tokens (the longest has {longest})" in notes[0]


def test_a_closed_backend_holds_no_model_and_loads_it_again(tiny_model: Models, tmp_path: Path) -> None:
    prompts, made = studies(tmp_path, 1), backend(tiny_model("llava"))
    before = [c.text for c in made.generate(prompts)]
    model = weakref.ref(made._model().model)
    made.close()
    assert model() is None
    assert [c.text for c in made.generate(prompts)] == before
