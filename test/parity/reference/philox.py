"""Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", §3.3) and the keep masks drawn from it.

Run as a script it writes random.json: blocks, place hashes and masks for the TypeScript generator.
"""

import numpy as np

MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
WEYL = (0x9E3779B9, 0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
SHIFT = np.uint64(32)

# From the known-answer file of the authors' Random123 library: (counter, key, output).
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def philox(counter, key):
    """Ten rounds on counters [N, 4] under one key of two words; returns uint32 [N, 4]."""
    c0, c1, c2, c3 = (np.asarray(counter, dtype=np.uint64).T[i].copy() for i in range(4))
    k0, k1 = key
    for _ in range(10):
        p0, p1 = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (p1 >> SHIFT) ^ c1 ^ np.uint64(k0), p1 & LOW, (p0 >> SHIFT) ^ c3 ^ np.uint64(k1), p0 & LOW
        k0, k1 = (k0 + WEYL[0]) & 0xFFFFFFFF, (k1 + WEYL[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


def fnv1a(text):
    """The 32-bit FNV-1a hash of a string's UTF-8 bytes."""
    value = 0x811C9DC5
    for byte in text.encode("utf-8"):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def half_words(seed, place, step, count):
    """The first `count` 16-bit lanes of the stream of (seed, place, step); each word gives its low half first."""
    if not 0 <= seed < 2**53:
        raise ValueError(f"expected a seed from 0 to 2^53 - 1, got {seed}")
    blocks = np.arange((count + 7) // 8, dtype=np.uint64)
    steps = np.full_like(blocks, step)
    counters = np.stack([blocks & LOW, blocks >> SHIFT, steps & LOW, steps >> SHIFT], axis=1)
    words = philox(counters, (seed & 0xFFFFFFFF, fnv1a(place) ^ (seed >> 32)))
    halves = np.stack([words & np.uint32(0xFFFF), words >> np.uint32(16)], axis=2)
    return halves.reshape(-1)[:count]


def keep_mask(seed, place, step, shape, probability):
    """A row-major boolean mask: an element is kept when its lane is at least round(probability · 65536)."""
    lanes = half_words(seed, place, step, int(np.prod(shape)))
    return (lanes >= int(np.floor(probability * 65536 + 0.5))).reshape(shape)


def check():
    for counter, key, expected in KNOWN_ANSWERS:
        assert tuple(philox([counter], key)[0]) == expected, "Philox misses a published vector"
    assert fnv1a("") == 0x811C9DC5 and fnv1a("a") == 0xE40C292C and fnv1a("foobar") == 0xBF9CF968


check()


def main():
    from fixture import output_folder, provenance, save_json

    draws = [
        {"seed": seed, "place": place, "step": step, "count": 21, "halfWords": half_words(seed, place, step, 21).tolist()}
        for seed, place, step in [
            (0, "", 0),
            (1337, "transformer.drop", 0),
            (1337, "transformer.drop", 1),
            (1337, "transformer.h.0.attn.attn_dropout", 99),
            (2**40 + 12345, "shuffle", 3),
            (4294967295, "Stelle – 位置", 2**32 + 5),
        ]
    ]
    masks = [
        {
            "seed": 1337, "place": place, "step": step, "shape": shape, "probability": probability,
            "kept": keep_mask(1337, place, step, shape, probability).astype(int).reshape(-1).tolist(),
        }
        for place, step, shape, probability in [
            ("transformer.drop", 0, [3, 12, 16], 0.2),
            ("transformer.h.1.mlp.dropout", 7, [5, 7], 0.1),
            ("transformer.h.1.attn.resid_dropout", 42, [5, 5], 0.5),
        ]
    ]
    save_json(output_folder() / "random.json", {
        "provenance": provenance(__file__),
        "philox": [{"counter": list(c), "key": list(k), "words": list(w)} for c, k, w in KNOWN_ANSWERS],
        "fnv1a": [{"text": t, "hash": fnv1a(t)} for t in ["", "a", "foobar", "transformer.drop", "位置"]],
        "draws": draws,
        "masks": masks,
    })


if __name__ == "__main__":
    main()
