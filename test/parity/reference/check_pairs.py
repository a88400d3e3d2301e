"""Opens tokenizers that Heddle saved and encodes with them: check_pairs.py DIR..., a JSON list of cases on standard input.

A case is one of tokenizer_pairs.py. Prints a list with an object for each directory: the class that AutoTokenizer took,
its special tokens with their ids, the longest input, and the answers. A directory with nothing but a vocab.txt is opened
as BERT's.
"""

import json
import sys
from pathlib import Path

from transformers import AutoTokenizer, BertTokenizer

from tokenizer_pairs import answer


def check(folder, cases):
    alone = [path.name for path in folder.iterdir()] == ["vocab.txt"]
    tokenizer = (BertTokenizer if alone else AutoTokenizer).from_pretrained(folder)
    special = tokenizer.special_tokens_map
    return {
        "class": type(tokenizer).__name__,
        "specialTokens": {name: [token, tokenizer.convert_tokens_to_ids(token)] for name, token in special.items()},
        "modelMaxLength": tokenizer.model_max_length,
        "answers": [answer(tokenizer, case) for case in cases],
    }


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: check_pairs.py DIR... < cases.json")
    cases = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    print(json.dumps([check(Path(folder), cases) for folder in sys.argv[1:]]))


if __name__ == "__main__":
    main()
