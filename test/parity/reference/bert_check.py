"""Opens encoders as any Python user would and prints what they compute, as JSON: bert_check.py < REQUESTS.

REQUESTS is JSON, a list of {directory, auto, sequences: [{ids, segments}], choices}; `auto` names the class of
transformers that opens the directory. Prints for each the class that was loaded, its number of parameters (a tied one counts once), the keys that
loading missed, did not expect or found in another shape (all empty for a proper checkpoint), and the outputs by name:
of a padded batch without the rows of padding.
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
    model, loading = getattr(transformers, request["auto"]).from_pretrained(
        request["directory"], output_loading_info=True, dtype=torch.float32, attn_implementation="eager")
    model.eval()
    sequences, choices = request["sequences"], request["choices"]
    mask = padded([[1] * len(row["ids"]) for row in sequences], 0)
    inputs = {"input_ids": padded([row["ids"] for row in sequences], model.config.pad_token_id), "attention_mask": mask}
    if model.config.model_type != "distilbert":
        inputs["token_type_ids"] = padded([row["segments"] for row in sequences], 0)
    if choices > 1:
        inputs = {key: value.view(-1, choices, value.shape[-1]) for key, value in inputs.items()}
    keep = mask.bool()
    outputs = {
        key: (value[keep] if value.shape[:2] == keep.shape else value).flatten().tolist()
        for key, value in model(**inputs).items()}
    return {
        "class": type(model).__name__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "problems": sorted(f"{kind} {key}" for kind, keys in loading.items() for key in keys),
        "labels": [model.config.id2label[i] for i in range(len(model.config.id2label))],
        "problemType": getattr(model.config, "problem_type", None),
        "outputs": outputs,
    }


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print(json.dumps([check(request) for request in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
