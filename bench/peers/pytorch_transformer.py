"""PyTorch's side of training a Transformer: the layers of torch.nn.Transformer between embeddings, positions and a head, and
the full training step, driven over standard input and output.

    pytorch_transformer.py CONFIG

CONFIG is JSON: model (sizes: encoderLayers, decoderLayers, heads, width, innerWidth, vocabularySize, contextLength,
dropout), labelSmoothing, learningRate, warmupSteps, batches (a file with a JSON list of batches, which are lists of
{"source": ids, "target": ids}), start (a safetensors file with the weights to begin with), compile (whether the model goes
through torch.compile with dynamic shapes). Prints {"ready": true, version, parameters, losses of the first steps} once
warm, then answers each line {"steps": n} with {"seconds": [n numbers], "peakRss": bytes, "loss": x}. Start it with
OMP_NUM_THREADS and OMP_WAIT_POLICY=PASSIVE set: spinning threads slow it where cores are few.

These are PyTorch's best settings on a CPU: batches padded to their longest sentence, fused attention (causal without a mask
array, which needs no padding mask: what follows a target counts for nothing), logits of real tokens alone, fused AdamW.
B batch, S and T longest source and target, M tokens of all targets, C width, V vocabulary.
"""

import json
import math
import os
import resource
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

KEYS = {"model", "labelSmoothing", "learningRate", "warmupSteps", "batches", "start", "compile"}
SEED = 1337
NO_TOKEN = 0
NORMS = {
    "encoder": ["self_attn_layer_norm", "final_layer_norm"],
    "decoder": ["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"],
}


class Transformer(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        width, heads, dropout = sizes["width"], sizes["heads"], sizes["dropout"]
        options = {"dim_feedforward": sizes["innerWidth"], "dropout": dropout, "batch_first": True}
        # nn.Transformer itself puts a norm behind both stacks, which the paper's model does not have.
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(width, heads, **options), sizes["encoderLayers"], enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(width, heads, **options), sizes["decoderLayers"])
        self.embedding = nn.Embedding(sizes["vocabularySize"], width)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("positions", sinusoids(sizes["contextLength"], width), persistent=False)

    def embed(self, ids):
        scaled = self.embedding(ids) * math.sqrt(self.embedding.embedding_dim)
        return self.dropout(scaled + self.positions[: ids.shape[1]])

    def forward(self, source, target, causal, keep):
        """source [B, S] and target [B, T], filled up with NO_TOKEN; causal [T, T]; keep [B, T] → [M, V]."""
        padding = source == NO_TOKEN  # [B, S]
        memory = self.encoder(self.embed(source), src_key_padding_mask=padding)  # [B, S, C]
        hidden = self.decoder(self.embed(target), memory, tgt_mask=causal, tgt_is_causal=True,
                              memory_key_padding_mask=padding)  # [B, T, C]
        return F.linear(hidden[keep], self.embedding.weight)  # [M, V]


def sinusoids(length, width):
    """Sines and cosines in turns (Vaswani et al. 2017, §3.5) [length, C]."""
    angles = torch.arange(length).unsqueeze(1) / 10000 ** (torch.arange(0, width, 2) / width)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def published(name):
    """The paths of a parameter's parts in the file of weights."""
    if name == "embedding.weight":
        return ["model.shared.weight"]
    name = f"model.{name}".replace("multihead_attn", "encoder_attn").replace(".linear", ".fc")
    for i, norm in enumerate(NORMS[name.split(".")[1]], start=1):
        name = name.replace(f".norm{i}.", f".{norm}.")
    return [name.replace("in_proj_", f"{part}_proj.") for part in "qkv"] if "in_proj_" in name else [name]


def read_safetensors(path):
    """The float32 tensors of a safetensors file by name."""
    data = bytearray(Path(path).read_bytes())
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8: 8 + size])
    header.pop("__metadata__", None)
    values = torch.frombuffer(data, dtype=torch.uint8)[8 + size:]
    return {name: values[entry["data_offsets"][0]: entry["data_offsets"][1]].clone().view(torch.float32).view(entry["shape"])
            for name, entry in header.items()}


def padded(rows):
    width = max(map(len, rows))
    return torch.tensor([row + [NO_TOKEN] * (width - len(row)) for row in rows])


class Training:
    """A model, its optimizer and the step that is timed."""

    def __init__(self, config):
        torch.manual_seed(SEED)
        self.smoothing = config["labelSmoothing"]
        self.model = Transformer(config["model"]).train()
        weights = read_safetensors(config["start"])
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(torch.cat([weights[path] for path in published(name)]))
        self.batches = json.loads(Path(config["batches"]).read_text(encoding="utf-8"))
        self.parameters = list(self.model.parameters())
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=config["learningRate"], betas=(0.9, 0.98), eps=1e-9, weight_decay=0, fused=True)
        self.forward = torch.compile(self.model, dynamic=True) if config["compile"] else self.model
        self.steps = 0

    def batch(self):
        """The next batch: sources, targets behind the start token, which of their places count, and the labels."""
        pairs = self.batches[self.steps % len(self.batches)]
        targets = [pair["target"] for pair in pairs]
        labels = padded(targets)  # [B, T]
        keep = labels != NO_TOKEN  # [B, T]
        shifted = padded([[NO_TOKEN, *target[:-1]] for target in targets])  # [B, T]
        return padded([pair["source"] for pair in pairs]), shifted, keep, labels[keep]

    def step(self):
        """One full step: forward, backward, clip, AdamW. Returns the loss."""
        source, target, keep, labels = self.batch()
        causal = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        logits = self.forward(source, target, causal, keep)
        loss = F.cross_entropy(logits, labels, label_smoothing=self.smoothing)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        return loss.item()


def answer(value):
    print(json.dumps(value), flush=True)


def read_config():
    if len(sys.argv) != 2:
        sys.exit("usage: pytorch_transformer.py CONFIG")
    config = json.loads(sys.argv[1])
    if set(config) != KEYS:
        sys.exit(f"pytorch_transformer.py: the keys of CONFIG must be {sorted(KEYS)}, got {sorted(config)}")
    return config


def main():
    config = read_config()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    training = Training(config)
    losses = [training.step() for _ in range(config["warmupSteps"])]
    about = {"version": torch.__version__, "parameters": sum(each.numel() for each in training.parameters)}
    # Masks of dropout are each side's own, and so are its losses.
    if config["model"]["dropout"] == 0:
        about["losses"] = losses
    answer({"ready": True, **about})
    for line in sys.stdin:
        seconds, loss = [], None
        for _ in range(json.loads(line)["steps"]):
            start = time.perf_counter()
            loss = training.step()
            seconds.append(time.perf_counter() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        answer({"seconds": seconds, "peakRss": peak, "loss": loss})


if __name__ == "__main__":
    main()
