"""Opens causal language models as any Python user would and prints what they compute, as JSON: check_causal.py < REQUESTS.

REQUESTS is JSON, a list of {directory, ids, prompts}. Prints for each the class that was loaded, the keys that loading
missed, did not expect or found in another shape (all empty for a proper checkpoint), the logits of the ids [B, T], and 64
new tokens of each prompt alone, none of three in a row twice.
"""

import json
import sys

import torch
import transformers


@torch.no_grad()
def check(request):
    def load():
        return transformers.AutoModelForCausalLM.from_pretrained(
            request["directory"], output_loading_info=True, dtype=torch.float32, attn_implementation="eager")

    def generate(prompt):
        ids = torch.tensor([prompt])
        # A new model each time: what the length of a text changes in one stays there.
        found = load()[0].eval().generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=64, do_sample=False,
                                          no_repeat_ngram_size=3, pad_token_id=0)
        return found[0, len(prompt):].tolist()

    model, loading = load()
    return {
        "class": type(model).__name__,
        "problems": sorted(f"{kind} {key}" for kind, keys in loading.items() for key in keys),
        "logits": model.eval()(torch.tensor(request["ids"])).logits.flatten().tolist(),
        "greedy": [generate(prompt) for prompt in request["prompts"]],
    }


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print(json.dumps([check(request) for request in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
