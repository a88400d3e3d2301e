"""Writes bert-training/: 100 steps of BERT's pretraining, with dropout and without, and what the trained model computes.

The model, its loss and its gradients are Hugging Face's BertForPreTraining on padded batches. B sequences, T the longest
one's tokens, N tokens of all, C width, H heads. Dropout masks are drawn as Heddle draws them, which knows no padding: one
row for each of the N tokens, in the order of the sequences.
"""

from unittest.mock import patch

import torch
import transformers
from torch.nn import functional as F

from fixture import float32_text, output_folder, provenance, save_json, save_tensors
from philox import keep_mask

VOCABULARY, LAYERS, HEADS, WIDTH, INNER, POSITIONS, BATCH = 120, 2, 2, 32, 64, 24, 6
STEPS, WARMUP, RATE, BETAS, WEIGHT_DECAY, CLIP, SEED = 100, 10, 5e-3, (0.9, 0.98), 0.01, 1.0, 1337
CLS, SEP, MASK, FIRST_WORD, THEMES, WORDS = 2, 3, 4, 5, 3, 8


class Dropout(torch.nn.Module):
    """Stands in for a dropout module; its path in the model is the place of its mask."""

    def __init__(self, place, run):
        super().__init__()
        self.place, self.run = place, run
        # Attention hands this attribute to functional.dropout, which is replaced by a call of it.
        object.__setattr__(self, "p", self)

    def forward(self, x):
        probability, step, keep = self.run["dropout"], self.run["step"], self.run["keep"]
        if probability == 0:
            return x
        if x.dim() == 4:  # attention weights [B, H, T, T]
            kept = torch.from_numpy(keep_mask(SEED, self.place, step, list(x.shape), probability))
        else:  # [B, T, C], of which padding has no row
            rows = torch.from_numpy(keep_mask(SEED, self.place, step, [int(keep.sum()), x.shape[-1]], probability))
            kept = torch.ones(x.shape, dtype=torch.bool)
            kept[keep] = rows
        return x * kept.to(x.dtype) * (1 / (1 - probability))


def create():
    torch.manual_seed(SEED)
    model = transformers.BertForPreTraining(transformers.BertConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        intermediate_size=INNER, max_position_embeddings=POSITIONS, initializer_range=0.15,
        attn_implementation="eager"))
    with torch.no_grad():  # biases start at 0 and norms at 1: a swap of two would not show
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def batches(count, seed):
    """Lists of pairs of texts with hidden words; each word mostly follows from the one before, and themes have their own."""
    generator = torch.Generator().manual_seed(seed)

    def integer(low, high):
        return torch.randint(low, high, (1,), generator=generator).item()

    def chance(probability):
        return torch.rand(1, generator=generator).item() < probability

    def text(length, theme):
        words = [integer(0, WORDS)]
        while len(words) < length:
            words.append((words[-1] + 1) % WORDS if chance(0.9) else integer(0, WORDS))
        return [FIRST_WORD + theme * WORDS + word for word in words]

    def sequence():
        theme, follows = integer(0, THEMES), chance(0.5)
        first = text(integer(3, 9), theme)
        second = text(integer(4, 11), theme if follows else (theme + integer(1, THEMES)) % THEMES)
        ids = [CLS, *first, SEP, *second, SEP]
        segments = [0] * (len(first) + 2) + [1] * (len(second) + 1)
        places = [i for i, token in enumerate(ids) if token >= FIRST_WORD and chance(0.2)] or [1]
        targets = [ids[place] for place in places]
        for place in places:
            kind = integer(0, 10)
            ids[place] = MASK if kind < 8 else integer(FIRST_WORD, VOCABULARY) if kind == 8 else ids[place]
        return {"ids": ids, "segments": segments, "places": places, "targets": targets, "follows": follows}

    return [[sequence() for _ in range(BATCH)] for _ in range(count)]


def padded(rows, padding):
    width = max(map(len, rows))
    return torch.tensor([row + [padding] * (width - len(row)) for row in rows])


def inputs_of(batch):
    mask = padded([[1] * len(s["ids"]) for s in batch], 0)
    return {"input_ids": padded([s["ids"] for s in batch], 0), "attention_mask": mask,
            "token_type_ids": padded([s["segments"] for s in batch], 0)}


def labels_of(batch):
    """What stood at the hidden places, -100 elsewhere, and 0 where the second text follows."""
    labels = padded([[-100] * len(s["ids"]) for s in batch], -100)
    for b, s in enumerate(batch):
        labels[b, s["places"]] = torch.tensor(s["targets"])
    return {"labels": labels, "next_sentence_label": torch.tensor([0 if s["follows"] else 1 for s in batch])}


def rate_at(step):
    """A linear warm-up, then a straight line down to a tenth."""
    if step < WARMUP:
        return RATE * (step + 1) / (WARMUP + 1)
    return RATE * (1 - 0.9 * (step - WARMUP) / (STEPS - WARMUP))


def train(batches, dropout, dtype):
    """Returns the losses of the steps and the trained model."""
    model = create().to(dtype).train()
    run = {"dropout": dropout}
    places = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Dropout)]
    assert len(places) == 1 + 3 * LAYERS, places
    for place in places:
        model.set_submodule(place, Dropout(place, run))
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW([
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ], betas=BETAS, eps=1e-8, foreach=False)
    losses = []
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step)
        inputs = inputs_of(batch)
        run.update(step=step, keep=inputs["attention_mask"].bool())
        optimizer.zero_grad()
        with patch.object(F, "dropout", lambda x, p, training: p(x)):
            loss = model(**inputs, **labels_of(batch)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        losses.append(loss.item())
    run["dropout"] = 0
    return losses, model


def outputs_of(model, batch):
    """The logits of the hidden tokens [M, V] and of the pairs [B, 2]."""
    with torch.no_grad(), patch.object(F, "dropout", lambda x, p, training: p(x)):
        result = model(**inputs_of(batch))
    rows = [result.prediction_logits[b, place] for b, s in enumerate(batch) for place in s["places"]]
    return {"tokens": torch.stack(rows), "next": result.seq_relationship_logits}


def write_trace(folder, name, steps, held_out, dropout):
    losses, model = train(steps, dropout, torch.float32)
    exact, double = train(steps, dropout, torch.float64)
    difference = max(abs(a - b) for a, b in zip(losses, exact))
    outputs, exact_outputs = outputs_of(model, held_out), outputs_of(double, held_out)
    drift = max((outputs[key].double() - exact_outputs[key]).abs().max().item() for key in outputs)
    assert difference < 1e-5 and drift < 1e-4, f"{name}: float32 and float64 part by {difference}, {drift}"
    save_tensors(folder / f"{name}.outputs.safetensors", exact_outputs, __file__)
    print(f"{name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}, float64 differs by {difference:.1e}, outputs by {drift:.1e}")
    return {"dropout": dropout, "losses": [float32_text(x) for x in exact],
            "largestDifferenceToFloat32": float(f"{difference:.1e}"), "outputDifferenceToFloat32": float(f"{drift:.1e}")}


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    folder = output_folder("bert-training")
    create().save_pretrained(folder)
    steps, [held_out] = batches(STEPS, SEED + 1), batches(1, SEED + 2)
    save_json(folder / "expected.json", {
        "provenance": provenance(__file__),
        "training": {"seed": SEED, "betas": BETAS, "weightDecay": WEIGHT_DECAY, "clip": CLIP},
        "learningRates": [rate_at(step) for step in range(STEPS)],
        "trace": write_trace(folder, "trace", steps, held_out, 0.0),
        "traceWithDropout": write_trace(folder, "trace-dropout", steps, held_out, 0.1),
        "heldOut": held_out,
        "batches": [{"sequences": batch} for batch in steps],
    })


if __name__ == "__main__":
    main()
