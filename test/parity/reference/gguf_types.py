"""Writes gguf/: a tensor of every type of GGUF with its float32 values, and tiny models with tokenizers as GGUF files.

The models are those of llama/, written as llama.cpp's converter does: queries and keys of Llama with the coordinates of a
pair side by side, what stretches Llama 3's positions as a tensor. Logits are of the weights as `gguf` widens them.
"""

import re

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from transformers import AutoModelForCausalLM, logging

from fixture import float32_list, output_folder, provenance, save_json, save_tensors

ROWS, COLUMNS = 3, 512
QUANTIZED = (Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0)
# Positions of the half-precision scales in a block of the types that Python does not write.
SCALES = {Type.Q4_K: (0, 2), Type.Q5_K: (0, 2), Type.Q6_K: (208,)}
LENGTH = 24
# What llama.cpp does not know of these models.
CHANGES = {
    "qwen2": {"use_sliding_window": False, "layer_types": ["full_attention"] * 3},
    "qwen3": {"rope_parameters": {"rope_type": "default", "rope_theta": 1000.0}}}


def types(folder):
    generator = np.random.default_rng(0)
    values = (generator.standard_normal((ROWS, COLUMNS)) * 0.1).astype(np.float32)
    writer = gguf.GGUFWriter(folder / "types.gguf", "llama")
    expected = {}

    def add(kind, data):
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        expected[kind.name] = torch.from_numpy(gguf.quants.dequantize(data, kind).reshape(ROWS, COLUMNS).copy())

    writer.add_tensor("F32", values)
    expected["F32"] = torch.from_numpy(values)
    writer.add_tensor("F16", values.astype(np.float16))
    expected["F16"] = torch.from_numpy(values.astype(np.float16).astype(np.float32))
    for kind in (Type.BF16, *QUANTIZED):
        add(kind, gguf.quants.quantize(values, kind))
    for kind, positions in SCALES.items():
        size, length = gguf.GGML_QUANT_SIZES[kind]
        blocks = generator.integers(0, 256, (ROWS, COLUMNS // size, length), dtype=np.uint8)
        for position in positions:
            scale = (generator.random((ROWS, COLUMNS // size, 1)) * 0.01).astype(np.float16)
            blocks[:, :, position:position + 2] = scale.view(np.uint8)
        add(kind, blocks.reshape(ROWS, -1))
    finish(writer)
    save_tensors(folder / "types.safetensors", expected, __file__)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def in_pairs(weights, heads):
    """Rows i and D/2 + i of a head become rows 2i and 2i + 1."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def in_halves(weights, heads):
    return weights.reshape(heads, weights.shape[0] // heads // 2, 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output", "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def gguf_name(name):
    layer, kind = name.removesuffix(".weight").removesuffix(".bias"), name.rsplit(".", 1)[1]
    if layer.startswith("model.layers."):
        number, part = layer.removeprefix("model.layers.").split(".", 1)
        return f"blk.{number}.{NAMES[part]}.{kind}"
    return f"{NAMES[layer]}.{kind}"


def factors(rope, width):
    """What llama.cpp divides Llama 3's frequencies by."""
    found = []
    for i in range(width // 2):
        length = 2 * np.pi * rope["rope_theta"] ** (2 * i / width)
        low, high = (rope["original_max_position_embeddings"] / rope[f"{x}_freq_factor"] for x in ("low", "high"))
        smooth = (rope["original_max_position_embeddings"] / length - rope["low_freq_factor"]) / (
            rope["high_freq_factor"] - rope["low_freq_factor"])
        found.append(1 if length < high else rope["factor"] if length > low
                     else 1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(found, dtype=np.float32)


def metadata(writer, config):
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)


def sentence_pieces(writer, count):
    """A vocabulary of SentencePiece's kind: pieces with scores, bytes for what is in none of them."""
    pieces = ["\u2581", "a", "b", "n", "s", "t", "h", "e", "\u2581t", "he", "th", "the", "\u2581the", "\u2581b", "an", "na",
              "ana", "nana", "\u2581ba", "\u2581banana", "\u2581ban", "es", "he\u2581", "\u2581\u2581", "st", "at", "hat",
              "\u2581hat", "best", "be"]
    tokens = ["<unk>", "<s>", "</s>", "<chat>"] + [f"<0x{byte:02X}>" for byte in b"xyz\xc3\xa9\n"] + pieces
    tokens += [f"<free{i}>" for i in range(count - len(tokens))]
    kinds = [2, 3, 3, 4] + [6] * 6 + [1] * len(pieces) + [5] * (count - 10 - len(pieces))
    scores = [0.0] * 10 + [float(-((7 * i) % 31)) for i in range(len(pieces))] + [0.0] * (count - 10 - len(pieces))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_chat_template("{% for m in messages %}<chat>{{ m.content }}{% endfor %}")


def model(folder, name, architecture):
    """A model of llama/ as GGUF, its large matrices in 8 bits, the others in half precision or float32."""
    checkpoint = output_folder("llama") / name
    changes = CHANGES.get(name, {})
    network = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager", **changes)
    config, rope = network.config, network.config.rope_parameters
    writer = gguf.GGUFWriter(folder / f"{name}.gguf", architecture)
    metadata(writer, config)
    sentence_pieces(writer, config.vocab_size)
    if rope["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", factors(rope, config.hidden_size // config.num_attention_heads))
    elif rope["rope_type"] == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    for key, parameter in network.named_parameters():
        values = parameter.detach().numpy()
        heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(key.split(".")[-2])
        turned = heads if architecture == "llama" else None
        values = in_pairs(values, turned) if turned else values
        kind = Type.F32 if values.ndim == 1 else Type.Q8_0 if values.shape[1] % 32 == 0 else Type.F16
        stored = gguf.quants.quantize(np.ascontiguousarray(values), kind)
        writer.add_tensor(gguf_name(key), stored, raw_dtype=kind)
        widened = gguf.quants.dequantize(stored, kind).reshape(values.shape)
        parameter.data = torch.from_numpy((in_halves(widened, turned) if turned else widened).copy())
    finish(writer)
    ids = torch.randint(1, config.vocab_size, (2, LENGTH), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return {"name": name, "ids": ids.tolist(), "logits": float32_list(network(ids).logits.flatten())}


TEXTS = ["the banana", "best  hat", "a\nxyz", "the <chat>banana</s>hat", "thé nanas", "", " the", "<chat>", "bananabanana the"]


def tokens(folder):
    """What SentencePiece's algorithm makes of the texts: of all neighbours that make a piece, those with the highest score join.

    As in llama.cpp, a blank is put in front of a text, and of what follows a token that is searched for.
    """
    fields = gguf.GGUFReader(folder / "llama.gguf").fields
    pieces, scores, kinds = (fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "scores", "token_type"))
    usable = {piece: i for i, piece in enumerate(pieces) if kinds[i] == 1}
    searched = [piece for piece, kind in zip(pieces, kinds) if kind in (3, 4)]

    def encode(text):
        symbols = list(("\u2581" + text).replace(" ", "\u2581"))
        while True:
            pairs = [(-scores[usable[a + b]], i) for i, (a, b) in enumerate(zip(symbols, symbols[1:])) if a + b in usable]
            if not pairs:
                break
            i = min(pairs)[1]
            symbols[i:i + 2] = [symbols[i] + symbols[i + 1]]
        known = lambda byte: pieces.index(f"<0x{byte:02X}>")
        return [i for s in symbols for i in ([usable[s]] if s in usable else [known(byte) for byte in s.encode()])]

    def ids(text):
        parts = [part for part in re.split("(" + "|".join(map(re.escape, searched)) + ")", text) if part]
        return [1, *(i for part in parts for i in ([pieces.index(part)] if part in searched else encode(part)))]

    return [{"text": text, "ids": ids(text)} for text in TEXTS]


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    folder = output_folder("gguf")
    types(folder)
    models = [model(folder, name, name) for name in ("llama", "qwen2", "qwen3")]
    save_json(folder / "expected.json", {"provenance": {**provenance(__file__), "gguf": "0.19.0"}, "models": models,
                                         "texts": tokens(folder)})
    for path in folder.iterdir():
        path.chmod(0o644)


if __name__ == "__main__":
    main()
