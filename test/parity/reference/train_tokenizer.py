"""Trains tokenizers as Heddle sets them up and encodes with them: train_tokenizer.py, a JSON list on standard input.

Each item has type (bpe, wordpiece or unigram), vocabularySize, files, and encode, a text. With lines false a file is one
sequence, else each of its lines is. Prints a list with the vocabulary, the merges (bpe) and how many tokens the lines of
the text become, without special tokens.
"""

import json
import sys

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers


def untrained(kind, size):
    common = {"vocab_size": size, "show_progress": False}
    if kind == "bpe":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        return tokenizer, trainers.BpeTrainer(special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, **common)
    if kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        return tokenizer, trainers.WordPieceTrainer(special_tokens=special, **common)
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), pre_tokenizers.Split("\n", "isolated")])
    special = ["<pad>", "</s>", "<unk>"]
    return tokenizer, trainers.UnigramTrainer(special_tokens=special, unk_token="<unk>", **common)


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def train(request):
    tokenizer, trainer = untrained(request["type"], request["vocabularySize"])
    if request.get("lines", True):
        tokenizer.train(request["files"], trainer)
    else:
        tokenizer.train_from_iterator(map(read, request["files"]), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    lines = request["encode"].splitlines(keepends=True)
    encodings = tokenizer.encode_batch(lines, add_special_tokens=False)
    return {
        "vocabulary": tokenizer.get_vocab(),
        "merges": model.get("merges", []),
        "tokens": sum(len(encoding.ids) for encoding in encodings),
    }


if __name__ == "__main__":
    print(json.dumps([train(request) for request in json.loads(sys.stdin.buffer.read().decode("utf-8"))]))
