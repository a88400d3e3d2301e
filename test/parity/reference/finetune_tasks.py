"""The tasks of finetune.py: how each reads its files, what a model is trained on, and how predictions are scored.

A task has `examples` (dictionaries with `input_ids`, `token_type_ids` and what is to be learned, for training),
`evaluation` (the same without targets), `model(folder)`, `loss(outputs, targets)` and `score(logits)` where `logits`
holds the model's output, without padding, for each element of `evaluation`.
"""

import json
import re
import string
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import torch
from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score
from seqeval.scheme import IOB2
from torch.nn.functional import cross_entropy
from transformers import (
    AutoModelForQuestionAnswering, AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer)

IGNORED = -100


def load_tokenizer(folder):
    """The checkpoint's tokenizer without the truncation and padding to 128 tokens that its file asks for."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer


class Sentiment:
    """Stanford Sentiment Treebank with two labels: sentences, scored by accuracy."""

    MAXIMUM = 128
    FILES = {"train": "train.tsv", "dev": "dev.tsv", "test": "test.tsv"}

    def __init__(self, data, folder, split):
        tokenizer = load_tokenizer(folder)
        self.examples, self.evaluation = (self.read(data, tokenizer, part) for part in ("train", split))
        self.expected = np.array([example["labels"] for example in self.evaluation])

    def read(self, data, tokenizer, part):
        lines = (Path(data) / "classification/sst2" / self.FILES[part]).read_text(encoding="utf-8").splitlines()
        rows = [line.split("\t") for line in lines]
        encoded = tokenizer([text for text, _ in rows], truncation=True, max_length=self.MAXIMUM)
        return [
            {"input_ids": ids, "token_type_ids": types, "labels": int(label)}
            for ids, types, (_, label) in zip(encoded["input_ids"], encoded["token_type_ids"], rows)]

    def model(self, folder):
        return AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, attn_implementation="sdpa")

    def loss(self, outputs, targets):
        return cross_entropy(outputs.logits, targets["labels"])

    def logits(self, outputs, lengths):
        return list(outputs.logits.numpy())

    def score(self, logits):
        return {"accuracy": float((np.stack(logits).argmax(-1) == self.expected).mean())}


class Entities:
    """WNUT 2017's emerging entities: words with IOB2 labels, scored by F1 of exactly found entities.

    A word's label is learned and predicted at its first token. A word without tokens (the tokenizer drops some
    characters), or one that is cut off, is predicted to be outside of entities.
    """

    MAXIMUM = 128
    FILES = {"train": "wnut17train.conll", "dev": "emerging.dev.conll", "test": "emerging.test.annotated"}

    def __init__(self, data, folder, split):
        tokenizer = load_tokenizer(folder)
        train, held_out = (self.sentences(Path(data) / "ner/wnut17" / self.FILES[part]) for part in ("train", split))
        self.labels = sorted({label for _, labels in train for label in labels}, key=lambda label: (label != "O", label))
        self.expected = [labels for _, labels in held_out]
        self.examples, self.evaluation = (self.encode(tokenizer, part) for part in (train, held_out))

    @staticmethod
    def sentences(path):
        """Pairs of words and labels; a line without a word (some hold a tab) ends a sentence."""
        found, words, labels = [], [], []
        for line in [*path.read_text(encoding="utf-8").split("\n"), ""]:
            if line.strip():
                word, label = line.split("\t")
                words.append(word)
                labels.append(label)
            elif words:
                found.append((words, labels))
                words, labels = [], []
        return found

    def encode(self, tokenizer, sentences):
        encoded = tokenizer(
            [words for words, _ in sentences], is_split_into_words=True, truncation=True, max_length=self.MAXIMUM)
        examples = []
        for i, (_, labels) in enumerate(sentences):
            targets, starts, previous = [], {}, None
            for position, word in enumerate(encoded.word_ids(i)):
                first = word is not None and word != previous
                targets.append(self.labels.index(labels[word]) if first else IGNORED)
                if first:
                    starts[word] = position
                previous = word
            examples.append({
                "input_ids": encoded["input_ids"][i], "token_type_ids": encoded["token_type_ids"][i],
                "labels": targets, "starts": starts})
        return examples

    def model(self, folder):
        names = dict(enumerate(self.labels))
        return AutoModelForTokenClassification.from_pretrained(
            folder, id2label=names, label2id={name: i for i, name in names.items()}, attn_implementation="sdpa")

    def loss(self, outputs, targets):
        return cross_entropy(outputs.logits.flatten(0, 1), targets["labels"].flatten(), ignore_index=IGNORED)

    def logits(self, outputs, lengths):
        return [row[:length].numpy() for row, length in zip(outputs.logits, lengths)]

    def score(self, logits):
        predicted = []
        for example, scores, labels in zip(self.evaluation, logits, self.expected):
            best = scores.argmax(-1)
            starts = example["starts"]
            predicted.append([self.labels[best[starts[i]]] if i in starts else "O" for i in range(len(labels))])
        strict = {"mode": "strict", "scheme": IOB2, "average": "micro", "zero_division": 0}
        return {
            "f1": float(f1_score(self.expected, predicted, **strict)),
            "precision": float(precision_score(self.expected, predicted, **strict)),
            "recall": float(recall_score(self.expected, predicted, **strict)),
            "tokenAccuracy": float(accuracy_score(self.expected, predicted)),
            "wordsWithoutPrediction": sum(
                len(labels) - len(example["starts"]) for example, labels in zip(self.evaluation, self.expected)),
        }


class Answers:
    """XQuAD's English questions: the answer is a span of a paragraph, scored by SQuAD 1.1's exact match and F1.

    A paragraph that is too long is read in windows; a window without the answer is to point at [CLS].
    """

    MAXIMUM, OVERLAP, BEST, ANSWER = 384, 128, 20, 30

    def __init__(self, data, folder, split):
        tokenizer = load_tokenizer(folder)
        articles = json.loads((Path(data) / "qa/xquad/xquad.en.json").read_text(encoding="utf-8"))["data"]
        train = articles[: len(articles) * 8 // 10]
        held_out = articles[len(train):]
        if split == "dev":  # settings are chosen on articles that are not the test's
            train, held_out = train[: len(train) * 8 // 10], train[len(train) * 8 // 10:]
        self.questions = self.read(held_out)
        self.examples, self.evaluation = (self.encode(tokenizer, part) for part in (self.read(train), self.questions))

    @staticmethod
    def read(articles):
        paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
        return [
            {"question": each["question"].strip(), "context": paragraph["context"], "answers": each["answers"]}
            for paragraph in paragraphs for each in paragraph["qas"]]

    def encode(self, tokenizer, questions):
        encoded = tokenizer(
            [each["question"] for each in questions], [each["context"] for each in questions],
            truncation="only_second", max_length=self.MAXIMUM, stride=self.OVERLAP,
            return_overflowing_tokens=True, return_offsets_mapping=True)
        examples = []
        for i, question in enumerate(encoded["overflow_to_sample_mapping"]):
            # Characters of the paragraph that each of its tokens covers; None for the question and special tokens.
            spans = [
                span if sequence == 1 else None
                for span, sequence in zip(encoded["offset_mapping"][i], encoded.sequence_ids(i))]
            start, end = self.positions(spans, questions[question]["answers"][0])
            examples.append({
                "input_ids": encoded["input_ids"][i], "token_type_ids": encoded["token_type_ids"][i],
                "start": start, "end": end, "spans": spans, "question": question})
        return examples

    @staticmethod
    def positions(spans, answer):
        """First and last token of the answer, or [CLS] twice where the window does not hold all of it."""
        start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
        tokens = [i for i, span in enumerate(spans) if span is not None]
        if spans[tokens[0]][0] > start or spans[tokens[-1]][1] < end:
            return 0, 0
        return (
            next(i for i in tokens if spans[i][1] > start), next(i for i in reversed(tokens) if spans[i][0] < end))

    def model(self, folder):
        return AutoModelForQuestionAnswering.from_pretrained(folder, attn_implementation="sdpa")

    def loss(self, outputs, targets):
        return (cross_entropy(outputs.start_logits, targets["start"])
                + cross_entropy(outputs.end_logits, targets["end"])) / 2

    def logits(self, outputs, lengths):
        return [
            (start[:length].numpy(), end[:length].numpy())
            for start, end, length in zip(outputs.start_logits, outputs.end_logits, lengths)]

    def score(self, logits):
        best = defaultdict(lambda: (-np.inf, ""))
        for window, (start, end) in zip(self.evaluation, logits):
            context = self.questions[window["question"]]["context"]
            found = self.best_span(window["spans"], start, end)
            if found and found[0] > best[window["question"]][0]:
                best[window["question"]] = (found[0], context[found[1]: found[2]])
        f1, exact = [], []
        for i, question in enumerate(self.questions):
            wanted = [answer["text"] for answer in question["answers"]]
            f1.append(max(word_f1(best[i][1], text) for text in wanted))
            exact.append(max(normalized(best[i][1]) == normalized(text) for text in wanted))
        return {"f1": float(np.mean(f1)), "exactMatch": float(np.mean(exact))}

    def best_span(self, spans, start, end):
        """(score, first character, character after the last) of the best pair of a window's best starts and ends."""
        best = None
        for i in np.argsort(-start, kind="stable")[: self.BEST]:
            for j in np.argsort(-end, kind="stable")[: self.BEST]:
                if spans[i] is None or spans[j] is None or not i <= j < i + self.ANSWER:
                    continue
                score = float(start[i] + end[j])
                if best is None or score > best[0]:
                    best = (score, spans[i][0], spans[j][1])
        return best


def normalized(text):
    """Text as SQuAD 1.1 compares it: lower case, without punctuation and articles, single spaces."""
    text = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def word_f1(predicted, wanted):
    """SQuAD 1.1's F1 of the words that two texts share."""
    left, right = normalized(predicted).split(), normalized(wanted).split()
    shared = sum((Counter(left) & Counter(right)).values())
    return 2 * shared / (len(left) + len(right)) if shared else 0.0


TASKS = {"sst2": Sentiment, "wnut17": Entities, "xquad": Answers}


def collate(examples, padding):
    """A padded batch: the model's inputs, and targets by name (a list is padded with IGNORED)."""
    length = max(len(example["input_ids"]) for example in examples)

    def padded(rows, value):
        return torch.tensor([row + [value] * (length - len(row)) for row in rows])

    ids = [example["input_ids"] for example in examples]
    inputs = {
        "input_ids": padded(ids, padding),
        "token_type_ids": padded([example["token_type_ids"] for example in examples], 0),
        "attention_mask": padded([[1] * len(row) for row in ids], 0),
    }
    targets = {}
    for name in ("labels", "start", "end"):
        if name in examples[0]:
            values = [example[name] for example in examples]
            targets[name] = padded(values, IGNORED) if isinstance(values[0], list) else torch.tensor(values)
    return inputs, targets
