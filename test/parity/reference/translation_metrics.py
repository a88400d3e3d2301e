"""Writes translation-metrics.json: what sacreBLEU, rouge-score and NLTK's stemmer make of small corpora."""

import importlib.metadata
import itertools
import random

from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.metrics.bleu import _get_tokenizer
from sacrebleu.tokenizers.tokenizer_ter import TercomTokenizer

from fixture import output_folder, provenance, save_json

generator = random.Random(11)

# A hypothesis and its references.
ENGLISH = [
    ("The cat sat on the mat.", "The cat is sitting on the mat.", "A cat sat on the mat."),
    ("It cost $1,234.56 in 1990-1995, i.e. 3.5% more.", "It cost 1,234.56 dollars in 1990-95, i.e. 3.5 % more.", "In 1990-1995, it cost $1,234.56."),
    ("\"Don't!\" he said; \"it's John's.\"", "'Don't', he said: it is John's.", "He said: \"Don't, it's John's!\""),
    ("the the the the the the the", "the cat is on the mat", "there is a cat on the mat"),
    ("Hello", "Hello", "Goodbye"),
    ("Yes", "No", "Never"),
    ("AT&amp;T &lt;b&gt; &quot;quoted&quot; &amp;lt; <skipped> end", "AT&T <b> \"quoted\" &lt; end", "AT & T"),
    ("a well-\nknown (hi) word... and\nmore - 5-3", "a well-known (hi) word … and more – 5 - 3", "known words"),
    ("On the mat the black cat sat down quietly yesterday", "Yesterday the black cat sat down on the mat quietly", "quietly the cat sat"),
    ("Short.", "This reference is much longer than what was given for it, by far and away.", "Long."),
    ("This hypothesis goes on and on and on although there is next to nothing to say here.", "Silence.", "Nothing to say."),
    ("Trailing   spaces\t and tabs  ", "  Trailing spaces and  tabs", "tabs"),
]
UNICODE = [
    ("Ça coûte déjà 5 €, n’est-ce pas ?", "Cela coûte déjà 5 euros, n'est-ce pas ?", "Ça coûte 5 €."),
    ("Straße, STRASSE und Größe", "STRASSE, Straße und GRÖSSE", "Straße"),
    ("I 😀 love 👩‍👩‍👧 emoji 😀😀!", "I love emoji 😀 👩‍👩‍👧!", "😀"),
    ("ΟΔΥΣΣΕΥΣ και ΟΔΟΣ", "Οδυσσεύς και οδός", "οδος"),
    ("naïve café — “quoted” … ½ №5 ①", "naive cafe - \"quoted\" ... 1/2 No. 5 (1)", "café"),
    ("İstanbul’da yağmur var", "istanbul'da yağmur yok", "İSTANBUL"),
    ("e\u0301te\u0301 \u00a0non\u2003breaking\u200bzero", "été non breaking zero", "ete"),
    ("москва 12.5 кг, т.е. №7", "Москва 12,5 кг т. е. № 7", "Москва"),
    ("𝒳𝒴 math 𐐷 x≠y ≤ 3·4", "𝒳 𝒴 math 𐐷 x ≠ y <= 3·4", "𝒳"),
    ("สวัสดี ครับ 한국어 문장 입니다.", "สวัสดีครับ 한국어 문장입니다.", "한국어"),
]
CHINESE = [
    ("我喜欢在北京大学学习人工智能。", "我喜欢在北京大学学习 AI。", "我爱在北京大学学人工智能。"),
    ("他说：“今天天气很好！”", "他说:「今天天气真好。」", "他讲今天天气好"),
    ("2024年3.5%的增长，共1,073个。", "２０２４年增长了3.5％，共1,073个。", "增长"),
    ("GPU加速的Transformer模型（《论文》）", "用 GPU 加速的 Transformer 模型", "模型"),
    ("你好", "你好", "您好"),
    ("好", "坏", "差"),
    ("𠀀𠀁是扩展区，㐀也是；豈見", "𠀀是扩展区，㐀也是。豈見", "扩展"),
    ("春天来了花开了鸟儿在树上唱歌", "鸟儿在树上唱歌春天来了花开了", "花开"),
    ("——……·～＋（一）、①㈠℃", "-- ... ~ + (一)、1", "一"),
    ("東京タワーはひらがなとカタカナ、ﾊﾝｶｸ。", "東京タワーは平仮名と片仮名です。", "東京"),
    ("哈哈哈哈哈哈", "哈哈哈", "哈"),
    ("\u3000全角　空格 和\x1c控制\x85符\ufeff", "全角空格和控制符", "全角"),
]
EMPTY = [("", "", ""), ("", "not empty", "either"), ("not empty", "", ""), (" ", "\n", " \t"), (".", "", "!"), ("same words", "same words", "")]
LINES = [
    ("The police killed the gunman.\nThe gunman was armed.", "Police killed the gunman.\nHe was armed, they said.", "the gunman"),
    ("a b c d\n\ne f g", "e f c\na b g d\nc c", "a\nb"),
    ("one two two two three\ntwo two", "two\ntwo two\none", "two"),
    ("Studies relating conditional probabilities to happiness", "A study related conditions and the probability of being happy", "happily"),
    ("春天来了\n花开了", "花开了\n春天到来了", "春"),
    ("only one line", "two\nlines", "\nonly one line\n"),
    ("\n\n", "a", "\n"),
]


def words(count, vocabulary):
    return " ".join(generator.choice(vocabulary) for _ in range(count))


def moved(text, moves):
    """A text with runs of words moved and words replaced."""
    parts = text.split()
    for _ in range(moves):
        start, size = generator.randrange(len(parts)), generator.randrange(1, 6)
        run = parts[start:start + size]
        del parts[start:start + size]
        place = generator.randrange(len(parts) + 1)
        parts[place:place] = run
        parts[generator.randrange(len(parts))] = generator.choice("abcxyz")
    return " ".join(parts)


def shifts():
    """Pairs that TER needs shifts for, many of them, over long distances, and of very different lengths."""
    pairs = []
    for length, moves, letters in [(8, 1, 26), (12, 2, 26), (15, 2, 5), (20, 3, 26), (30, 4, 12), (40, 5, 26), (40, 8, 4), (90, 6, 26)]:
        reference = words(length, "abcdefghijklmnopqrstuvwxyz"[:letters])
        pairs.append((moved(reference, moves), reference))
    pairs.append((words(100, "ab"), words(100, "ab")))
    pairs.append((words(3, "ab"), words(200, "abcdef")))
    pairs.append((words(160, "abcdef"), words(2, "ab")))
    pairs.append((words(40, "abc"), words(90, "abc")))
    pairs.append((words(70, "abcdefgh"), words(30, "abcdefgh")))
    first, second = words(12, "abcdef"), words(65, "uvwxyz")
    pairs.append((f"{first} {second}", f"{second} {first}"))
    # These come out differently with shifts of any size, without preferring longer shifts, and without a beam.
    pairs.append(("b b a b b b b b a a b b b b b a", "b b b b a a b b b b b a b a b b"))
    pairs.append(("c a c d", "d c c a"))
    kept = "o x v n r k r s j q r a j d d f x y e q s z l r f w b k l n k o o q b n"
    pairs.append(("z " * 28 + kept.replace("r k r", "r r k r"), kept.replace("k r s", "k r r s") + " y" * 28))
    return pairs


def corpora():
    sets = {"english": ENGLISH, "unicode": UNICODE, "chinese": CHINESE, "empty": EMPTY, "lines": LINES, "shifts": shifts()}
    for name, rows in sets.items():
        yield name, [row[0] for row in rows], [[row[1]] for row in rows]
        if len(rows[0]) > 2:
            yield f"{name}, several references", [row[0] for row in rows], [list(row[1:]) for row in rows]
    rows = ENGLISH[:6]
    yield "numbers of references differ", [row[0] for row in rows], [list(row[1:2 + i % 2]) for i, row in enumerate(rows)]
    yield "equal", [row[1] for row in ENGLISH], [[row[1]] for row in ENGLISH]
    yield "nothing shared", ["a b c d e"], [["v w x y z"]]
    yield "too short", ["a b", "c"], [["a b"], ["c d"]]


# Options by our names, and what sacreBLEU calls them.
NAMES = {
    "smoothMethod": "smooth_method", "smoothValue": "smooth_value", "effectiveOrder": "effective_order",
    "characterOrder": "char_order", "wordOrder": "word_order", "epsilonSmoothing": "eps_smoothing",
    "noPunctuation": "no_punct", "asianSupport": "asian_support", "caseSensitive": "case_sensitive",
}
BLEU_OPTIONS = [
    {},
    *({"tokenize": name} for name in ("intl", "zh", "char", "none")),
    {"lowercase": True},
    {"effectiveOrder": True},
    {"smoothMethod": "none"},
    {"smoothMethod": "floor"},
    {"smoothMethod": "add-k"},
    {"smoothMethod": "floor", "smoothValue": 0.5, "tokenize": "zh", "effectiveOrder": True},
    {"smoothMethod": "add-k", "smoothValue": 0.25, "lowercase": True},
    {"smoothMethod": "none", "effectiveOrder": True, "tokenize": "char"},
]
CHRF_OPTIONS = [
    {},
    {"wordOrder": 2},
    {"lowercase": True, "wordOrder": 1},
    {"whitespace": True},
    {"epsilonSmoothing": True, "wordOrder": 2},
    {"characterOrder": 3, "beta": 1},
    {"characterOrder": 4, "wordOrder": 3, "beta": 3, "whitespace": True, "lowercase": True, "epsilonSmoothing": True},
]
TER_OPTIONS = [
    dict(zip(("normalized", "noPunctuation", "asianSupport", "caseSensitive"), values))
    for values in itertools.product([False, True], repeat=4)
    if not values[2] or values[0] or values[1]
]


def metric(kind, options):
    renamed = {NAMES.get(name, name): value for name, value in options.items()}
    return kind(**renamed, **({"force": True} if kind is BLEU else {}))


def scored(kind, options, hypotheses, references):
    """The corpus' score and signature, and the score of each segment."""
    made = metric(kind, options)
    most = max(map(len, references))
    streams = [[row[i] if i < len(row) else None for row in references] for i in range(most)]
    corpus = made.corpus_score(hypotheses, streams)
    result = {"options": options, "score": corpus.score, "signature": str(made.get_signature())}
    if kind is BLEU and options.get("smoothMethod") != "add-k":
        # add-k writes what it adds into the counts.
        result["counts"], result["totals"] = corpus.counts, corpus.totals
    if kind is BLEU:
        result["precisions"] = corpus.precisions
        result |= {"brevityPenalty": corpus.bp, "hypothesisLength": corpus.sys_len, "referenceLength": corpus.ref_len}
    if kind is TER:
        result |= {"edits": corpus.num_edits, "referenceLength": corpus.ref_length}
    sentences = metric(kind, {"effectiveOrder": True, **options} if kind is BLEU else options)
    result["sentences"] = [sentences.sentence_score(text, row).score for text, row in zip(hypotheses, references)]
    return result


class Characters:
    """The tokenizer that stands in for rouge-score's where every character is a token."""

    def tokenize(self, text):
        return [character for character in text.lower() if not character.isspace()]


ROUGE_OPTIONS = [{}, {"stem": True}, {"tokenize": "characters"}]
KINDS = ["rouge1", "rouge2", "rougeL", "rougeLsum"]


def rouge(options, hypotheses, references):
    tokenizer = Characters() if "tokenize" in options else None
    scorer = RougeScorer(KINDS, use_stemmer=options.get("stem", False), tokenizer=tokenizer)
    found = [scorer.score_multi(row, text) for text, row in zip(hypotheses, references)]
    return {"options": options, "sentences": [{kind: list(map(float, score[kind])) for kind in KINDS} for score in found]}


def corpus_case(name, hypotheses, references):
    case = {"name": name, "hypotheses": hypotheses, "references": references}
    # Options are compared where they matter; elsewhere the defaults are.
    every = name in ("english, several references", "unicode", "chinese", "empty, several references", "too short")
    for key, kind, options in [("bleu", BLEU, BLEU_OPTIONS), ("chrf", CHRF, CHRF_OPTIONS), ("ter", TER, TER_OPTIONS)]:
        chosen = options if every else options[:2]
        case[key] = [scored(kind, option, hypotheses, references) for option in chosen]
    case["rouge"] = [rouge(options, hypotheses, references) for options in ROUGE_OPTIONS]
    return case


def tokenization():
    texts = sorted({text for row in ENGLISH + UNICODE + CHINESE for text in row})
    cutters = {name: _get_tokenizer(name)() for name in ("13a", "intl", "zh", "char", "none")}
    return [
        {
            "text": text,
            "bleu": {name: cut(text).split() for name, cut in cutters.items() if name in ("13a", "intl", "zh")},
            "ter": TercomTokenizer(normalized=True, asian_support=True)(text.rstrip()).split(),
        }
        for text in texts
    ]


STEMMED = """
caresses ponies ties caress cats dies flies lies spies died spied tied feed agreed freed need plastered bled motoring sing
conflated troubled sized hopping tanned falling hissing fizzed failing filing happy sky skies enjoy enjoyment spy cry
relational conditional rational valenci hesitanci digitizer conformabli radicalli differentli vileli analogousli
vietnamization predication operator feudalism decisiveness hopefulness callousness formaliti sensitiviti sensibiliti
triplicate formative formalize electriciti electrical hopeful goodness revival allowance inference airliner gyroscopic
adjustable defensible irritant replacement adjustment dependent adoption homologou communism activate angulariti
homologous effective bowdlerize probate rate cease controll roll dying lying tying news innings inning outings cannings
howe proceed exceed succeed theology archaeology geology apology beautifully usefully fully generally naturally equally
yyyy yyying syzygy by ay toy says boy saying eyed eye employed employer being been bing ring ed ing seeing agreeing rolled
controlling banning missed buzzing matting hating abling iing xed aed 123s 2nd 1990s a1b2ing bus gas this was has us as
oxen box boxes fixing fixed wax waxed bow bowed buying played plays playing university universal universe organization
organizations organizing nationally international internationally relativity activity abilities ability possibly
possibilities nation nations notion motion question questioned questioning adventurous dangerous vision decision
""".split()


def main():
    made = provenance(__file__)
    packages = ("sacrebleu", "rouge-score", "nltk")
    made["versions"] = {
        "python": made["versions"]["python"],
        **{name: importlib.metadata.version(name) for name in packages},
    }
    stemmer = PorterStemmer()
    save_json(output_folder() / "translation-metrics.json", {
        "provenance": made,
        "stems": {word: stemmer.stem(word) for word in STEMMED},
        "tokenization": tokenization(),
        "corpora": [corpus_case(*corpus) for corpus in corpora()],
    })


if __name__ == "__main__":
    main()
