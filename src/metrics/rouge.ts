import { UsageError } from '../errors.js'
import { referenceLists, type SegmentReferences } from './corpus.js'
import { mean, type PrecisionRecallF1, ratio } from './counts.js'
import { countNgrams, ngramTotal, takeNgrams, wordUnits } from './ngrams.js'
import { porterStem } from './porter-stemmer.js'
import { splitWhitespace } from './python-text.js'

/**
 * How {@link sentenceRouge} cuts text into tokens, in lower case:
 *
 * - `words`: runs of the letters a–z and digits, all else is dropped, as rouge-score does; for English
 * - `characters`: every character but whitespace, punctuation included; for Chinese, of which `words` leaves nothing
 */
export type RougeTokenizer = 'words' | 'characters'

/** How {@link sentenceRouge} and {@link corpusRouge} count; the defaults are rouge-score's. */
export interface RougeOptions {
  /** Default `words`. */
  readonly tokenize?: RougeTokenizer
  /** Whether words of more than three letters are compared by their {@link porterStem} (default false). */
  readonly stem?: boolean
}

/** ROUGE by what is compared; all between 0 and 1. */
export interface RougeScores {
  /** Tokens. */
  readonly rouge1: PrecisionRecallF1
  /** Pairs of tokens that follow each other. */
  readonly rouge2: PrecisionRecallF1
  /** The longest common subsequence. */
  readonly rougeL: PrecisionRecallF1
  /** Of texts with a sentence on every line: for each the union of its longest common subsequences with all others. */
  readonly rougeLsum: PrecisionRecallF1
}

/** A text as tokens, all at once and by line. */
interface Tokens {
  readonly all: readonly string[]
  readonly lines: readonly (readonly string[])[]
}

/**
 * ROUGE-1, -2, -L and -Lsum of a text (Lin 2004), equal to those of Python's rouge-score 0.1.2: precision, recall and F1
 * of what hypothesis and reference share.
 *
 * Of several references each score takes the one with the largest F1. Published scores for Chinese come from rouge-score
 * or its relatives with spaces put between all characters, which is what `characters` computes.
 *
 * @throws UsageError for a tokenizer that does not exist; DataError where there is no reference
 */
export function sentenceRouge(
  hypothesis: string,
  references: SegmentReferences,
  options: RougeOptions = {},
): RougeScores {
  checkTokenizer(options.tokenize)
  const [texts] = referenceLists('ROUGE', [hypothesis], [references])
  const found = tokensOf(hypothesis, options)
  const scores = texts.map((text) => compare(found, tokensOf(text, options)))
  return combine((of) => scores.map(of).reduce((best, score) => (score.f1 > best.f1 ? score : best)))
}

/**
 * The means of {@link sentenceRouge} over texts, precision, recall and F1 each.
 *
 * @param hypotheses the texts to score
 * @param references what each is compared with, one or several texts
 * @throws UsageError where the numbers of texts differ and for a tokenizer that does not exist; DataError for no texts
 * at all and for one without a reference
 */
export function corpusRouge(
  hypotheses: readonly string[],
  references: readonly SegmentReferences[],
  options: RougeOptions = {},
): RougeScores {
  const lists = referenceLists('ROUGE', hypotheses, references)
  const scores = hypotheses.map((hypothesis, i) => sentenceRouge(hypothesis, lists[i], options))
  return combine((of) => {
    const each = scores.map(of)
    return {
      precision: mean(each.map(({ precision }) => precision)),
      recall: mean(each.map(({ recall }) => recall)),
      f1: mean(each.map(({ f1 }) => f1)),
    }
  })
}

/** Scores of every kind, each made from those of its kind. */
function combine(make: (of: (scores: RougeScores) => PrecisionRecallF1) => PrecisionRecallF1): RougeScores {
  return {
    rouge1: make(({ rouge1 }) => rouge1),
    rouge2: make(({ rouge2 }) => rouge2),
    rougeL: make(({ rougeL }) => rougeL),
    rougeLsum: make(({ rougeLsum }) => rougeLsum),
  }
}

const tokenizers: Readonly<Record<RougeTokenizer, (text: string) => string[]>> = {
  words: (text) => text.match(/[a-z0-9]+/g) ?? [],
  characters: (text) => [...splitWhitespace(text).join('')],
}

function checkTokenizer(name: string = 'words'): void {
  if (Object.hasOwn(tokenizers, name)) return
  throw new UsageError(`ROUGE: expected tokenize to be one of ${Object.keys(tokenizers).join(', ')}, got ${name}`)
}

function tokensOf(text: string, { tokenize = 'words', stem = false }: RougeOptions): Tokens {
  const lines = text.split('\n').filter((line) => line !== '')
  const tokens = lines.map((line) => {
    const words = tokenizers[tokenize](line.toLowerCase())
    return stem ? words.map((word) => (word.length > 3 ? porterStem(word) : word)) : words
  })
  return { all: tokens.flat(), lines: tokens }
}

function compare(hypothesis: Tokens, reference: Tokens): RougeScores {
  const [found, wanted] = [wordUnits(hypothesis.all), wordUnits(reference.all)]
  const counts = countNgrams(wanted, 2)
  const ofOrder = (order: number) =>
    scoreOf(takeNgrams(counts, found, order), ngramTotal(found, order), ngramTotal(wanted, order))
  const ofSubsequence = (shared: number) => scoreOf(shared, found.length, wanted.length)
  const rougeL = ofSubsequence(longestCommon(reference.all, hypothesis.all).length)
  const single = hypothesis.lines.length < 2 && reference.lines.length < 2
  return {
    rouge1: ofOrder(1),
    rouge2: ofOrder(2),
    rougeL,
    rougeLsum: single ? rougeL : ofSubsequence(unionSize(hypothesis, reference)),
  }
}

function scoreOf(shared: number, found: number, wanted: number): PrecisionRecallF1 {
  const [precision, recall] = [ratio(shared, found), ratio(shared, wanted)]
  return { precision, recall, f1: ratio(2 * precision * recall, precision + recall) }
}

/** The positions in the reference of its longest common subsequence with a hypothesis, of several the one of rouge-score. */
function longestCommon(reference: readonly string[], hypothesis: readonly string[]): number[] {
  const columns = hypothesis.length + 1
  // lengths[i * columns + j] is that of the first i and the first j tokens.
  const lengths = new Uint32Array((reference.length + 1) * columns)
  for (let i = 1; i <= reference.length; i++) {
    for (let j = 1; j < columns; j++) {
      const cell = i * columns + j
      lengths[cell] =
        reference[i - 1] === hypothesis[j - 1]
          ? lengths[cell - columns - 1] + 1
          : Math.max(lengths[cell - columns], lengths[cell - 1])
    }
  }
  const places: number[] = []
  let [i, j] = [reference.length, hypothesis.length]
  while (i > 0 && j > 0) {
    const cell = i * columns + j
    if (reference[i - 1] === hypothesis[j - 1]) {
      places.push(--i)
      j--
    } else if (lengths[cell - 1] > lengths[cell - columns]) j--
    else i--
  }
  return places
}

/**
 * How many tokens of the reference are in the unions of its lines' longest common subsequences with those of the
 * hypothesis (Lin 2004, §3.2), each token at most as often as the hypothesis has it.
 */
function unionSize(hypothesis: Tokens, reference: Tokens): number {
  const left = new Map<string, number>()
  for (const token of hypothesis.all) left.set(token, (left.get(token) ?? 0) + 1)
  let size = 0
  for (const line of reference.lines) {
    const union = new Set(hypothesis.lines.flatMap((other) => longestCommon(line, other)))
    for (const place of union) {
      const count = left.get(line[place]) ?? 0
      if (count === 0) continue
      left.set(line[place], count - 1)
      size++
    }
  }
  return size
}
