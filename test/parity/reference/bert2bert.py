"""Writes bert2bert/: tiny random models as encoder and decoder of one, as Hugging Face saves them, what they compute and
what they generate."""

import shutil

import torch
from transformers import BertConfig, EncoderDecoderConfig, EncoderDecoderModel, GPT2Config, RobertaConfig, logging

from fixture import output_folder
from sequence_to_sequence import write

VOCABULARY, GPT_VOCABULARY, POSITIONS, START, END = 31, 27, 16, 2, 1


def bert(width=12, layers=2, **options):
    return BertConfig(vocab_size=VOCABULARY, hidden_size=width, num_hidden_layers=layers, num_attention_heads=2,
                      intermediate_size=20, max_position_embeddings=POSITIONS, initializer_range=0.4, **options)


def roberta():
    return RobertaConfig(vocab_size=VOCABULARY, hidden_size=12, num_hidden_layers=2, num_attention_heads=2,
                         intermediate_size=20, max_position_embeddings=POSITIONS + 1, type_vocab_size=1, pad_token_id=0,
                         layer_norm_eps=1e-5, initializer_range=0.4)


def gpt2():
    return GPT2Config(vocab_size=GPT_VOCABULARY, n_positions=POSITIONS, n_embd=12, n_layer=2, n_head=3, n_inner=28,
                      initializer_range=0.4, bos_token_id=START, eos_token_id=END)


# Folder: (encoder, decoder, the decoder's vocabulary).
VARIANTS = {
    "bert2bert": (bert, bert, VOCABULARY),
    "bert2bert-narrow": (lambda: bert(width=8), lambda: bert(layers=3, hidden_act="gelu_new"), VOCABULARY),
    "bert2gpt": (bert, gpt2, GPT_VOCABULARY),
    "roberta2roberta": (roberta, roberta, VOCABULARY),
}
KEPT = ("enc_to_dec_proj.weight", "layer.1.crossattention.self.key.weight", "layer.0.crossattention.output.LayerNorm.bias",
        "layer.0.attention.self.value.weight", "embeddings.word_embeddings.weight", "h.1.crossattention.c_attn.weight",
        "h.0.crossattention.q_attn.weight", "h.0.ln_cross_attn.weight", "transformer.wte.weight")


def create(name, seed):
    encoder, decoder, _ = VARIANTS[name]
    torch.manual_seed(seed)
    config = EncoderDecoderConfig.from_encoder_decoder_configs(encoder(), decoder())
    config.decoder_start_token_id, config.eos_token_id, config.pad_token_id = START, END, 0
    config._attn_implementation = "eager"
    model = EncoderDecoderModel(config)
    with torch.no_grad():  # biases start at 0 and norms at 1: a swap of two would not show
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    for name, (_, _, vocabulary) in VARIANTS.items():
        folder = output_folder("bert2bert") / name
        shutil.rmtree(folder, ignore_errors=True)
        tokens = {"source_vocabulary": VOCABULARY, "vocabulary": vocabulary, "padding": (0, 0), "start": START, "end": END}
        write(folder, __file__, lambda seed: create(name, seed), tokens, KEPT)


if __name__ == "__main__":
    main()
