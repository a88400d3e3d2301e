"""Opens a model directory as any Python user would and prints its logits: check_checkpoint.py DIR [IDS].

IDS is JSON, one list of ids or a list of equally long ones; without it, standard input is read. Prints one JSON
object: logits [B, T, V], the class that was loaded, its number of parameters (a tied one counts once), and the keys
that loading missed, did not expect or found in another shape (all three empty for a proper checkpoint).
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, logging


@torch.no_grad()
def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: check_checkpoint.py DIR [IDS]")
    ids = json.loads(sys.argv[2] if len(sys.argv) == 3 else sys.stdin.read())
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    model, loading = AutoModelForCausalLM.from_pretrained(sys.argv[1], output_loading_info=True, dtype=torch.float32)
    rows = torch.tensor(ids if isinstance(ids[0], list) else [ids], dtype=torch.int64)
    print(json.dumps({
        "class": type(model).__name__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "missingKeys": sorted(map(str, loading["missing_keys"])),
        "unexpectedKeys": sorted(map(str, loading["unexpected_keys"])),
        "mismatchedKeys": sorted(map(str, loading["mismatched_keys"])),
        "logits": model.eval()(rows).logits.tolist(),
    }))


if __name__ == "__main__":
    main()
