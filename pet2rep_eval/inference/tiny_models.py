"""Vision-language models at random weights, under a megabyte, for the full demo and for tests.

Built from the architectures' own configuration classes and saved as any checkpoint is, so that loading,
chat templates, picture processing, generation and adapters are the real ones. They have learnt nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pet2rep_eval.errors import MissingExtraError, UnknownNameError
from pet2rep_eval.inference.loading import quiet_bars

_START, _END, _PAD, _UNKNOWN = "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|unknown|>"
_QWEN_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"


def _chat_template(picture: str) -> str:
    """The ChatML dialogue that Qwen's models use, with *picture* for each image."""
    return (
        "{% for message in messages %}" + _START + "{{ message['role'] }}\n"
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
        "{% for part in message['content'] %}{% if part['type'] == 'image' %}" + picture + "{% else %}"
        "{{ part['text'] }}{% endif %}{% endfor %}{% endif %}" + _END + "\n{% endfor %}"
        "{% if add_generation_prompt %}" + _START + "assistant\n{% endif %}"
    )


def _tokenizer(texts: Sequence[str], special: Sequence[str]) -> Any:
    """A BPE tokenizer over characters, trained on *texts*: no download, and whatever is generated is text.

    Characters that are neither in *texts* nor ASCII become an unknown token.
    """
    from tokenizers import Tokenizer, decoders, models, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE(unk_token=_UNKNOWN))
    bpe.decoder = decoders.Fuse()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=[_PAD, _UNKNOWN, _START, _END, *special],
        initial_alphabet=[chr(code) for code in range(32, 127)],
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=_PAD,
        unk_token=_UNKNOWN,
        eos_token=_END,
        bos_token=_START,
        additional_special_tokens=list(special),
        padding_side="left",
    )


def _text_settings(tokenizer: Any) -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        # larger than usual: at random weights the pictures and the words then move the output
        "initializer_range": 0.3,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 8192,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
    }


def _llava(texts: Sequence[str]) -> tuple[Any, Any]:
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = _tokenizer(texts, ["<image>"])
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=28,
        patch_size=14,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=LlamaConfig(**_text_settings(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        pad_token_id=tokenizer.pad_token_id,
    )
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    processor = LlavaProcessor(
        pictures,
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_chat_template("<image>"),
    )
    return LlavaForConditionalGeneration(config), processor


def _idefics3(texts: Sequence[str]) -> tuple[Any, Any]:
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor, LlamaConfig
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    special = ["<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>"]
    tokenizer = _tokenizer(
        texts, [*special, *(f"<row_{i}_col_{j}>" for i in range(1, 7) for j in range(1, 7))]
    )
    config = Idefics3Config(
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "image_size": 28,
            "patch_size": 7,
        },
        text_config=LlamaConfig(**_text_settings(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
    )
    pictures = Idefics3ImageProcessorPil(
        size={"longest_edge": 28}, max_image_size={"longest_edge": 28}, do_image_splitting=False
    )
    processor = Idefics3Processor(
        pictures, tokenizer, image_seq_len=4, chat_template=_chat_template("<image>")
    )
    return Idefics3ForConditionalGeneration(config), processor


def _qwen2_5_vl(texts: Sequence[str]) -> tuple[Any, Any]:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from pet2rep_eval.inference.processors import image_only_class

    special = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    tokenizer = _tokenizer(texts, special)
    start, end, image, video = (tokenizer.convert_tokens_to_ids(s) for s in special)
    config = Qwen2_5_VLConfig(
        text_config=_text_settings(tokenizer)
        | {"rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}},
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 4,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "out_hidden_size": 32,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
        pad_token_id=tokenizer.pad_token_id,
    )
    pictures = Qwen2VLImageProcessorPil(size={"shortest_edge": 56 * 56, "longest_edge": 56 * 56})
    processor = image_only_class("qwen2_5_vl")(pictures, tokenizer, chat_template=_chat_template(_QWEN_IMAGE))
    return Qwen2_5_VLForConditionalGeneration(config), processor


_FAMILIES: dict[str, Callable[[Sequence[str]], tuple[Any, Any]]] = {
    "llava": _llava,
    "idefics3": _idefics3,
    "qwen2_5_vl": _qwen2_5_vl,
}
FAMILIES = tuple(_FAMILIES)


def build_tiny_model(family: str, folder: str | Path, texts: Sequence[str], seed: int = 0) -> Path:
    """Save a model of *family* (one of :data:`FAMILIES`) at random weights in *folder*; its path.

    The tokenizer is trained on *texts*. The global random state is left as it was.
    """
    if family not in _FAMILIES:
        raise UnknownNameError("model family", family, FAMILIES)
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(error.name or "transformers", "inference") from error
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, processor = _FAMILIES[family](texts)
    model.generation_config.pad_token_id = model.config.text_config.pad_token_id
    model.generation_config.eos_token_id = model.config.text_config.eos_token_id
    with quiet_bars():
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
    if family == "qwen2_5_vl":
        # as in the family's own checkpoints, for a machine that has torchvision
        video = {"video_processor_type": "Qwen2VLVideoProcessor", "processor_class": "Qwen2_5_VLProcessor"}
        Path(folder, "video_preprocessor_config.json").write_text(json.dumps(video), encoding="utf-8")
    return Path(folder)
