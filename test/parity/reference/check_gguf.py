"""Opens a GGUF file of the architecture llama with PyPI's gguf and prints what transformers computes: check_gguf.py FILE < REQUEST.

REQUEST is JSON, {ids, prompt, newTokens}. Prints the logits of the ids [T] and what is written greedily behind the prompt,
up to and with the end token. Weights are widened to float32.
"""

import json
import sys

import gguf
import torch
from transformers import LlamaConfig, LlamaForCausalLM, logging

from gguf_types import NAMES, in_halves


def checkpoint_name(stored):
    part, kind = stored.rsplit(".", 1)
    names = {value: key for key, value in NAMES.items()}
    if not part.startswith("blk."):
        return f"{names[part]}.{kind}"
    _, layer, part = part.split(".")
    return f"model.layers.{layer}.{names[part]}.{kind}"


def open_model(path):
    reader = gguf.GGUFReader(path)
    value = lambda key: reader.fields[f"llama.{key}"].contents()
    heads, shared = value("attention.head_count"), value("attention.head_count_kv")
    stored = {}
    for tensor in reader.tensors:
        weights = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(tensor.shape[::-1])
        turned = {"attn_q": heads, "attn_k": shared}.get(tensor.name.split(".")[-2])
        stored[checkpoint_name(tensor.name)] = torch.from_numpy((in_halves(weights, turned) if turned else weights).copy())
    tied = "lm_head.weight" not in stored
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=stored["model.embed_tokens.weight"].shape[0], hidden_size=value("embedding_length"),
        intermediate_size=value("feed_forward_length"), num_hidden_layers=value("block_count"), num_attention_heads=heads,
        num_key_value_heads=shared, max_position_embeddings=value("context_length"), tie_word_embeddings=tied,
        rms_norm_eps=value("attention.layer_norm_rms_epsilon"), eos_token_id=None, bos_token_id=None,
        rope_parameters={"rope_type": "default", "rope_theta": value("rope.freq_base")}, attn_implementation="eager"))
    left = model.load_state_dict(stored, strict=False)
    assert left.missing_keys == (["lm_head.weight"] if tied else []) and not left.unexpected_keys, left
    end = reader.fields["tokenizer.ggml.eos_token_id"].contents()
    return model.float().eval(), end


@torch.no_grad()
def main():
    logging.set_verbosity_error()
    request = json.load(sys.stdin)
    model, end = open_model(sys.argv[1])
    prompt = torch.tensor([request["prompt"]])
    written = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=request["newTokens"],
                             do_sample=False, eos_token_id=end, pad_token_id=end)
    print(json.dumps({
        "logits": model(torch.tensor([request["ids"]])).logits.flatten().tolist(),
        "greedy": written[0, prompt.shape[1]:].tolist(),
    }))


if __name__ == "__main__":
    main()
