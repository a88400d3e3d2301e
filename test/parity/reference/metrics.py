"""Writes metrics.json: what scikit-learn, scipy, seqeval and the scripts of SQuAD and CMRC 2018 make of small cases.

The three scripts are not on PyPI. They are downloaded from GitHub, or read from the folder that HEDDLE_METRIC_SCRIPTS
names, and must have the checksums below.
"""

import functools
import hashlib
import importlib.metadata
import os
import random
import sys
import urllib.request
import warnings
from pathlib import Path

import nltk
import numpy as np
import scipy.stats
import seqeval.metrics
import seqeval.scheme
import sklearn.metrics

from fixture import output_folder, provenance, save_json

SCRIPTS = {
    "squad": (
        "huggingface/evaluate/a7dd338386a4fae9a1767e05eb9ef9479513d9e8/metrics/squad/compute_score.py",
        "squad_compute_score.py",
        "6c27d9393600a8e6c665adb2dc2c966ae7c7a70960064eb032711dc58914956a",
    ),
    "squad2": (
        "huggingface/evaluate/a7dd338386a4fae9a1767e05eb9ef9479513d9e8/metrics/squad_v2/compute_score.py",
        "squad_v2_compute_score.py",
        "a15fd71be3bc594a0a7efba3e070a25e984d75ed3a135663a75bc5c6e4cf57c8",
    ),
    "cmrc": (
        "ymcui/cmrc2018/c0eb1b6ba219847457e6af3180da722bbeb656af/squad-style-data/cmrc2018_evaluate.py",
        "cmrc2018_evaluate.py",
        "56da606758e4d8607c37af6acecfb4811ede6eb10dd54031deb75231324ba783",
    ),
}

# CMRC's script is written for Python 2.
PYTHON3 = [("reload(sys)", ""), ("sys.setdefaultencoding('utf8')", ""), (".decode('utf-8')", ""), ("ur'", "r'")]

generator = random.Random(7)


def script(name):
    """The names that a published script defines."""
    address, file, checksum = SCRIPTS[name]
    folder = os.environ.get("HEDDLE_METRIC_SCRIPTS")
    if folder:
        source = (Path(folder) / file).read_bytes()
    else:
        with urllib.request.urlopen(f"https://raw.githubusercontent.com/{address}") as response:
            source = response.read()
    found = hashlib.sha256(source).hexdigest()
    if found != checksum:
        sys.exit(f"{address}: expected the SHA-256 {checksum}, got {found}")
    text = source.decode("utf-8")
    for old, new in PYTHON3 if name == "cmrc" else []:
        text = text.replace(old, new)
    names = {"__name__": name}
    exec(compile(text, file, "exec"), names)
    return names


def numbers(values):
    """Floats and ints that JSON can hold; null for what is not a number."""
    return [None if np.isnan(value) else float(value) for value in values]


def scores(precision, recall, f1):
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1)}


def supported(rows):
    return [{**scores(p, r, f), "support": int(s)} for p, r, f, s in zip(*rows)]


def averages(function):
    """Micro and macro averages of a function of scikit-learn's or seqeval's kind, and its scores of each label."""
    micro, macro = (function(average=average)[:3] for average in ("micro", "macro"))
    return {
        "micro": scores(*micro),
        "macro": dict(zip(("macroPrecision", "macroRecall", "macroF1"), map(float, np.nan_to_num(macro)))),
        "each": supported(function(average=None)),
    }


def classification():
    cases = [([0, 1, 1, 0, 1, 1, 0, 1], [0, 1, 0, 0, 1, 1, 1, 1], 2), ([1, 1], [0, 0], 2), ([0], [0], 3), ([2, 2, 2], [2, 2, 2], 4)]
    for examples, labels in [(20, 2), (40, 2), (30, 4), (60, 7), (5, 9)]:
        expected = [generator.randrange(labels) for _ in range(examples)]
        predicted = [label if generator.random() < 0.6 else generator.randrange(labels) for label in expected]
        cases.append((expected, predicted, labels))
    return [classification_case(*case) for case in cases]


def classification_case(expected, predicted, labels):
    of_labels = functools.partial(
        sklearn.metrics.precision_recall_fscore_support, expected, predicted, labels=list(range(labels)), zero_division=0
    )
    binary = {"binary": scores(*of_labels(average="binary", labels=None)[:3])} if labels == 2 else {}
    return {
        "expected": expected,
        "predicted": predicted,
        "labels": labels,
        "accuracy": float(sklearn.metrics.accuracy_score(expected, predicted)),
        "matthews": float(sklearn.metrics.matthews_corrcoef(expected, predicted)),
        **averages(of_labels),
        **binary,
    }


def multi_label():
    cases = [([[], []], [[], []], 3), ([[0], [1, 2]], [[], []], 3)]
    for examples, labels in [(12, 3), (25, 6), (4, 10)]:
        expected = [[label for label in range(labels) if generator.random() < 0.4] for _ in range(examples)]
        predicted = [[label for label in range(labels) if (label in row) != (generator.random() < 0.2)] for row in expected]
        cases.append((expected, predicted, labels))
    return [multi_label_case(*case) for case in cases]


def multi_label_case(expected, predicted, labels):
    indicators = [np.array([[int(label in row) for label in range(labels)] for row in rows]) for rows in (expected, predicted)]
    return {
        "expected": expected,
        "predicted": predicted,
        "labels": labels,
        "accuracy": float(sklearn.metrics.accuracy_score(*indicators)),
        **averages(functools.partial(sklearn.metrics.precision_recall_fscore_support, *indicators, zero_division=0)),
    }


def regression():
    normal = functools.partial(generator.gauss, 0, 1)
    noisy = [normal() for _ in range(25)]
    halves = [generator.randrange(11) / 2 for _ in range(30)]
    cases = [
        ([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]),
        ([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]),
        ([1.0, 2.0], [0.3, 0.1]),
        ([2.0, 2.0, 2.0], [1.0, 5.0, 3.0]),
        ([0.1, 0.1, 0.1], [1.0, 2.0, 4.0]),
        (noisy, [value + 0.5 * normal() for value in noisy]),
        (halves, [value + generator.choice([0, 0, 0.5, -0.5, 1]) for value in halves]),
        ([value * 1e-170 for value in noisy], [normal() for _ in noisy]),
    ]
    return [
        {
            "expected": expected,
            "predicted": predicted,
            "meanSquaredError": numbers([sklearn.metrics.mean_squared_error(expected, predicted)])[0],
            "pearson": numbers([scipy.stats.pearsonr(expected, predicted).statistic])[0],
            "spearman": numbers([scipy.stats.spearmanr(expected, predicted).statistic])[0],
        }
        for expected, predicted in cases
    ]


SCHEMES = {"BIO": "IOB2", "BIOES": "IOBES", "BMES": "IOBES", "BILOU": "BILOU"}
LETTERS = {"BIO": "BI", "BIOES": "BIES", "BMES": "BMES", "BILOU": "BILU"}


def entities():
    """Random tags, most of them breaking the rules of their scheme, and some that follow them."""
    alone = (["B", "I", "O", "I", "I"], ["B", "I", "O", "B", "I"])
    cases = [("BIO", [["O", "O"]], [["O", "O"]]), ("BIO", [["B-LOC"]], [["O"]]), ("BIO", [alone[0]], [alone[1]]), ("BIO", [[], ["O"]], [[], ["I-X"]])]
    cases.append(("BIO", [["B-地名", "I-地名", "O"]], [["B-地名", "I-人名", "O"]]))
    cases.append(("BIO", [["B-A-B", "I-A-B", "I-A"]], [["B-A-B", "I-A-B", "O"]]))
    for scheme, letters in LETTERS.items():
        for types in (["LOC"], ["LOC", "PER"], ["LOC", "PER", "ORG"]):
            expected = [legal_tags(scheme, types, generator.randrange(1, 14)) for _ in range(4)]
            cases.append((scheme, expected, [disturbed(tags, letters, types, 0.25) for tags in expected]))
            anything = [disturbed(["O"] * generator.randrange(0, 12), letters, types, 0.9) for _ in range(5)]
            cases.append((scheme, anything, [disturbed(tags, letters, types, 0.2) for tags in anything]))
    return [entities_case(*case) for case in cases]


def legal_tags(scheme, types, length):
    begin, inside, end, single = {"BIO": "BIIB", "BIOES": "BIES", "BMES": "BMES", "BILOU": "BILU"}[scheme]
    tags = []
    while len(tags) < length:
        size, type = generator.randrange(0, 5), generator.choice(types)
        letters = ["O", single, begin + end][size] if size < 3 else begin + inside * (size - 2) + end
        tags += [letter if letter == "O" else f"{letter}-{type}" for letter in letters]
    return tags


def disturbed(tags, letters, types, share):
    choices = ["O"] + [f"{letter}-{type}" for letter in letters for type in types]
    return [generator.choice(choices) if generator.random() < share else tag for tag in tags]


def entities_case(scheme, expected, predicted):
    # seqeval does not know M, and without a strict scheme neither L nor U.
    loose = [[[respelled(tag, "MLU", "IES") for tag in tags] for tags in side] for side in (expected, predicted)]
    strict = [[[respelled(tag, "M", "I") for tag in tags] for tags in side] for side in (expected, predicted)]
    tokens = sum(map(len, expected))
    return {
        "scheme": scheme,
        "expected": expected,
        "predicted": predicted,
        "accuracy": seqeval.metrics.accuracy_score(expected, predicted) if tokens else 0,
        "loose": entity_averages(seqeval.metrics.sequence_labeling.precision_recall_fscore_support, loose),
        "strict": entity_averages(seqeval.metrics.v1.precision_recall_fscore_support, strict, scheme),
        "looseEntities": [
            [[type, start, end + 1] for type, start, end in seqeval.metrics.sequence_labeling.get_entities(tags)]
            for tags in loose[1]
        ],
        "strictEntities": [
            [[entity.tag, entity.start, entity.end] for entity in found]
            for found in seqeval.scheme.Entities(strict[1], getattr(seqeval.scheme, SCHEMES[scheme])).entities
        ],
    }


def respelled(tag, old, new):
    return tag[0].translate(str.maketrans(old, new)) + tag[1:]


def entity_averages(function, sides, scheme=None):
    options = {"scheme": getattr(seqeval.scheme, SCHEMES[scheme])} if scheme else {}
    if scheme:
        names = seqeval.metrics.v1.unique_labels(*sides, options["scheme"])
    else:
        found = [seqeval.metrics.sequence_labeling.get_entities(side) for side in sides]
        names = sorted({type for side in found for type, _, _ in side})
    result = averages(functools.partial(function, *sides, zero_division=0, **options))
    return {**result, "types": names}


TEXTS = [
    "", " ", "the", "The  the", "a", "Broncos", "the Broncos!", "Denver Broncos", "denver broncos' defence", "an A-team", "AN a-team.",
    "ça va", "naïve ça a été", "the\u00a0end", "the\u2009end\x1f", "\ufeffthe end", "İstanbul", "ΟΔΥΣΣΕΥΣ", "ﬁne", "ß and SS",
    "3.14", "$1,000", "“quoted” text", "„so‟", "—", "…", "state-of-the-art", "theatre a", "x a\u0301 y", "中文 the 答案", "答案", "a₂ the²",
    "10 %", "the the the", "one two two three", "two two one", "_a_ the_", "1990s", "the 1990s",
]


def normalization(squad, squad2):
    texts = sorted({*TEXTS, *(random_text() for _ in range(30))})
    assert all(squad["normalize_answer"](text) == squad2["normalize_answer"](text) for text in texts)
    return [{"text": text, "normalized": squad["normalize_answer"](text)} for text in texts]


def random_text():
    parts = TEXTS + ["big", "red", "cat", "the", "a", ",", "'s", "。", "\t"]
    return generator.choice(["", " "]).join(generator.choice(parts) for _ in range(generator.randrange(1, 6)))


def questions(texts, answers_per_question):
    found = []
    for _ in range(25):
        answers = [generator.choice(texts) for _ in range(answers_per_question())]
        predicted = generator.choice(answers) if answers and generator.random() < 0.3 else generator.choice(texts)
        found.append({"predicted": predicted, "answers": answers})
    return found


def squad_cases(squad):
    """Every question is also a case of its own."""
    sets = [questions(TEXTS, lambda: generator.randrange(1, 4)), questions([random_text() for _ in range(12)], lambda: 2)]
    sets.append([{"predicted": "", "answers": ["the"]}, {"predicted": "a", "answers": ["!", "cat"]}])
    cases = []
    for case in sets + [[question] for question in sets[0]]:
        dataset = [{"paragraphs": [{"qas": [
            {"id": str(i), "answers": [{"text": text} for text in question["answers"]]} for i, question in enumerate(case)
        ]}]}]
        found = squad["compute_score"](dataset, {str(i): question["predicted"] for i, question in enumerate(case)})
        cases.append({"questions": case, "exactMatch": found["exact_match"] / 100, "f1": found["f1"] / 100})
    return cases


def squad2_cases(squad2):
    sets = [questions(["", *TEXTS], lambda: generator.choice([0, 0, 1, 3])) for _ in range(3)]
    sets += [questions(TEXTS, lambda: 0)[:4], questions(TEXTS, lambda: 1)[:6]]
    sets.append([{"predicted": "", "answers": ["the", "!"]}, {"predicted": "the", "answers": []}])
    # Punctuation alone is a prediction when thresholds are searched, and none when it is compared.
    sets.append([
        {"predicted": "!", "answers": [], "noAnswerProbability": 0.0},
        {"predicted": "cat", "answers": ["cat"], "noAnswerProbability": 0.5},
    ])
    cases = []
    for case in sets:
        for question in case:
            # Few different values: the order of equal ones counts as well.
            question.setdefault("noAnswerProbability", generator.randrange(9) / 8)
        cases += [squad2_case(squad2, case, threshold) for threshold in (1.0, 0.5)]
    return cases


def squad2_case(squad2, case, threshold):
    ids = [str(i) for i in range(len(case))]
    dataset = [{"paragraphs": [{"qas": [{"id": id, "answers": {"text": q["answers"]}} for id, q in zip(ids, case)]}]}]
    predictions = {id: question["predicted"] for id, question in zip(ids, case)}
    no_answer = {id: question["noAnswerProbability"] for id, question in zip(ids, case)}
    answerable = squad2["make_qid_to_has_ans"](dataset)
    raw = squad2["get_raw_scores"](dataset, predictions)
    exact, f1 = (squad2["apply_no_ans_threshold"](part, no_answer, answerable, threshold) for part in raw)
    found = squad2["make_eval_dict"](exact, f1)
    for name, wanted in [("hasAnswer", True), ("noAnswer", False)]:
        part = [id for id in ids if answerable[id] == wanted]
        if part:
            squad2["merge_eval"](found, squad2["make_eval_dict"](exact, f1, qid_list=part), name)
    squad2["find_all_best_thresh"](found, predictions, *raw, no_answer, answerable)
    expected = {"exactMatch": found["exact"] / 100, "f1": found["f1"] / 100}
    for name in ("hasAnswer", "noAnswer"):
        if f"{name}_total" in found:
            expected[f"{name}ExactMatch"] = found[f"{name}_exact"] / 100
            expected[f"{name}F1"] = found[f"{name}_f1"] / 100
            expected[f"{name}Total"] = found[f"{name}_total"]
    return {
        "questions": case,
        "threshold": threshold,
        "expected": expected,
        "best": {
            "exactMatch": {"threshold": found["best_exact_thresh"], "score": found["best_exact"] / 100},
            "f1": {"threshold": found["best_f1_thresh"], "score": found["best_f1"] / 100},
        },
    }


CHINESE = [
    "", "。", "《》", "北京大学", "北京 大学", "在北京大学。", "《北京大学》", "北京大学（PKU）", "peking University", "Peking university, Beijing",
    "约2.8公里", "2.8公里", "1,073个坐席", "28至32℃（82至90°F）", "Henry A. Walsh", "A. Walsh", "can't stop 不停", "cannot", "it's", "'tis 真的",
    "“引号”与‘单引号’", "\"quoted\" 文字", "他说:\"hello, world.\"", "……", "—— 破折号", "S.G. Tallentyre", "C++", "a-b_c", "\u3000全角　空格 ", "Ｆｕｌｌ", "㐀𠀀扩展",
    "鿿龥", "50％以上", "10%", "第一；第二：第三", "第一第二", "dogs' 狗", "U.S.A.", "等等...", "什么?!", "[注1](甲)", "1990年—1995年", "1990年至1995年",
    "n't", "we'll 去", "日本語のテキスト", "가나 다라", "wanna 走", "gonna", "\x1c控制\x85符", "\ufeff零宽",
]


def segmentation(cmrc):
    texts = sorted({*CHINESE, *("".join(generator.choice(CHINESE) for _ in range(3)) for _ in range(25))})
    return [
        {"text": text, "segments": cmrc["mixed_segmentation"](text, rm_punc=True), "normalized": cmrc["remove_punctuation"](text)}
        for text in texts
    ]


def cmrc_cases(cmrc):
    near = [text + suffix for text in CHINESE[3:24] for suffix in ("", "。", "附近")]
    sets = [questions(CHINESE, lambda: 3), questions(near, lambda: generator.randrange(1, 4))]
    cases = []
    for case in sets + [[question] for question in sets[1]]:
        dataset = {"data": [{"paragraphs": [{"qas": [
            {"id": str(i), "question": "", "answers": [{"text": text} for text in question["answers"]]}
            for i, question in enumerate(case)
        ]}]}]}
        f1, exact, total, skipped = cmrc["evaluate"](dataset, {str(i): question["predicted"] for i, question in enumerate(case)})
        assert (total, skipped) == (len(case), 0)
        cases.append({"questions": case, "exactMatch": exact / 100, "f1": f1 / 100})
    return cases


def main():
    warnings.simplefilter("ignore")
    squad, squad2, cmrc = map(script, SCRIPTS)
    # Cutting the text into sentences before would need a trained model.
    nltk.word_tokenize = functools.partial(nltk.word_tokenize, preserve_line=True)
    made = provenance(__file__)
    packages = ("numpy", "scikit-learn", "scipy", "seqeval", "nltk")
    made["versions"] = {
        "python": made["versions"]["python"],
        **{name: importlib.metadata.version(name) for name in packages},
        **{name: address for name, (address, _, _) in SCRIPTS.items()},
    }
    save_json(output_folder() / "metrics.json", {
        "provenance": made,
        "classification": classification(),
        "multiLabel": multi_label(),
        "regression": regression(),
        "entities": entities(),
        "normalization": normalization(squad, squad2),
        "squad": squad_cases(squad),
        "squad2": squad2_cases(squad2),
        "segmentation": segmentation(cmrc),
        "cmrc": cmrc_cases(cmrc),
    })


if __name__ == "__main__":
    main()
