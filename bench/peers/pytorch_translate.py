"""PyTorch's side of the translation benchmark: transformers' MarianMTModel and its `generate`, driven over standard input
and output.

    pytorch_translate.py CONFIG

CONFIG is JSON: model (a checkpoint's folder), texts (a file with a JSON list of them), batchSize, beams, minNewTokens,
maxNewTokens and translations, a file that the ids of each translation are written to, as JSON in the order of the texts.
Prints {"ready": true, version, parameters, backend} once warm, then answers each line {"steps": n} with
{"seconds": [n numbers], "phases": {"processor": [n numbers]}, "peakRss": bytes, "loss": tokens of all translations}.
Start it with OMP_NUM_THREADS and OMP_WAIT_POLICY=PASSIVE set: spinning threads slow it where cores are few.

These are transformers' best settings on a CPU: texts sorted by length, padded batches, fused attention, a key/value cache.
"""

import json
import os
import sys
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer
from transformers import MarianMTModel

from translate_side import encode, read_config, serve


class Translator:
    def __init__(self, config):
        self.config = config
        self.texts = json.loads(Path(config["texts"]).read_text(encoding="utf-8"))
        self.tokenizer = Tokenizer.from_file(str(Path(config["model"]) / "tokenizer.json"))
        self.model = MarianMTModel.from_pretrained(
            config["model"], attn_implementation="sdpa", dtype=torch.float32).eval()
        self.end = self.model.config.eos_token_id

    @torch.inference_mode()
    def translate(self):
        """The ids of each text's translation, with the one that ends it, and their texts."""
        sources = encode(self.tokenizer, self.texts, self.end)
        order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
        found = [None] * len(sources)
        for start in range(0, len(order), self.config["batchSize"]):
            places = order[start: start + self.config["batchSize"]]
            for place, row in zip(places, self.generate([sources[i] for i in places])):
                found[place] = row[: row.index(self.end) + 1] if self.end in row else row
        return found, self.tokenizer.decode_batch(found, skip_special_tokens=True)

    def generate(self, sources):
        """The best translation of each, without the decoder's start token."""
        width = max(map(len, sources))
        padding = self.model.config.pad_token_id
        rows = self.model.generate(
            input_ids=torch.tensor([ids + [padding] * (width - len(ids)) for ids in sources]),
            attention_mask=torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids in sources]),
            num_beams=self.config["beams"], do_sample=False, length_penalty=1.0, early_stopping=True,
            min_new_tokens=self.config["minNewTokens"], max_new_tokens=self.config["maxNewTokens"])
        return [row[1:] for row in rows.tolist()]


def main():
    config = read_config("pytorch_translate.py")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    translator = Translator(config)
    serve(translator.translate, config, {
        "version": torch.__version__,
        "parameters": sum(each.numel() for each in translator.model.parameters() if each.requires_grad),
        "backend": f"transformers {transformers.__version__}",
    })


if __name__ == "__main__":
    main()
