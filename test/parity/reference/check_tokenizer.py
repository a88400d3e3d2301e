"""Encodes strings with a directory's tokenizer.json: check_tokenizer.py DIR, a JSON list of strings on standard input.

Prints a JSON list with one object a string: ids, tokens, offsets (in code points) and the text decoded again.
"""

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check_tokenizer.py DIR < strings.json")
    tokenizer = Tokenizer.from_file(str(Path(sys.argv[1]) / "tokenizer.json"))
    found = []
    for text in json.loads(sys.stdin.buffer.read().decode("utf-8")):
        encoding = tokenizer.encode(text)
        found.append({
            "ids": encoding.ids,
            "tokens": encoding.tokens,
            "offsets": encoding.offsets,
            "decoded": tokenizer.decode(encoding.ids),
        })
    print(json.dumps(found))


if __name__ == "__main__":
    main()
