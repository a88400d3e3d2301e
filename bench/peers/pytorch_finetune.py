"""PyTorch's side of the fine-tuning benchmark: transformers' classifier and its full training step, driven over
standard input and output.

    pytorch_finetune.py CONFIG

CONFIG is JSON: model (a classifier's folder), batches (a file with a JSON list of {"ids": lists of token ids, "labels"}),
warmupSteps, learningRate, compile (whether the model goes through torch.compile with dynamic shapes). Prints
{"ready": true, version, parameters, losses of the first steps, backend} once warm, then answers each line {"steps": n}
with {"seconds": [n numbers], "phases": {"processor": [n numbers]}, "peakRss": bytes, "loss": x}. Start it with
OMP_NUM_THREADS and OMP_WAIT_POLICY=PASSIVE set: spinning threads slow it where cores are few.

These are PyTorch's best settings on a CPU: batches padded to their longest text, fused attention, fused AdamW, one
optimizer group a weight decay.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

import torch
import transformers
from torch.nn.functional import cross_entropy
from transformers import AutoModelForSequenceClassification

KEYS = {"model", "batches", "warmupSteps", "learningRate", "compile"}
SEED = 1337


class Training:
    """A model, its optimizer and the step that is timed."""

    def __init__(self, config):
        torch.manual_seed(SEED)
        self.model = AutoModelForSequenceClassification.from_pretrained(
            config["model"], attn_implementation="sdpa", dtype=torch.float32).train()
        self.batches = json.loads(Path(config["batches"]).read_text(encoding="utf-8"))
        self.parameters = list(self.model.parameters())
        groups = [
            {"params": [each for each in self.parameters if each.dim() > 1], "weight_decay": 0.01},
            {"params": [each for each in self.parameters if each.dim() == 1], "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=config["learningRate"], betas=(0.9, 0.999), fused=True)
        self.forward = torch.compile(self.model, dynamic=True) if config["compile"] else self.model
        self.steps = 0

    def batch(self):
        """The next batch, padded: ids, mask [B, T] and labels [B]."""
        batch = self.batches[self.steps % len(self.batches)]
        longest = max(len(ids) for ids in batch["ids"])
        padding = self.model.config.pad_token_id or 0
        ids = torch.tensor([ids + [padding] * (longest - len(ids)) for ids in batch["ids"]])
        mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in batch["ids"]])
        return ids, mask, torch.tensor(batch["labels"])

    def step(self):
        """One full step: forward, backward, clip, AdamW. Returns the loss."""
        ids, mask, labels = self.batch()
        loss = cross_entropy(self.forward(input_ids=ids, attention_mask=mask).logits, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        return loss.item()


def answer(value):
    print(json.dumps(value), flush=True)


def read_config():
    if len(sys.argv) != 2:
        sys.exit("usage: pytorch_finetune.py CONFIG")
    config = json.loads(sys.argv[1])
    if set(config) != KEYS:
        sys.exit(f"pytorch_finetune.py: the keys of CONFIG must be {sorted(KEYS)}, got {sorted(config)}")
    return config


def main():
    config = read_config()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    transformers.logging.set_verbosity_error()
    training = Training(config)
    losses = [training.step() for _ in range(config["warmupSteps"])]
    answer({
        "ready": True,
        "version": torch.__version__,
        "parameters": sum(each.numel() for each in training.parameters),
        "losses": losses,
        "backend": f"transformers {transformers.__version__}",
    })
    for line in sys.stdin:
        seconds, processor, loss = [], [], None
        for _ in range(json.loads(line)["steps"]):
            start, busy = time.perf_counter(), time.process_time()
            loss = training.step()
            seconds.append(time.perf_counter() - start)
            processor.append(time.process_time() - busy)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        answer({"seconds": seconds, "phases": {"processor": processor}, "peakRss": peak, "loss": loss})


if __name__ == "__main__":
    main()
