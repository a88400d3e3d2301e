"""What the fixtures of encoder–decoders share: ragged batches, logits, gradients, and what `generate` writes."""

import json

import torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from fixture import float32_list, float32_text, provenance, save_json, save_tensors

SOURCES, TARGETS = (7, 3, 12, 5), (4, 9, 2, 6)
FIRST_WORD, NEW, BEAMS = 3, 10, 4


def padded(rows, padding):
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=padding)


def batch(seed, source_vocabulary, vocabulary, start):
    """Ragged sources, targets behind the start token, and a label for each token of a target."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda limit, count: torch.randint(FIRST_WORD, limit, (count,), generator=generator).tolist()
    sources = [draw(source_vocabulary, length) for length in SOURCES]
    words = [draw(vocabulary, length) for length in TARGETS]
    return sources, [[start, *row[:-1]] for row in words], sum(words, [])


def logits_of(model, sources, targets, padding):
    """The logits of a padded batch, one row for each token of a target."""
    mask = padded([[1] * len(row) for row in sources], 0)
    # The first token may be the padding token itself, for which Python would mask it.
    target_mask = padded([[1] * len(row) for row in targets], 0)
    logits = model(input_ids=padded(sources, padding[0]), attention_mask=mask, decoder_attention_mask=target_mask,
                   decoder_input_ids=padded(targets, padding[1]), use_cache=False).logits
    return torch.cat([logits[i, :len(row)] for i, row in enumerate(targets)])


@torch.no_grad()
def generate(model, sources, padding, start, end, **options):
    """New ids up to and with the end token, for each source one row, or as many as are asked for."""
    mask = padded([[1] * len(row) for row in sources], 0)
    return model.generate(
        input_ids=padded(sources, padding[0]), attention_mask=mask, max_new_tokens=NEW, do_sample=False,
        decoder_start_token_id=start, eos_token_id=end, pad_token_id=padding[1], bos_token_id=None,
        no_repeat_ngram_size=2, **options)


def until(row, end):
    return row[: row.index(end) + 1] if end in row else row


def searches(model, sources, padding, start, end):
    """Greedy rows, and the four best of a search with four beams with their scores."""
    greedy = generate(model, sources, padding, start, end, num_beams=1)
    found = generate(model, sources, padding, start, end, num_beams=BEAMS, num_return_sequences=BEAMS,
                     early_stopping=False, length_penalty=0.8, return_dict_in_generate=True, output_scores=True)
    rows = [until(row[1:].tolist(), end) for row in found.sequences]
    return ([until(row[1:].tolist(), end) for row in greedy],
            [rows[i:i + BEAMS] for i in range(0, len(rows), BEAMS)], found.sequences_scores)


def write(folder, script, make, tokens, kept):
    """Writes what a model computes beside its checkpoint, of the first seed at which it says enough to be told apart.

    `make(seed)` gives the model; `tokens` has source_vocabulary, vocabulary, padding (a pair), start and end;
    `kept` are the endings of the parameters whose gradients are written.
    """
    padding, start, end = (tokens[key] for key in ("padding", "start", "end"))
    for seed in range(200):
        model = make(seed)
        sources, targets, labels = batch(seed, tokens["source_vocabulary"], tokens["vocabulary"], start)
        greedy, beams, scores = searches(model, sources, padding, start, end)
        exact = searches(make(seed).double(), sources, padding, start, end)
        lengths = {len(row) for rows in beams for row in rows}
        variety = [len(set(row)) for row in greedy]
        if (greedy, beams) == exact[:2] and len(lengths) > 3 and sum(variety) > 16:
            break
    else:
        raise AssertionError(f"{folder.name}: every model repeats itself")
    model.save_pretrained(folder)
    double = make(seed).double()
    logits = logits_of(double, sources, targets, padding)
    loss = F.cross_entropy(logits, torch.tensor(labels))
    loss.backward()
    gradients = {name: p.grad for name, p in double.named_parameters() if name.endswith(tuple(kept))}
    save_tensors(folder / "gradients.safetensors", gradients, script)
    save_json(folder / "expected.json", {
        "provenance": provenance(script), "seed": seed, "sources": sources, "targets": targets, "labels": labels,
        "logits": float32_list(logits.flatten()), "loss": float32_text(loss.item()),
        "generation": {"maxNewTokens": NEW, "startTokenId": start, "eosTokenId": end, "lengthPenalty": 0.8,
                       "noRepeatNgramSize": 2, "greedy": greedy, "beams": beams, "scores": float32_list(scores)}})
    # Other keys of config.json change with every version and mean nothing here.
    for name in ("config.json", "generation_config.json"):
        config = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    print(folder.name, "seed", seed, "greedy", greedy, "lengths", [[len(row) for row in rows] for rows in beams])
