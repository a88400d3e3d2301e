"""Writes llama/: tiny random models of Llama and its relatives as Hugging Face saves them, what they compute and generate.

Rotary positions are stretched in every way that configurations know, and texts are long enough for it to show. Every
generation is repeated in float64 and must come out the same, so that no expectation hangs on rounding.
"""

import json
import shutil

import torch
from torch.nn import functional as F
from transformers import (
    AutoModelForCausalLM, GenerationConfig, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM,
    Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM, logging)

from fixture import float32_list, float32_text, output_folder, provenance, save_json, save_tensors

VOCABULARY, BATCH, LENGTH, NEW, PAD = 53, 2, 24, 64, 0
PROMPTS = (5, 11, 2)
SIZES = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128, "initializer_range": 0.25, "rms_norm_eps": 1e-5,
    "bos_token_id": None, "eos_token_id": None, "pad_token_id": PAD}
THETA = {"rope_theta": 1000.0}
LLAMA, MISTRAL = (LlamaForCausalLM, LlamaConfig), (MistralForCausalLM, MistralConfig)
QWEN2, QWEN3 = (Qwen2ForCausalLM, Qwen2Config), (Qwen3ForCausalLM, Qwen3Config)
# Folder: (classes, further configuration, how it is saved).
VARIANTS = {
    "llama": (LLAMA, {"rope_parameters": {
        **THETA, "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32}}, {}),
    # Beyond the 16 positions of its first training the base grows with the text.
    "llama-biases": (LLAMA, {
        "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True, "num_key_value_heads": 1,
        "max_position_embeddings": 16, "rope_parameters": {**THETA, "rope_type": "dynamic", "factor": 8.0}}, {}),
    # As SmolLM2 is published, with the keys of transformers 4.
    "llama-published": (LLAMA, {
        "tie_word_embeddings": True, "num_attention_heads": 3, "num_key_value_heads": 3, "hidden_size": 24,
        "rope_parameters": {**THETA, "rope_type": "linear", "factor": 2.0}}, {"published": True}),
    "mistral": (MISTRAL, {
        "sliding_window": 6, "head_dim": 12, "rope_parameters": {**THETA, "rope_type": "default"}},
        {"dtype": torch.float16}),
    "qwen2": (QWEN2, {
        "num_hidden_layers": 3, "use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1,
        "rope_parameters": {**THETA, "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}},
        {"dtype": torch.bfloat16, "max_shard_size": "12KB"}),
    "qwen3": (QWEN3, {
        "head_dim": 12, "tie_word_embeddings": True, "rope_parameters": {
            **THETA, "rope_type": "longrope", "original_max_position_embeddings": 16, "attention_factor": 1.1,
            "short_factor": [1.0, 1.1, 1.3, 1.6, 2.0, 2.5], "long_factor": [1.0, 2.0, 3.0, 5.0, 8.0, 13.0]}}, {}),
}
KEPT = ("embed_tokens.weight", "lm_head.weight", "layers.1.self_attn.q_proj.weight", "layers.0.self_attn.k_proj.weight",
        "layers.0.self_attn.v_proj.weight", "layers.1.self_attn.o_proj.weight", "layers.0.mlp.gate_proj.weight",
        "layers.1.mlp.up_proj.weight", "layers.0.mlp.down_proj.weight", "layers.0.input_layernorm.weight",
        "layers.1.post_attention_layernorm.weight", "model.norm.weight", "layers.0.self_attn.k_proj.bias",
        "layers.1.mlp.gate_proj.bias", "layers.1.self_attn.q_norm.weight", "layers.0.self_attn.k_norm.weight")


def create(name, seed):
    """A new model each time: what the length of a text changes in one stays there."""
    (model_class, config_class), settings, saving = VARIANTS[name]
    torch.manual_seed(seed)
    settings = {key: dict(value) if isinstance(value, dict) else value for key, value in settings.items()}
    config = config_class(**{**SIZES, **settings})
    config._attn_implementation = "eager"
    model = model_class(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:  # biases start at 0 and norms at 1: a swap of two would not show
                parameter.add_(torch.randn_like(parameter) * 0.1)
            parameter.copy_(parameter.to(saving.get("dtype", torch.float32)))
    model.generation_config = GenerationConfig(pad_token_id=PAD)
    return model


def save(model, folder, dtype=torch.float32, max_shard_size="1GB", published=False):
    shutil.rmtree(folder, ignore_errors=True)
    model.to(dtype).save_pretrained(folder, max_shard_size=max_shard_size)
    config = json.loads((folder / "config.json").read_text())
    if published:
        parameters = config.pop("rope_parameters")
        config["rope_theta"] = parameters["rope_theta"]
        config["rope_scaling"] = {"type": parameters["rope_type"], "factor": parameters["factor"]}
        config["torch_dtype"] = config.pop("dtype")
        del config["head_dim"]
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def greedy(name, seed, prompts, dtype=torch.float32):
    """New ids of each prompt alone: in a batch the longest text would decide on the frequencies of all."""
    rows = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        found = create(name, seed).to(dtype).generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW, do_sample=False, pad_token_id=PAD,
            no_repeat_ngram_size=3)
        rows.append(found[0, len(prompt):].tolist())
    return rows


def write(name):
    folder = output_folder("llama") / name
    for seed in range(100):
        generator = torch.Generator().manual_seed(seed)
        draw = lambda *shape: torch.randint(1, VOCABULARY, shape, generator=generator)
        prompts = [draw(n).tolist() for n in PROMPTS]
        with torch.no_grad():
            rows = greedy(name, seed, prompts)
            if min(len(set(row)) for row in rows) > 16 and rows == greedy(name, seed, prompts, torch.float64):
                break
    else:
        raise AssertionError(f"{name}: every model repeats itself")
    ids, targets = draw(BATCH, LENGTH), draw(BATCH, LENGTH)
    model = create(name, seed).double()
    logits = model(ids).logits
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss.backward()
    save(create(name, seed), folder, **VARIANTS[name][2])
    loaded = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    torch.testing.assert_close(loaded(ids).logits.double(), logits, rtol=1e-4, atol=1e-4)
    gradients = {key: p.grad for key, p in model.named_parameters() if key.endswith(KEPT)}
    save_tensors(folder / "gradients.safetensors", gradients, __file__)
    save_json(folder / "expected.json", {
        "provenance": provenance(__file__), "seed": seed, "ids": ids.tolist(), "targets": targets.tolist(),
        "logits": float32_list(logits.flatten()), "loss": float32_text(loss.item()),
        "prompts": prompts, "maxNewTokens": NEW, "noRepeatNgramSize": 3, "greedy": rows})
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    print(name, "seed", seed, "greedy", rows[0])


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    for name in VARIANTS:
        write(name)


if __name__ == "__main__":
    main()
