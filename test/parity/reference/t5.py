"""Writes t5/: tiny random models of T5's versions as Hugging Face saves them, what they compute and what they generate."""

import json
import shutil

import torch
from transformers import MT5Config, MT5ForConditionalGeneration, T5Config, T5ForConditionalGeneration, logging

from fixture import output_folder
from sequence_to_sequence import write

VOCABULARY, PAD, END = 37, 0, 1
SIZES = {
    "vocab_size": VOCABULARY, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2,
    "relative_attention_num_buckets": 8, "relative_attention_max_distance": 10, "decoder_start_token_id": PAD}
T5 = (T5ForConditionalGeneration, T5Config)
MT5 = (MT5ForConditionalGeneration, MT5Config)
# Folder: (classes, further configuration, whether the head has weights of its own).
VARIANTS = {
    "relu": (T5, {}, False),
    "gated": (T5, {
        "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "num_heads": 3, "d_kv": 6,
        "num_layers": 3, "num_decoder_layers": 2, "relative_attention_max_distance": 20}, True),
    # As transformers makes new models of this kind today: one matrix for both, and no scaling.
    "unscaled": (T5, {"feed_forward_proj": "gated-silu", "tie_word_embeddings": False}, False),
    "mt5": (MT5, {"relative_attention_num_buckets": 32, "relative_attention_max_distance": 128}, True),
}
KEPT = ("shared.weight", "lm_head.weight", "relative_attention_bias.weight", "decoder.block.1.layer.0.SelfAttention.q.weight",
        "decoder.block.0.layer.1.EncDecAttention.k.weight", "encoder.block.1.layer.0.layer_norm.weight",
        "encoder.block.0.layer.1.DenseReluDense.wi.weight", "encoder.block.0.layer.1.DenseReluDense.wi_0.weight",
        "encoder.block.0.layer.1.DenseReluDense.wi_1.weight", "decoder.final_layer_norm.weight")


def create(variant, seed):
    (model_class, config_class), settings, own_head = VARIANTS[variant]
    torch.manual_seed(seed)
    config = config_class(**{**SIZES, **settings})
    config._attn_implementation = "eager"
    model = model_class(config)
    if own_head:
        model.lm_head.weight = torch.nn.Parameter(torch.randn(VOCABULARY, config.d_model))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:  # norms start at 1: a swap of two would not show
                parameter.add_(torch.randn_like(parameter) * 0.1)
            if name.endswith(("o.weight", "wo.weight")):  # with first weights the next word is nearly always the last one
                parameter.mul_(3)
    return model.eval()


def as_published(folder):
    """Rewrites config.json as files from before transformers 5 have it."""
    config = json.loads((folder / "config.json").read_text())
    config["tie_word_embeddings"] = config.pop("scale_decoder_outputs")
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    tokens = {"source_vocabulary": VOCABULARY, "vocabulary": VOCABULARY, "padding": (PAD, PAD), "start": PAD, "end": END}
    for name in VARIANTS:
        folder = output_folder("t5") / name
        shutil.rmtree(folder, ignore_errors=True)
        write(folder, __file__, lambda seed: create(name, seed), tokens, KEPT)
        if name == "gated":
            as_published(folder)


if __name__ == "__main__":
    main()
