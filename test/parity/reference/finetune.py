"""Fine-tunes a BERT encoder on one task with PyTorch and transformers, and scores it: what Heddle is compared with.

    finetune.py TASK --seed S --data FOLDER --model CHECKPOINT [--json OUT]

Nothing here is in test/fixtures; needs seqeval besides requirements.txt. AdamW, a linear schedule and clipping are
written out, so that another implementation can follow the same recipe step by step.
"""

import argparse
import json
import math
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
import transformers

from finetune_tasks import TASKS, collate

# To be chosen with --split dev (development files, or XQuAD's last training articles), never on the test's.
HYPERPARAMETERS = {
    "sst2": {"learningRate": 5e-5, "batchSize": 32, "epochs": 3},
    "wnut17": {"learningRate": 1e-4, "batchSize": 16, "epochs": 5},
    "xquad": {"learningRate": 1e-4, "batchSize": 8, "epochs": 4},
}
SHARED = {"betas": [0.9, 0.999], "epsilon": 1e-8, "weightDecay": 0.01, "warmup": 0.1, "clip": 1.0}
BATCHES_PER_POOL = 32


def epoch_of_batches(lengths, size, random):
    """Shuffled examples, sorted by length in pools of 32 batches, cut into batches, and those shuffled."""
    order, pool, batches = random.permutation(len(lengths)), BATCHES_PER_POOL * size, []
    for start in range(0, len(order), pool):
        examples = sorted(order[start: start + pool], key=lambda i: lengths[i])
        batches += [examples[i: i + size] for i in range(0, len(examples), size)]
    return [batches[i] for i in random.permutation(len(batches))]


def learning_rate(step, total, peak, warmup):
    """Rises to `peak` in `warmup` steps, then falls to 0 at step `total`; steps count from 0."""
    return peak * (step + 1) / (warmup + 1) if step < warmup else peak * (total - step) / (total - warmup)


def optimizer_of(model, settings):
    """AdamW that decays matrices, embeddings among them, but neither biases nor norms."""
    parameters = list(model.parameters())
    groups = [
        {"params": [each for each in parameters if each.dim() > 1], "weight_decay": settings["weightDecay"]},
        {"params": [each for each in parameters if each.dim() == 1], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=settings["betas"], eps=settings["epsilon"], fused=True)


def train(model, task, settings, seed):
    """All epochs; returns the number of steps and the mean loss of each epoch."""
    random = np.random.default_rng(seed)
    lengths = [len(example["input_ids"]) for example in task.examples]
    total = settings["epochs"] * math.ceil(len(lengths) / settings["batchSize"])
    warmup = round(settings["warmup"] * total)
    optimizer = optimizer_of(model, settings)
    step, losses = 0, []
    model.train()
    for _ in range(settings["epochs"]):
        sums = 0.0
        batches = epoch_of_batches(lengths, settings["batchSize"], random)
        for batch in batches:
            inputs, targets = collate([task.examples[i] for i in batch], model.config.pad_token_id)
            loss = task.loss(model(**inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings["clip"])
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, total, settings["learningRate"], warmup)
            optimizer.step()
            sums += loss.item()
            step += 1
        losses.append(sums / len(batches))
        print(f"epoch {len(losses)}: loss {losses[-1]:.4f}", file=sys.stderr, flush=True)
    return total, losses


@torch.inference_mode()
def evaluate(model, task, size=64):
    """The task's metrics; examples are read in batches of similar length."""
    model.eval()
    lengths = [len(example["input_ids"]) for example in task.evaluation]
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    logits = [None] * len(lengths)
    for start in range(0, len(order), size):
        batch = order[start: start + size]
        inputs, _ = collate([task.evaluation[i] for i in batch], model.config.pad_token_id)
        for i, found in zip(batch, task.logits(model(**inputs), [lengths[i] for i in batch])):
            logits[i] = found
    return task.score(logits)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True, help="folder of a BERT checkpoint with its tokenizer")
    parser.add_argument("--json", help="where to write the result; standard output by default")
    parser.add_argument("--split", choices=["test", "dev"], default="test", help="what to score on")
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    given = {"learningRate": arguments.learning_rate, "epochs": arguments.epochs, "batchSize": arguments.batch_size}
    settings = HYPERPARAMETERS[arguments.task] | SHARED | {k: v for k, v in given.items() if v is not None}
    transformers.logging.set_verbosity_error()
    began = time.perf_counter()
    task = TASKS[arguments.task](arguments.data, arguments.model, arguments.split)
    torch.manual_seed(arguments.seed)  # the new head and dropout; batches have their own generator
    model = task.model(arguments.model)
    loaded, processor = time.perf_counter(), time.process_time()
    steps, losses = train(model, task, settings, arguments.seed)
    trained, processor = time.perf_counter(), time.process_time() - processor
    metrics = evaluate(model, task)
    scored = time.perf_counter()
    result = {
        "task": arguments.task, "seed": arguments.seed, "split": arguments.split, "hyperparameters": settings,
        "metrics": metrics, "steps": steps, "losses": losses,
        "examples": len(task.examples), "evaluated": len(task.evaluation),
        "tokensPerEpoch": sum(len(example["input_ids"]) for example in task.examples),
        "seconds": {"load": loaded - began, "train": trained - loaded, "trainProcessor": processor,
                    "evaluate": scored - trained},
        "peakMegabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__,
                     "threads": torch.get_num_threads()},
    }
    text = json.dumps(result, indent=2)
    if arguments.json:
        Path(arguments.json).write_text(text + "\n", encoding="utf-8")
    print(text if not arguments.json else f"seed {arguments.seed}: {json.dumps(metrics)}, "
          f"{trained - loaded:.1f} s of training ({processor:.1f} s of processor time)", flush=True)


if __name__ == "__main__":
    main()
