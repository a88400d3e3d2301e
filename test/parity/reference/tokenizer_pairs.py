"""Pairs of texts, truncation, overlapping windows and texts that are split into words, with transformers' fast tokenizers.

Writes tokenizer-pairs.json: two tiny tokenizers, one like BERT's and one like RoBERTa's, and what they make of random
cases. `answer` is also what check_pairs.py prints for tokenizers that Heddle saved.

A case has `kind` (pair, truncate, windows or words) and what that kind needs. The answer is a list of sequences, or
"error" where Python refuses. Offsets count UTF-16 units; None of Python (a token that was added) is null.
"""

import json
import random

from tokenizers import Tokenizer, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from fixture import output_folder, provenance, save_json

SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
ROBERTA_SPECIAL = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>"}
PARTS = ["the", "cat", "weaves", "heddle", "Unaffable", "don't", "caf\u00e9", "3.14", "1", "\u4e2d\u6587", "\u6a21\u578b"]
HARD = ["\U0001f600", "e\u0301", "##x", "\u200b", "\u0007", "a\u00adb", "\u00a0", "...", "[MASK]", "<mask>", "\U0001f469\u200d\U0001f52c"]


def added(token_id, content, **options):
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": token_id, "content": content, **plain, **options}


def bert():
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789.,'!?#")
    pieces = ["the", "we", "##ave", "##s", "he", "##dd", "##le", "un", "##aff", "##able", "cafe", "don"]
    chinese = list("\u4e2d\u6587\u6a21")
    tokens = [*SPECIAL.values(), *letters, *("##" + letter for letter in letters[:36]), *pieces, *chinese]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    special = {token: {"id": token, "ids": [vocabulary[token]], "tokens": [token]} for token in ("[CLS]", "[SEP]")}
    token = lambda name, kind: {"SpecialToken": {"id": name, "type_id": kind}}
    text = lambda name, kind: {"Sequence": {"id": name, "type_id": kind}}
    single = [token("[CLS]", 0), text("A", 0), token("[SEP]", 0)]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added(i, content) for i, content in enumerate(SPECIAL.values())],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": [*single, text("B", 1), token("[SEP]", 1)],
            "special_tokens": special,
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
    }


def roberta(add_prefix_space=False):
    merges = "\u0120 t, h e, \u0120t he, \u0120 c, a t, \u0120c at, \u0120 w, e a, \u0120w ea, d d, he dd, l e, \u00e4 \u00b8"
    merges = [pair.split(" ") for pair in merges.split(", ")]
    tokens = [*ROBERTA_SPECIAL.values(), *sorted(pre_tokenizers.ByteLevel.alphabet()), *("".join(pair) for pair in merges)]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    words = {"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": True, "use_regex": True}
    special = list(ROBERTA_SPECIAL.values())
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added(i, content, lstrip=content == "<mask>") for i, content in enumerate(special)],
        "normalizer": None,
        "pre_tokenizer": words,
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": ["</s>", vocabulary["</s>"]],
            "cls": ["<s>", vocabulary["<s>"]],
            "trim_offsets": True,
            "add_prefix_space": add_prefix_space,
        },
        "decoder": {**words, "add_prefix_space": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": merges,
        },
    }


def opened(tokenizer, special):
    names = {f"{role}_token": token for role, token in special.items()}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(tokenizer)), **names)


def answer(tokenizer, case):
    """What transformers makes of a case."""
    kind = case["kind"]
    options = {"return_offsets_mapping": True, "return_token_type_ids": True}
    if "maxLength" in case:
        strategy = case.get("strategy", "only_second" if case.get("second") is not None else "only_first")
        options |= {"truncation": strategy, "max_length": case["maxLength"]}
    if kind == "windows":
        options |= {"return_overflowing_tokens": True, "stride": case["stride"]}
    tokenizer.truncation_side = case.get("side", "right")
    if kind == "words":
        texts = [case["words"]]
        options |= {"is_split_into_words": True}
    else:
        texts = [[case["first"]]] if case.get("second") is None else [[case["first"]], [case["second"]]]
    try:
        found = tokenizer(*texts if kind != "words" else [texts], **options)
    except BaseException as refusal:
        if isinstance(refusal, (KeyboardInterrupt, SystemExit)):
            raise
        return "error"
    return [sequence(found, i, case) for i in range(len(found["input_ids"]))]


def sequence(found, i, case):
    sequences, words = found.sequence_ids(i), found.word_ids(i)

    def units(place, offset):
        if sequences[place] is None:
            return 0
        text = case["words"][words[place]] if case["kind"] == "words" else case[("first", "second")[sequences[place]]]
        return len(text[:offset].encode("utf-16-le")) // 2

    return {
        "ids": found["input_ids"][i],
        "segments": found["token_type_ids"][i],
        "sequences": sequences,
        "words": words,
        "offsets": [[units(k, end) for end in pair] for k, pair in enumerate(found["offset_mapping"][i])],
    }


def random_text(draw, longest, shortest=0):
    parts = [draw.choice(PARTS if draw.random() < 0.8 else HARD) for _ in range(draw.randint(shortest, longest))]
    return draw.choice([" ", " ", ""]).join(parts)


def random_cases(draw, count):
    """Cases of all kinds; most of those that truncate have to."""
    cases = []
    for i in range(count):
        pair = {"first": random_text(draw, 8), "second": random_text(draw, 8) if draw.random() < 0.8 else None}
        cases.append({"kind": "pair", **pair})
        strategy = ["longest_first", "longest_first", "only_first", "only_second"][i % 4]
        side = draw.choice(["right", "right", "left"])
        if strategy == "only_second" and pair["second"] is None:
            strategy = "only_first"
        cases.append({"kind": "truncate", **pair, "maxLength": draw.randint(4, 30), "strategy": strategy, "side": side})
        question = {"first": random_text(draw, 3), "second": random_text(draw, 24)}
        if i % 5 == 0:
            question = {"first": question["second"], "second": None}
        cases.append({"kind": "windows", **question, "maxLength": draw.randint(12, 32), "stride": draw.randint(0, 6)})
        words = [random_text(draw, 1, int(draw.random() < 0.9)) for _ in range(draw.randint(1, 8))]
        cases.append({"kind": "words", "words": words})
    return cases


def main():
    draw = random.Random(20260731)
    result = {"provenance": provenance(__file__)}
    for name, make, special in (("bert", bert, SPECIAL), ("roberta", roberta, ROBERTA_SPECIAL | {"cls": "<s>", "sep": "</s>"})):
        plain = opened(make(), special)
        # Words get a blank in front only with add_prefix_space, without which texts are encoded.
        prefixed = opened(roberta(True), special) if name == "roberta" else plain
        cases = random_cases(draw, 16)
        # Added tokens inside of words get no blank from add_prefix_space, which texts would have.
        if name == "roberta":
            for case in cases:
                if case["kind"] == "words":
                    case["words"] = [word.replace("<mask>", "mask") for word in case["words"]]
        result[name] = make()
        result[f"{name}Cases"] = [
            {**case, "expected": answer(prefixed if case["kind"] == "words" else plain, case)} for case in cases
        ]
    save_json(output_folder() / "tokenizer-pairs.json", result)


if __name__ == "__main__":
    main()
