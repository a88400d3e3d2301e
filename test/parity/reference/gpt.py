"""Writes gpt/: a plain GPT's loss, logits, attention weights and gradients, and 100-step training traces.

B batch, T sequence, C width, H heads, V vocabulary. The model is GPT-2's (Radford et al. 2019): pre-norm blocks,
tied head, parameter names and the [in, out] layout of Hugging Face's GPT2LMHeadModel, against which it is checked.
"""

import math
from unittest.mock import patch

import torch
import torch.nn.functional as F
from transformers import GPT2Config, GPT2LMHeadModel

from fixture import float32_text, output_folder, provenance, save_json, save_tensors
from philox import keep_mask

VOCABULARY, LAYERS, HEADS, WIDTH, CONTEXT, BATCH = 61, 2, 2, 16, 12, 3
STEPS, WARMUP, RATE, RATE_END, BETAS, WEIGHT_DECAY, CLIP, SEED = 100, 10, 1e-3, 1e-4, (0.9, 0.99), 0.1, 1.0, 1337
VARIANTS = {
    "bias-tanh": {"bias": True, "activation": "gelu_new"},
    "plain-erf": {"bias": False, "activation": "gelu"},
}


class Dropout:
    """Keep masks of one training step, drawn by place."""

    def __init__(self, probability, step):
        self.probability, self.step = probability, step

    def __call__(self, place, x):
        if self.probability == 0:
            return x
        keep = torch.from_numpy(keep_mask(SEED, place, self.step, list(x.shape), self.probability))
        return x * keep.to(x.dtype) * (1 / (1 - self.probability))


def initial_weights(bias):
    """Weights far enough from the usual initialization (ones, zeros) that swapping any two of them shows."""
    generator = torch.Generator().manual_seed(SEED)

    def normal(*shape, mean=0.0, deviation=0.2):
        return torch.randn(shape, generator=generator) * deviation + mean

    weights = {"transformer.wte.weight": normal(VOCABULARY, WIDTH), "transformer.wpe.weight": normal(CONTEXT, WIDTH)}

    def norm(name):
        weights[f"{name}.weight"] = normal(WIDTH, mean=1.0)
        if bias:
            weights[f"{name}.bias"] = normal(WIDTH, deviation=0.1)

    def linear(name, inputs, outputs):
        weights[f"{name}.weight"] = normal(inputs, outputs)
        if bias:
            weights[f"{name}.bias"] = normal(outputs, deviation=0.1)

    for i in range(LAYERS):
        h = f"transformer.h.{i}"
        norm(f"{h}.ln_1")
        linear(f"{h}.attn.c_attn", WIDTH, 3 * WIDTH)
        linear(f"{h}.attn.c_proj", WIDTH, WIDTH)
        norm(f"{h}.ln_2")
        linear(f"{h}.mlp.c_fc", WIDTH, 4 * WIDTH)
        linear(f"{h}.mlp.c_proj", 4 * WIDTH, WIDTH)
    norm("transformer.ln_f")
    return weights


def forward(weights, ids, activation, dropout):
    """Returns logits [B, T, V] and each layer's attention weights [B, H, T, T] (after softmax, before dropout)."""
    batch, length = ids.shape

    def norm(name, x):
        return F.layer_norm(x, [WIDTH], weights[f"{name}.weight"], weights.get(f"{name}.bias"), 1e-5)

    def linear(name, x):
        y = x @ weights[f"{name}.weight"]
        return y + weights[f"{name}.bias"] if f"{name}.bias" in weights else y

    def split(x):
        return x.view(batch, length, HEADS, WIDTH // HEADS).transpose(1, 2)  # [B, H, T, D]

    future = torch.ones(length, length, dtype=torch.bool).triu(1)
    attention = []
    x = weights["transformer.wte.weight"][ids] + weights["transformer.wpe.weight"][:length]  # [B, T, C]
    x = dropout("transformer.drop", x)
    for i in range(LAYERS):
        h = f"transformer.h.{i}"
        q, k, v = (split(part) for part in linear(f"{h}.attn.c_attn", norm(f"{h}.ln_1", x)).chunk(3, -1))
        scores = (q @ k.mT / math.sqrt(WIDTH // HEADS)).masked_fill(future, -math.inf)  # [B, H, T, T]
        attention.append(scores.softmax(-1))
        heads = dropout(f"{h}.attn.attn_dropout", attention[-1]) @ v  # [B, H, T, D]
        joined = heads.transpose(1, 2).reshape(batch, length, WIDTH)  # [B, T, C]
        x = x + dropout(f"{h}.attn.resid_dropout", linear(f"{h}.attn.c_proj", joined))
        inner = linear(f"{h}.mlp.c_fc", norm(f"{h}.ln_2", x))  # [B, T, 4C]
        inner = F.gelu(inner, approximate="tanh" if activation == "gelu_new" else "none")
        x = x + dropout(f"{h}.mlp.dropout", linear(f"{h}.mlp.c_proj", inner))
    return norm("transformer.ln_f", x) @ weights["transformer.wte.weight"].T, attention


def cross_entropy(logits, targets):
    return F.cross_entropy(logits.reshape(-1, VOCABULARY), targets.reshape(-1))


def leaves(weights, dtype):
    return {name: value.to(dtype).clone().requires_grad_() for name, value in weights.items()}


def rate_at(step):
    """nanoGPT's schedule: linear warm-up, then half a cosine down to the end rate at the last step."""
    if step < WARMUP:
        return RATE * (step + 1) / (WARMUP + 1)
    progress = (step - WARMUP) / (STEPS - WARMUP)
    return RATE_END + 0.5 * (1 + math.cos(math.pi * progress)) * (RATE - RATE_END)


def training_windows():
    """Ids [steps, B, T+1] of a sequence with something to learn: four ids in five follow from the one before."""
    generator = torch.Generator().manual_seed(SEED + 1)
    windows = torch.randint(VOCABULARY, (STEPS, BATCH, CONTEXT + 1), generator=generator)
    follows = torch.rand(windows.shape, generator=generator) < 0.8
    for t in range(1, CONTEXT + 1):
        windows[..., t] = torch.where(follows[..., t], (5 * windows[..., t - 1] + 7) % VOCABULARY, windows[..., t])
    return windows


def train(initial, activation, probability, windows, dtype=torch.float32):
    """Trains with AdamW; returns the losses, the gradient norms before clipping and the final weights."""
    weights = leaves(initial, dtype)
    optimizer = torch.optim.AdamW([
        {"params": [w for w in weights.values() if w.dim() == 2], "weight_decay": WEIGHT_DECAY},
        {"params": [w for w in weights.values() if w.dim() < 2], "weight_decay": 0.0},
    ], betas=BETAS, eps=1e-8, foreach=False)
    losses, norms = [], []
    for step, window in enumerate(windows):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step)
        optimizer.zero_grad()
        loss = cross_entropy(forward(weights, window[:, :-1], activation, Dropout(probability, step))[0], window[:, 1:])
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(list(weights.values()), CLIP).item())
        optimizer.step()
        losses.append(loss.item())
    return losses, norms, {name: weight.detach() for name, weight in weights.items()}


class HuggingFaceDropout(torch.nn.Module):
    """Stands in for a dropout module; its path in the model is the place of its mask."""

    def __init__(self, place, dropout):
        super().__init__()
        self.place, self.dropout = place, dropout
        # Attention hands this attribute to functional.dropout, which the check replaces by a call of it.
        object.__setattr__(self, "p", self)

    def forward(self, x):
        return self.dropout(self.place, x)


def check_against_hugging_face(weights, ids, targets, activation, dropout):
    """GPT2LMHeadModel must give the same logits and gradients; parameters a variant lacks stay zero there."""
    model = GPT2LMHeadModel(GPT2Config(
        vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, bos_token_id=None,
        eos_token_id=None, activation_function=activation, attn_implementation="eager")).double()
    zero_biases = {n: torch.zeros_like(p) for n, p in model.named_parameters() if n.endswith(".bias")}
    left = model.load_state_dict({**zero_biases, **{n: w.double() for n, w in weights.items()}}, strict=False)
    assert left.missing_keys == ["lm_head.weight"] and not left.unexpected_keys, left
    places = [n for n, module in model.named_modules() if isinstance(module, torch.nn.Dropout)]
    assert len(places) == 1 + 3 * LAYERS, places
    for place in places:
        model.set_submodule(place, HuggingFaceDropout(place, dropout))
    with patch.object(F, "dropout", lambda x, p, training: p(x)):
        theirs = model(ids).logits
    cross_entropy(theirs, targets).backward()
    parameters = leaves(weights, torch.float64)
    ours, _ = forward(parameters, ids, activation, dropout)
    cross_entropy(ours, targets).backward()
    torch.testing.assert_close(theirs, ours, rtol=1e-10, atol=1e-10)
    for name, parameter in parameters.items():
        torch.testing.assert_close(model.get_parameter(name).grad, parameter.grad, rtol=1e-9, atol=1e-12)


def write_gradients(folder, weights, activation):
    """One batch in float64: loss, logits, attention weights and the gradient of every parameter."""
    generator = torch.Generator().manual_seed(SEED + 2)
    ids = torch.randint(VOCABULARY, (BATCH, CONTEXT), generator=generator)
    targets = torch.randint(VOCABULARY, (BATCH, CONTEXT), generator=generator)
    parameters = leaves(weights, torch.float64)
    logits, attention = forward(parameters, ids, activation, Dropout(0, 0))
    loss = cross_entropy(logits, targets)
    loss.backward()
    gradients = {name: parameter.grad for name, parameter in parameters.items()}
    check_against_hugging_face(weights, ids, targets, activation, Dropout(0, 0))
    check_against_hugging_face(weights, ids, targets, activation, Dropout(0.2, 7))
    save_tensors(folder / "model.safetensors", weights, __file__)
    save_tensors(folder / "gradients.safetensors", gradients, __file__)
    maps = {f"transformer.h.{i}.attn.weights": a for i, a in enumerate(attention)}
    save_tensors(folder / "batch.safetensors", {"ids": ids, "targets": targets, "logits": logits, **maps}, __file__)
    return loss.item()


def write_trace(folder, name, weights, activation, probability, windows):
    """One training run in float32, with how far a float64 run of the same steps is from it."""
    losses, norms, final = train(weights, activation, probability, windows)
    exact, _, _ = train(weights, activation, probability, windows, torch.float64)
    difference = max(abs(a - b) / b for a, b in zip(losses, exact))
    assert difference < 1e-5, f"{folder.name} {name}: float32 and float64 part by {difference}"
    save_tensors(folder / f"{name}.final.safetensors", final, __file__)
    print(f"{folder.name} {name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}, float64 differs by {difference:.1e}")
    return {"dropout": probability, "losses": [float32_text(x) for x in losses],
            "gradientNorms": [float32_text(x) for x in norms], "largestDifferenceToFloat64": float(f"{difference:.1e}")}


def main():
    windows = training_windows()
    save_tensors(output_folder("gpt") / "windows.safetensors", {"windows": windows}, __file__)
    for name, variant in VARIANTS.items():
        folder = output_folder(f"gpt/{name}")
        weights = initial_weights(variant["bias"])
        loss = write_gradients(folder, weights, variant["activation"])
        save_json(folder / "expected.json", {
            "provenance": provenance(__file__),
            "config": {"vocabularySize": VOCABULARY, "contextLength": CONTEXT, "layers": LAYERS, "heads": HEADS,
                       "width": WIDTH, "layerNormEpsilon": 1e-5, **variant},
            "loss": float32_text(loss),
            "training": {"seed": SEED, "steps": STEPS, "betas": BETAS, "epsilon": 1e-8, "weightDecay": WEIGHT_DECAY,
                         "gradientClip": CLIP, "warmupSteps": WARMUP, "learningRate": RATE, "finalLearningRate": RATE_END},
            "learningRates": [rate_at(step) for step in range(STEPS)],
            "trace": write_trace(folder, "trace", weights, variant["activation"], 0.0, windows),
            "traceWithDropout": write_trace(folder, "trace-dropout", weights, variant["activation"], 0.2, windows),
        })


if __name__ == "__main__":
    main()
