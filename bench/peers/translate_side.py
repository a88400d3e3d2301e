"""What Python's sides of the translation benchmark share: their configuration, tokenizing, and lines of JSON."""

import json
import resource
import sys
import time
from pathlib import Path

KEYS = {"model", "texts", "batchSize", "beams", "minNewTokens", "maxNewTokens", "translations"}


def read_config(program):
    if len(sys.argv) != 2:
        sys.exit(f"usage: {program} CONFIG")
    config = json.loads(sys.argv[1])
    if set(config) != KEYS:
        sys.exit(f"{program}: the keys of CONFIG must be {sorted(KEYS)}, got {sorted(config)}")
    return config


def encode(tokenizer, texts, end):
    """The ids of each text with the one that ends it."""
    return [encoding.ids + [end] for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]


def serve(translate, config, about):
    """Translates once, writes what came out and says so; then translates as often as each line of the input asks for."""
    translations, _ = translate()
    Path(config["translations"]).write_text(json.dumps(translations), encoding="utf-8")
    tokens = sum(map(len, translations))
    answer({"ready": True, **about})
    for line in sys.stdin:
        seconds, processor = [], []
        for _ in range(json.loads(line)["steps"]):
            start, busy = time.perf_counter(), time.process_time()
            translate()
            seconds.append(time.perf_counter() - start)
            processor.append(time.process_time() - busy)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        answer({"seconds": seconds, "phases": {"processor": processor}, "peakRss": peak, "loss": tokens})


def answer(value):
    print(json.dumps(value), flush=True)
