"""Opens encoder–decoders as any Python user would and prints what they compute, as JSON: check_sequence_to_sequence.py < REQUESTS.

REQUESTS is JSON, a list of {directory, sources, targets}. Prints for each the class that was loaded, the keys
that loading missed, did not expect or found in another shape (all empty for a proper checkpoint), the logits of a padded
batch without the rows of padding, and what `generate` writes greedily, without the start token and padding.
"""

import json
import sys

import torch
import transformers


def padded(rows, padding):
    width = max(map(len, rows))
    return torch.tensor([row + [padding] * (width - len(row)) for row in rows])


@torch.no_grad()
def check(request):
    model, loading = transformers.AutoModelForSeq2SeqLM.from_pretrained(
        request["directory"], output_loading_info=True, dtype=torch.float32, attn_implementation="eager")
    model.eval()
    sources, targets = request["sources"], request["targets"]
    padding = model.config.pad_token_id
    mask = padded([[1] * len(row) for row in sources], 0)
    inputs = {"input_ids": padded(sources, padding), "attention_mask": mask}
    logits = model(**inputs, decoder_input_ids=padded(targets, padding)).logits
    rows = model.generate(**inputs, max_new_tokens=8, do_sample=False, num_beams=1)
    return {
        "class": type(model).__name__,
        "problems": sorted(f"{kind} {key}" for kind, keys in loading.items() for key in keys),
        "logits": torch.cat([logits[i, :len(row)] for i, row in enumerate(targets)]).flatten().tolist(),
        "greedy": [[id for id in row[1:].tolist() if id != padding] for row in rows],
    }


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print(json.dumps([check(request) for request in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
