"""Writes transformer/: the layer stacks of torch.nn.Transformer between embeddings, positions and a tied head as Vaswani
et al. 2017 define them (§3.4, §3.5), post-norm and pre-norm; weights, logits, loss and all gradients, in float64.

Sources and targets are padded; values of padding are left out, so that logits have one row for each target token.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from fixture import float32_list, float32_text, output_folder, provenance, save_json, save_tensors

VOCABULARY, WIDTH, HEADS, INNER, LAYERS, POSITIONS = 29, 16, 4, 24, (2, 3), 12
SOURCES, TARGETS = (7, 3, 11, 5), (4, 9, 2, 6)


def sinusoids(length, width):
    table = torch.zeros(length, width, dtype=torch.float64)
    for position in range(length):
        for i in range(0, width, 2):
            angle = position / 10000 ** (i / width)
            table[position, i], table[position, i + 1] = math.sin(angle), math.cos(angle)
    return table


class Transformer(nn.Module):
    def __init__(self, is_pre_norm):
        super().__init__()
        options = {"dim_feedforward": INNER, "dropout": 0.0, "activation": "relu", "batch_first": True,
                   "norm_first": is_pre_norm}
        # nn.Transformer puts a norm behind both stacks, which the paper's post-norm model does not have.
        norm = (lambda: nn.LayerNorm(WIDTH)) if is_pre_norm else (lambda: None)
        self.layers = nn.Transformer(
            WIDTH, HEADS, batch_first=True,
            custom_encoder=nn.TransformerEncoder(nn.TransformerEncoderLayer(WIDTH, HEADS, **options), LAYERS[0], norm(),
                                                 enable_nested_tensor=False),
            custom_decoder=nn.TransformerDecoder(nn.TransformerDecoderLayer(WIDTH, HEADS, **options), LAYERS[1], norm()))
        self.embedding = nn.Parameter(torch.empty(VOCABULARY, WIDTH))

    def embed(self, ids):
        return self.embedding[ids] * math.sqrt(WIDTH) + sinusoids(ids.shape[1], WIDTH)

    def forward(self, source, target):
        hidden = self.layers(
            self.embed(source.clamp(min=0)), self.embed(target.clamp(min=0)),
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(target.shape[1], dtype=torch.float64),
            src_key_padding_mask=source < 0, memory_key_padding_mask=source < 0)
        return hidden @ self.embedding.T


def published(name, tensor):
    """Heddle's paths of a parameter, with the parts of the tensor that belong to them."""
    if name == "embedding":
        return {"model.shared.weight": tensor}
    name = name.replace("layers.", "model.", 1).replace("multihead_attn", "encoder_attn")
    name = name.replace("linear", "fc")
    if name.count(".norm") and ".layers." not in name:
        return {name.replace(".norm.", ".layer_norm."): tensor}
    norms = {"norm1": "self_attn_layer_norm", "norm3": "final_layer_norm",
             "norm2": "encoder_attn_layer_norm" if "decoder" in name else "final_layer_norm"}
    for old, new in norms.items():
        name = name.replace(f".{old}.", f".{new}.")
    if "in_proj" not in name:
        return {name: tensor}
    kind = name.rsplit("_", 1)[1]
    stem = name.rsplit(".", 1)[0]
    return {f"{stem}.{part}_proj.{kind}": rows for part, rows in zip("qkv", tensor.chunk(3))}


def write(name, is_pre_norm):
    torch.manual_seed(5)
    model = Transformer(is_pre_norm).double()
    # float32 values, so that both sides start from the same numbers; norms and biases differ from 1 and 0, to be seen.
    for path, parameter in model.named_parameters():
        scale = WIDTH ** -0.5 if path == "embedding" else 0.3
        values = torch.randn(parameter.shape) * scale + (1.0 if "norm" in path and "weight" in path else 0.0)
        parameter.data = values.float().double()
    draw = lambda lengths: [torch.randint(3, VOCABULARY, (length,)) for length in lengths]
    sources, targets, labels = draw(SOURCES), draw(TARGETS), draw(TARGETS)
    logits = model(*(pad_sequence(rows, batch_first=True, padding_value=-1) for rows in (sources, targets)))
    rows = torch.cat([logits[i, :length] for i, length in enumerate(TARGETS)])
    loss = F.cross_entropy(rows, torch.cat(labels), label_smoothing=0.1)
    loss.backward()
    weights, gradients = {}, {}
    for path, parameter in model.named_parameters():
        weights.update(published(path, parameter))
        gradients.update({f"gradient.{key}": value for key, value in published(path, parameter.grad).items()})
    save_tensors(folder / f"{name}.safetensors", {**weights, **gradients, "logits": rows}, __file__)
    cases[name] = {"loss": float32_text(loss.item()), "sources": [s.tolist() for s in sources],
                   "targets": [t.tolist() for t in targets], "labels": torch.cat(labels).tolist()}


folder = output_folder("transformer")
cases = {}
write("post-norm", False)
write("pre-norm", True)
sizes = {"vocabularySize": VOCABULARY, "contextLength": POSITIONS, "width": WIDTH, "heads": HEADS, "innerWidth": INNER,
         "encoderLayers": LAYERS[0], "decoderLayers": LAYERS[1]}
save_json(folder / "expected.json", {**provenance(__file__), "sizes": sizes, "positions": float32_list(sinusoids(4, 6)), **cases})
