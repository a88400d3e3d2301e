"""PyTorch's side of the encoding benchmark: transformers' model and tokenizer, driven over standard input and output.

    pytorch_encode.py CONFIG

CONFIG is JSON: model (a checkpoint's folder), texts (a file with a JSON list of them), batchSize, sorted (whether
batches are put together by length) and embeddings, a file that the texts' vectors are written to: float32 rows in the
order of the texts. Prints {"ready": true, version, parameters, backend} once warm, then answers each line {"steps": n}
with {"seconds": [n numbers], "phases": {"tokenizing", "processor": [n numbers]}, "peakRss": bytes, "loss": tokens that
the model computes, padding included}. Start it with OMP_NUM_THREADS and OMP_WAIT_POLICY=PASSIVE set: spinning threads
slow it where cores are few.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

import torch
import transformers
from transformers import AutoModel, AutoTokenizer

KEYS = {"model", "texts", "batchSize", "sorted", "embeddings"}


class Encoder:
    def __init__(self, config):
        self.config = config
        self.texts = json.loads(Path(config["texts"]).read_text(encoding="utf-8"))
        self.tokenizer = AutoTokenizer.from_pretrained(config["model"])
        self.model = AutoModel.from_pretrained(config["model"], attn_implementation="sdpa", dtype=torch.float32).eval()

    def batches(self):
        """Padded batches with the texts' places. The longest texts are seen from their tokens, in one pass."""
        size, texts = self.config["batchSize"], self.texts
        if not self.config["sorted"]:
            for start in range(0, len(texts), size):
                places = list(range(start, min(start + size, len(texts))))
                yield places, self.tokenizer([texts[i] for i in places], padding=True, truncation=True, return_tensors="pt")
            return
        encoded = self.tokenizer(texts, padding=False, truncation=True)
        lengths = [len(ids) for ids in encoded["input_ids"]]
        order = sorted(range(len(texts)), key=lambda i: lengths[i])
        for start in range(0, len(texts), size):
            places = order[start: start + size]
            rows = {key: [values[i] for i in places] for key, values in encoded.items()}
            yield places, self.tokenizer.pad(rows, return_tensors="pt")

    @torch.inference_mode()
    def encode(self):
        """The embeddings of all texts in their order: means of tokens, of length 1."""
        found = torch.empty(len(self.texts), self.model.config.hidden_size)
        for places, batch in self.batches():
            hidden = self.model(**batch).last_hidden_state  # [B, T, C]
            mask = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)  # [B, T, 1]
            means = (hidden * mask).sum(1) / mask.sum(1)  # [B, C]
            found[places] = torch.nn.functional.normalize(means, dim=-1)
        return found


def answer(value):
    print(json.dumps(value), flush=True)


def read_config():
    if len(sys.argv) != 2:
        sys.exit("usage: pytorch_encode.py CONFIG")
    config = json.loads(sys.argv[1])
    if set(config) != KEYS:
        sys.exit(f"pytorch_encode.py: the keys of CONFIG must be {sorted(KEYS)}, got {sorted(config)}")
    return config


def main():
    config = read_config()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    transformers.logging.set_verbosity_error()
    encoder = Encoder(config)
    Path(config["embeddings"]).write_bytes(encoder.encode().numpy().tobytes())
    answer({"ready": True, "version": torch.__version__, "parameters": 0, "backend": f"transformers {transformers.__version__}"})
    for line in sys.stdin:
        seconds, tokenizing, processor, tokens = [], [], [], 0
        for _ in range(json.loads(line)["steps"]):
            start, busy = time.perf_counter(), time.process_time()
            encoder.encode()
            seconds.append(time.perf_counter() - start)
            processor.append(time.process_time() - busy)
            start = time.perf_counter()
            tokens = sum(batch["input_ids"].numel() for _, batch in encoder.batches())
            tokenizing.append(time.perf_counter() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        answer({"seconds": seconds, "phases": {"tokenizing": tokenizing, "processor": processor},
                "peakRss": peak, "loss": tokens})


if __name__ == "__main__":
    main()
