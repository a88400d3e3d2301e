import { UsageError } from '../errors.js'
import { type BleuTokenizer, bleuTokens, checkBleuTokenizer } from './bleu-tokenizers.js'
import { referenceLists, type SegmentReferences, scoreSignature } from './corpus.js'
import { sum } from './counts.js'
import { countNgrams, ngramTotal, takeNgrams, type Units, wordUnits } from './ngrams.js'
import { trimEnd } from './python-text.js'

/** N-grams of 1 to this many words are compared. */
const largestOrder = 4

/** What `floor` puts in place of no match and `add-k` adds, where no value is given. */
const smoothDefaults = { none: undefined, floor: 0.1, 'add-k': 1, exp: undefined } as const

/**
 * What BLEU does about n-grams without a match (Chen & Cherry 2014):
 *
 * - `none`: nothing, the score is 0
 * - `floor`: counts `smoothValue` matches instead of none
 * - `add-k`: adds `smoothValue` to matches and totals of two words and more
 * - `exp`: counts ½ match, for the next order without any ¼, and so on
 */
export type BleuSmoothing = keyof typeof smoothDefaults

/** How {@link corpusBleu} and {@link sentenceBleu} count; the defaults are sacreBLEU's. */
export interface BleuOptions {
  /** How text is cut into tokens (default `13a`; for Chinese `zh`, see {@link bleuTokenizerFor}). */
  readonly tokenize?: BleuTokenizer
  /** Whether upper and lower case are the same (default false). */
  readonly lowercase?: boolean
  /** Default `exp`. */
  readonly smoothMethod?: BleuSmoothing
  /** The value of `floor` (default 0.1) and of `add-k` (default 1). */
  readonly smoothValue?: number
  /** Whether to leave out the orders of which the hypotheses have no n-grams (default false, for sentences true). */
  readonly effectiveOrder?: boolean
}

/** A BLEU score and what it is made of. */
export interface BleuScore {
  /** Between 0 and 100. */
  readonly score: number
  /** The share of n-grams of 1 to 4 tokens with a match, after smoothing, between 0 and 100. */
  readonly precisions: readonly number[]
  /** How many n-grams of each order have a match, and how many there are, before smoothing. */
  readonly counts: readonly number[]
  readonly totals: readonly number[]
  /** The factor for hypotheses that are too short: e^(1 − referenceLength / hypothesisLength), at most 1. */
  readonly brevityPenalty: number
  /** Tokens of all hypotheses. */
  readonly hypothesisLength: number
  /** Tokens of the references, of several the one next in length to the hypothesis. */
  readonly referenceLength: number
  /** How it was computed, in the form of sacreBLEU's signatures; the version is `heddle-` and that of this package. */
  readonly signature: string
}

type Statistics = Pick<BleuScore, 'counts' | 'totals' | 'hypothesisLength' | 'referenceLength'>

/**
 * BLEU of a corpus (Papineni et al. 2002), equal to sacreBLEU's (Post 2018):
 * brevity penalty · (Π precisions)^¼, with the matches of all segments added up first.
 *
 * @param hypotheses one text a segment, as it is written: not cut into tokens before
 * @param references what it is compared with, one or several texts a segment (sacreBLEU wants them transposed)
 * @throws UsageError where the numbers of segments differ and for an option that does not exist; DataError for a corpus
 * of no segments and for a segment without a reference
 */
export function corpusBleu(
  hypotheses: readonly string[],
  references: readonly SegmentReferences[],
  options: BleuOptions = {},
): BleuScore {
  const { tokenize = '13a', lowercase = false, smoothMethod = 'exp', effectiveOrder = false } = options
  checkBleuTokenizer(tokenize)
  checkSmoothing(smoothMethod)
  const lists = referenceLists('BLEU', hypotheses, references)
  const unitsOf = (text: string) => wordUnits(bleuTokens(trimEnd(lowercase ? text.toLowerCase() : text), tokenize))
  const segments = hypotheses.map((text, i) => statisticsOf(unitsOf(text), lists[i].map(unitsOf)))
  const smoothValue = options.smoothValue ?? smoothDefaults[smoothMethod]
  return {
    ...scoreOf(totalOf(segments), { smoothMethod, smoothValue, effectiveOrder }),
    signature: scoreSignature(lists, {
      case: lowercase ? 'lc' : 'mixed',
      eff: effectiveOrder,
      tok: tokenize,
      smooth: smoothName(smoothMethod, smoothValue),
    }),
  }
}

/**
 * BLEU of one segment, equal to sacreBLEU's `sentence_bleu`: {@link corpusBleu} that by default leaves out the orders
 * for which the hypothesis is too short.
 */
export function sentenceBleu(hypothesis: string, references: SegmentReferences, options: BleuOptions = {}): BleuScore {
  return corpusBleu([hypothesis], [references], { effectiveOrder: true, ...options })
}

function checkSmoothing(method: string): void {
  if (Object.hasOwn(smoothDefaults, method)) return
  throw new UsageError(
    `BLEU: expected smoothMethod to be one of ${Object.keys(smoothDefaults).join(', ')}, got ${method}`,
  )
}

/** The method, with its value where it has one. */
function smoothName(method: BleuSmoothing, value: number | undefined): string {
  return smoothDefaults[method] === undefined ? method : `${method}[${value?.toFixed(2)}]`
}

const orders = Array.from({ length: largestOrder }, (_, i) => i + 1)

function statisticsOf(hypothesis: Units, references: readonly Units[]): Statistics {
  const wanted = mostOf(references.map((reference) => countNgrams(reference, largestOrder)))
  return {
    counts: orders.map((order) => takeNgrams(wanted, hypothesis, order)),
    totals: orders.map((order) => ngramTotal(hypothesis, order)),
    hypothesisLength: hypothesis.length,
    referenceLength: closest(
      references.map(({ length }) => length),
      hypothesis.length,
    ),
  }
}

/** For each n-gram the largest of its counts. */
function mostOf([first, ...others]: readonly Map<string, number>[]): Map<string, number> {
  for (const counts of others) {
    for (const [ngram, count] of counts) first.set(ngram, Math.max(first.get(ngram) ?? 0, count))
  }
  return first
}

/** The length nearest to another; of two as near the shorter. */
function closest(lengths: readonly number[], wanted: number): number {
  return lengths.reduce((best, length) => {
    const nearer = Math.abs(length - wanted) - Math.abs(best - wanted)
    return nearer < 0 || (nearer === 0 && length < best) ? length : best
  })
}

function totalOf(segments: readonly Statistics[]): Statistics {
  return {
    counts: orders.map((_, i) => sum(segments.map(({ counts }) => counts[i]))),
    totals: orders.map((_, i) => sum(segments.map(({ totals }) => totals[i]))),
    hypothesisLength: sum(segments.map(({ hypothesisLength }) => hypothesisLength)),
    referenceLength: sum(segments.map(({ referenceLength }) => referenceLength)),
  }
}

interface Smoothing {
  readonly smoothMethod: BleuSmoothing
  readonly smoothValue: number | undefined
  readonly effectiveOrder: boolean
}

function scoreOf(statistics: Statistics, smoothing: Smoothing): Omit<BleuScore, 'signature'> {
  const { counts, hypothesisLength, referenceLength } = statistics
  const brevityPenalty = brevityPenaltyOf(hypothesisLength, referenceLength)
  const found = counts.some((count) => count > 0) ? smoothedPrecisions(statistics, smoothing) : []
  const precisions = orders.map((_, i) => found[i] ?? 0)
  const used = smoothing.effectiveOrder ? found : precisions
  const mean = used.length === 0 ? 0 : Math.exp(sum(used.map(Math.log)) / used.length)
  return { ...statistics, score: brevityPenalty * mean, precisions, brevityPenalty }
}

function brevityPenaltyOf(hypothesisLength: number, referenceLength: number): number {
  if (hypothesisLength >= referenceLength) return 1
  return hypothesisLength === 0 ? 0 : Math.exp(1 - referenceLength / hypothesisLength)
}

/** The precisions, in percent, of the orders of which there are any n-grams. */
function smoothedPrecisions({ counts, totals }: Statistics, { smoothMethod, smoothValue = 0 }: Smoothing): number[] {
  const precisions: number[] = []
  let half = 1
  for (const [i, count] of counts.entries()) {
    const added = smoothMethod === 'add-k' && i > 0 ? smoothValue : 0
    const [matches, total] = [count + added, totals[i] + added]
    if (total === 0) break
    if (matches === 0) half /= 2
    const instead = { none: 0, 'add-k': 0, floor: smoothValue, exp: half }[smoothMethod]
    precisions.push((100 * (matches === 0 ? instead : matches)) / total)
  }
  return precisions
}
