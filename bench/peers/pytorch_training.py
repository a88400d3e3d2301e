"""PyTorch's side of the training benchmark: a GPT and its full training step, driven over standard input and output.

    pytorch_training.py CONFIG [compile]

CONFIG is JSON: layers, heads, width, contextLength, batchSize, vocabularySize, dropout, bias, activation (gelu or
gelu_new). With `compile` the model goes through torch.compile. Prints {"ready": true, version, parameters, …} once
warm, then answers each line {"steps": n} with {"seconds": [n numbers], "peakRss": bytes, "loss": x}; the end of the
input ends it. Start it with OMP_NUM_THREADS and OMP_WAIT_POLICY=PASSIVE set: spinning threads take the cores from
whatever runs between its turns, and from PyTorch itself.

These are PyTorch's best settings on a CPU: fused attention, fused AdamW, one optimizer group a weight decay.
B batch, T sequence, C width, H heads, D head width, V vocabulary.
"""

import json
import os
import resource
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = 1337
WARMUP_STEPS = 2


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads, self.dropout = config["heads"], config["dropout"]
        self.c_attn = nn.Linear(config["width"], 3 * config["width"], bias=config["bias"])
        self.c_proj = nn.Linear(config["width"], config["width"], bias=config["bias"])
        self.resid_dropout = nn.Dropout(config["dropout"])

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (part.view(batch, length, self.heads, -1).transpose(1, 2)  # [B, H, T, D]
                   for part in self.c_attn(x).split(width, -1))
        dropout = self.dropout if self.training else 0.0
        heads = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        return self.resid_dropout(self.c_proj(heads.transpose(1, 2).reshape(batch, length, width)))


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_fc = nn.Linear(config["width"], 4 * config["width"], bias=config["bias"])
        self.c_proj = nn.Linear(4 * config["width"], config["width"], bias=config["bias"])
        self.dropout = nn.Dropout(config["dropout"])
        self.approximate = {"gelu": "none", "gelu_new": "tanh"}[config["activation"]]

    def forward(self, x):
        return self.dropout(self.c_proj(F.gelu(self.c_fc(x), approximate=self.approximate)))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config["width"], bias=config["bias"])
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config["width"], bias=config["bias"])
        self.mlp = FeedForward(config)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.wte = nn.Embedding(config["vocabularySize"], config["width"])
        self.wpe = nn.Embedding(config["contextLength"], config["width"])
        self.drop = nn.Dropout(config["dropout"])
        self.h = nn.ModuleList(Block(config) for _ in range(config["layers"]))
        self.ln_f = nn.LayerNorm(config["width"], bias=config["bias"])
        for name, parameter in self.named_parameters():
            if name.endswith("c_proj.weight"):
                nn.init.normal_(parameter, std=0.02 / (2 * config["layers"]) ** 0.5)
            elif parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, ids, targets):
        x = self.drop(self.wte(ids) + self.wpe.weight[: ids.shape[1]])  # [B, T, C]
        for block in self.h:
            x = block(x)
        logits = F.linear(self.ln_f(x), self.wte.weight)  # [B, T, V]
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def adamw(model):
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    try:
        return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True), "fused"
    except (RuntimeError, TypeError):
        return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), foreach=True), "foreach"


class Training:
    """A model, its optimizer and the step that is timed."""

    def __init__(self, config, compiled):
        torch.manual_seed(SEED)
        self.config = config
        self.model = GPT(config).train()
        self.optimizer, self.optimizer_kind = adamw(self.model)
        self.forward = torch.compile(self.model) if compiled else self.model

    def step(self):
        """One full step on random ids: forward, backward, clip, AdamW. Returns the loss."""
        shape = (self.config["batchSize"], self.config["contextLength"] + 1)
        window = torch.randint(self.config["vocabularySize"], shape)
        loss = self.forward(window[:, :-1].contiguous(), window[:, 1:].contiguous())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()


def answer(value):
    print(json.dumps(value), flush=True)


def read_config():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["compile"]):
        sys.exit("usage: pytorch_training.py CONFIG [compile]")
    config = json.loads(sys.argv[1])
    expected = {"layers", "heads", "width", "contextLength", "batchSize", "vocabularySize", "dropout", "bias", "activation"}
    if set(config) != expected:
        sys.exit(f"pytorch_training.py: the keys of CONFIG must be {sorted(expected)}, got {sorted(config)}")
    return config, len(sys.argv) == 3


def main():
    config, compiled = read_config()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    training = Training(config, compiled)
    for _ in range(WARMUP_STEPS):
        training.step()
    answer({
        "ready": True,
        "version": torch.__version__,
        "parameters": sum(p.numel() for p in training.model.parameters()),
        "compiled": compiled,
        "optimizer": training.optimizer_kind,
        "threads": torch.get_num_threads(),
    })
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
