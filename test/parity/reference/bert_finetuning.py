"""Writes bert-finetuning/: 60 steps of fine-tuning a tiny BERT for each task, without dropout, on identical ragged batches.

Models and losses are Hugging Face's, in float64, on padded batches; the optimizer is that of bert_training.py.
"""

import torch
import transformers

from bert_training import BETAS, CLIP, WEIGHT_DECAY, padded
from fixture import float32_text, output_folder, provenance, save_json

VOCABULARY, STEPS, BATCH, RATE, SEED = 40, 60, 6, 4e-3, 7
CLS, SEP, FIRST_WORD = 2, 3, 5
LABELS = ("O", "B-X", "I-X")
TASKS = {
    "classification": transformers.BertForSequenceClassification,
    "tagging": transformers.BertForTokenClassification,
    "answering": transformers.BertForQuestionAnswering,
}


def create(task):
    torch.manual_seed(SEED)
    labels = {} if task == "answering" else {
        "id2label": dict(enumerate(LABELS)), "label2id": {label: i for i, label in enumerate(LABELS)}}
    model = TASKS[task](transformers.BertConfig(
        vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=20, initializer_range=0.2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        attn_implementation="eager", **labels))
    with torch.no_grad():  # biases start at 0 and norms at 1: a swap of two would not show
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def batches():
    """Sequences with the targets of all tasks: which third of the words most are of, kinds of words, a span of words."""
    generator = torch.Generator().manual_seed(SEED)
    integer = lambda low, high: torch.randint(low, high, (1,), generator=generator).item()

    def sequence():
        length = integer(3, 14)
        words = [integer(FIRST_WORD, VOCABULARY) for _ in range(length)]
        start = integer(0, length)
        return {"ids": [CLS, *words, SEP], "target": sum(words) % 3, "labels": [word % 3 for word in words],
                "start": start + 1, "end": integer(start, length) + 1}

    return [[sequence() for _ in range(BATCH)] for _ in range(STEPS)]


def targets_of(task, batch):
    if task == "classification":
        return {"labels": torch.tensor([s["target"] for s in batch])}
    if task == "tagging":
        return {"labels": padded([[-100, *s["labels"], -100] for s in batch], -100)}
    return {"start_positions": torch.tensor([s["start"] for s in batch]),
            "end_positions": torch.tensor([s["end"] for s in batch])}


def train(task, steps):
    model = create(task).double().train()
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW([
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ], lr=RATE, betas=BETAS, eps=1e-8, foreach=False)
    losses = []
    for batch in steps:
        optimizer.zero_grad()
        # Starts and ends of padding are no answers: without their scores, as if every row were alone.
        mask = padded([[1] * len(s["ids"]) for s in batch], 0)
        inputs = {"input_ids": padded([s["ids"] for s in batch], 0), "attention_mask": mask}
        if task == "answering":
            result = model(**inputs)
            hide = (1 - mask) * -1e9
            loss = sum(torch.nn.functional.cross_entropy(logits + hide, positions) for logits, positions in zip(
                (result.start_logits, result.end_logits), targets_of(task, batch).values())) / 2
        else:
            loss = model(**inputs, **targets_of(task, batch)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        losses.append(loss.item())
    return losses


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    steps = batches()
    losses = {}
    for task in TASKS:
        folder = output_folder(f"bert-finetuning/{task}")
        create(task).save_pretrained(folder)
        (folder / "model.safetensors").chmod(0o644)
        losses[task] = [float32_text(loss) for loss in train(task, steps)]
        print(f"{task}: {losses[task][0]:.4f} -> {losses[task][-1]:.4f}")
    save_json(output_folder("bert-finetuning") / "expected.json", {
        "provenance": provenance(__file__),
        "training": {"learningRate": RATE, "betas": BETAS, "weightDecay": WEIGHT_DECAY, "clip": CLIP},
        "losses": losses,
        "batches": [{"sequences": batch} for batch in steps],
    })


if __name__ == "__main__":
    main()
