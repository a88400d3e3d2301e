"""Hugging Face's side of the tokenizer benchmark, driven over standard input and output.

    hf_tokenizers.py CONFIG

CONFIG is JSON: job (train, file or lines), file, and for `train` type (bpe, unigram or wordpiece) and vocabularySize,
for the others tokenizer, the path of a tokenizer.json. Prints {"ready": true, version, parameters}, then answers each
line {"steps": n} with {"seconds": [n numbers], "peakRss": bytes, "loss": number of tokens}.

These are the library's fastest ways: a whole file is encoded as a batch of its lines without offsets, on all cores.
"""

import json
import resource
import sys
import time

import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

BATCH = 10_000


def untrained(kind, size):
    """A tokenizer of a kind and its trainer, as Heddle sets them up."""
    common = {"vocab_size": size, "show_progress": False}
    if kind == "bpe":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, **common)
    elif kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], **common)
    else:
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.NFKC()
        split = pre_tokenizers.Split("\n", "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), split])
        tokenizer.decoder = decoders.Metaspace()
        special = ["<pad>", "</s>", "<unk>"]
        trainer = trainers.UnigramTrainer(special_tokens=special, unk_token="<unk>", **common)
    return tokenizer, trainer


def work(config):
    """Does the work once. Returns the seconds it took, and the number of tokens that came out."""
    if config["job"] == "train":
        tokenizer, trainer = untrained(config["type"], config["vocabularySize"])
        start = time.perf_counter()
        tokenizer.train([config["file"]], trainer)
        return time.perf_counter() - start, tokenizer.get_vocab_size()
    with open(config["file"], encoding="utf-8", newline="") as file:
        lines = file.read().splitlines(keepends=True)
    tokenizer = Tokenizer.from_file(config["tokenizer"])
    tokens = 0
    start = time.perf_counter()
    for i in range(0, len(lines), BATCH):
        if config["job"] == "file":
            for encoding in tokenizer.encode_batch_fast(lines[i:i + BATCH], add_special_tokens=False):
                tokens += len(encoding.ids)
        else:
            for encoding in tokenizer.encode_batch(lines[i:i + BATCH]):
                tokens += len(encoding.ids) if len(encoding.tokens) == len(encoding.offsets) else 0
    return time.perf_counter() - start, tokens


def answer(value):
    print(json.dumps(value), flush=True)


def main():
    config = json.loads(sys.argv[1])
    answer({"ready": True, "version": tokenizers.__version__, "parameters": 0})
    for line in sys.stdin:
        done = [work(config) for _ in range(json.loads(line)["steps"])]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answer({"seconds": [seconds for seconds, _ in done], "peakRss": peak, "loss": done[-1][1]})


if __name__ == "__main__":
    main()
