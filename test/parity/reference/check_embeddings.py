"""Embeds texts with sentence-transformers: check_embeddings.py DIR [NEW MODE], a JSON list of texts on standard input.

With NEW and MODE, first saves there the encoder of DIR with another pooling and without normalization, and embeds with
that. Prints a list of vectors.
"""

import json
import sys

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling


def main():
    if len(sys.argv) not in (2, 4):
        sys.exit("usage: check_embeddings.py DIR [NEW MODE] < texts.json")
    texts = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    model = SentenceTransformer(sys.argv[1], device="cpu")
    if len(sys.argv) == 4:
        encoder = model[0]
        pooling = Pooling(encoder.get_embedding_dimension(), sys.argv[3])
        SentenceTransformer(modules=[encoder, pooling], device="cpu").save(sys.argv[2])
        model = SentenceTransformer(sys.argv[2], device="cpu")
    print(json.dumps(model.encode(texts).tolist()))


if __name__ == "__main__":
    main()
