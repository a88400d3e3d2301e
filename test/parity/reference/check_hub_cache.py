"""What Python makes of Hugging Face's cache: check_hub_cache.py download NAME [PATTERN ...] | scan | open NAME TEXT.

`download` asks the hub that HF_ENDPOINT names and prints the snapshot's folder. `scan` prints the warnings of a look at
the whole cache and, of each repository, its commits with their refs, files, blobs and lengths. `open` loads model and
tokenizer as any Python user would and prints the ids of the text and the logits [T, V]. Each prints one JSON object.
"""

import json
import sys


def download(name, *patterns):
    from huggingface_hub import snapshot_download

    return {"directory": snapshot_download(name, allow_patterns=list(patterns) or None)}


def scan():
    from huggingface_hub import scan_cache_dir

    cache = scan_cache_dir()
    repositories = {
        repository.repo_id: {
            revision.commit_hash: {
                "refs": sorted(revision.refs),
                "files": {
                    file.file_name: {"blob": file.blob_path.name, "size": file.size_on_disk} for file in revision.files
                },
            }
            for revision in repository.revisions
        }
        for repository in cache.repos
    }
    return {"warnings": [str(warning) for warning in cache.warnings], "repositories": repositories}


def open_model(name, text):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32).eval()
    ids = AutoTokenizer.from_pretrained(name)(text)["input_ids"]
    with torch.no_grad():
        return {"ids": ids, "logits": model(torch.tensor([ids])).logits[0].tolist()}


if __name__ == "__main__":
    actions = {"download": download, "scan": scan, "open": open_model}
    if len(sys.argv) < 2 or sys.argv[1] not in actions:
        sys.exit("usage: check_hub_cache.py download NAME [PATTERN ...] | scan | open NAME TEXT")
    print(json.dumps(actions[sys.argv[1]](*sys.argv[2:])))
