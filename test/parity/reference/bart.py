"""Writes bart/: tiny random models of Marian's and BART's families as Hugging Face saves them, and what they compute.

Logits are of padded sources and targets in float64, one row for each target token; generated ids are without the start
token, up to the end token.
"""

import shutil

import torch
import transformers
from torch.nn.utils.rnn import pad_sequence

from fixture import float32_list, output_folder, provenance, save_json

VOCABULARY, TARGET_VOCABULARY, PAD, END = 31, 23, 1, 2
SOURCES, TARGETS = (7, 3, 11, 5), (4, 9, 2, 6)
SIZES = {
    "vocab_size": VOCABULARY, "d_model": 16, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 20, "decoder_ffn_dim": 20, "max_position_embeddings": 24,
    "pad_token_id": PAD, "eos_token_id": END, "forced_eos_token_id": None}
MARIAN = {**SIZES, "decoder_start_token_id": PAD, "scale_embedding": True}
VARIANTS = {
    "marian": ("MarianMTModel", "MarianConfig", {**MARIAN, "activation_function": "swish"}),
    "marian-two-vocabularies": ("MarianMTModel", "MarianConfig", {
        **MARIAN, "activation_function": "relu", "decoder_vocab_size": TARGET_VOCABULARY,
        "share_encoder_decoder_embeddings": False}),
    "bart": ("BartForConditionalGeneration", "BartConfig", {**SIZES, "decoder_start_token_id": END}),
}


def randomize(model):
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:  # Marian's positions
            continue
        offset = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        parameter.data = (torch.randn(parameter.shape) * 0.35 + offset).float()
    model.final_logits_bias.data = torch.randn(model.final_logits_bias.shape) * 0.5
    model.final_logits_bias.data[0, END] += 2.5  # so that some sequences end


def write(folder, class_name, config_name, settings):
    torch.manual_seed(11)
    config = getattr(transformers, config_name)(**settings)
    model = getattr(transformers, class_name)(config)
    randomize(model)
    model.eval()
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    folder.chmod(0o755)
    (folder / "model.safetensors").chmod(0o644)
    count = model.final_logits_bias.shape[1]
    sources = [torch.randint(3, VOCABULARY, (length,)) for length in SOURCES]
    targets = [torch.randint(3, count, (length,)) for length in TARGETS]
    pad = lambda rows: pad_sequence(rows, batch_first=True, padding_value=PAD)
    mask = pad_sequence([torch.ones_like(row) for row in sources], batch_first=True)
    # Generation is compared token by token: in float32, as it is used.
    generated = {}
    for name, options in {"greedy": {}, "beam": {"num_beams": 4, "num_return_sequences": 2, "length_penalty": 0.6}}.items():
        rows = model.generate(pad(sources), attention_mask=mask, max_new_tokens=10, do_sample=False,
                              no_repeat_ngram_size=2, early_stopping=False, **options)
        generated[name] = [cut(row[1:].tolist()) for row in rows]
    model.double()
    with torch.no_grad():
        logits = model(pad(sources), attention_mask=mask, decoder_input_ids=pad(targets)).logits
    rows = torch.cat([logits[i, :length] for i, length in enumerate(TARGETS)])
    save_json(folder / "expected.json", {
        **provenance(__file__), "sources": [row.tolist() for row in sources], "targets": [row.tolist() for row in targets],
        "logits": float32_list(rows.flatten()), **generated})


def cut(ids):
    return ids[:ids.index(END) + 1] if END in ids else [id for id in ids if id != PAD]


if __name__ == "__main__":
    for name, (model, config, settings) in VARIANTS.items():
        write(output_folder("bart") / name, model, config, settings)
