import { referenceLists, type SegmentReferences, scoreSignature } from './corpus.js'
import { characterUnits, countNgrams, ngramTotal, takeNgrams, type Units, wordUnits } from './ngrams.js'
import { splitWhitespace } from './python-text.js'

/** What {@link corpusChrf} and {@link sentenceChrf} count; the defaults are sacreBLEU's. */
export interface ChrfOptions {
  /** N-grams of 1 to this many characters are compared (default 6). */
  readonly characterOrder?: number
  /** N-grams of 1 to this many words are as well (default 0; 2 makes it chrF++). */
  readonly wordOrder?: number
  /** How many times as much recall counts as precision (default 2). */
  readonly beta?: number
  /** Whether upper and lower case are the same (default false). */
  readonly lowercase?: boolean
  /** Whether spaces count as characters (default false). */
  readonly whitespace?: boolean
  /**
   * Whether to take the mean of the F-scores of all orders, as chrF++.py, NLTK and Moses do (default false: the F-score
   * of the mean precision and recall over the orders that both sides have).
   */
  readonly epsilonSmoothing?: boolean
}

/** A chrF score. */
export interface ChrfScore {
  /** Between 0 and 100. */
  readonly score: number
  /** How it was computed, in the form of sacreBLEU's signatures; the version is `heddle-` and that of this package. */
  readonly signature: string
}

type Settings = Required<ChrfOptions>

/** Of one order: the n-grams of the hypotheses, of the references, and those that match. */
interface Matches {
  hypothesis: number
  reference: number
  matched: number
}

/**
 * chrF of a corpus (Popović 2015), with words chrF++ (Popović 2017), equal to sacreBLEU's:
 * (1 + β²)·P·R / (β²·P + R) with precision P and recall R of n-grams of characters, averaged over their orders.
 *
 * @param hypotheses one text a segment, as it is written
 * @param references what it is compared with, one or several texts a segment, of which the best counts
 * @throws UsageError where the numbers of segments differ; DataError for a corpus of no segments and for a segment
 * without a reference
 */
export function corpusChrf(
  hypotheses: readonly string[],
  references: readonly SegmentReferences[],
  options: ChrfOptions = {},
): ChrfScore {
  const settings = settingsOf(options)
  const lists = referenceLists('chrF', hypotheses, references)
  const total = Array.from({ length: settings.characterOrder + settings.wordOrder }, () => ({
    hypothesis: 0,
    reference: 0,
    matched: 0,
  }))
  for (const [i, hypothesis] of hypotheses.entries()) {
    for (const [order, matches] of bestMatches(hypothesis, lists[i], settings).entries()) {
      total[order].hypothesis += matches.hypothesis
      total[order].reference += matches.reference
      total[order].matched += matches.matched
    }
  }
  return {
    score: scoreOf(total, settings),
    signature: scoreSignature(lists, {
      case: settings.lowercase ? 'lc' : 'mixed',
      eff: !settings.epsilonSmoothing,
      nc: settings.characterOrder,
      nw: settings.wordOrder,
      space: settings.whitespace,
    }),
  }
}

/** chrF of one segment, equal to sacreBLEU's `sentence_chrf`; see {@link corpusChrf}. */
export function sentenceChrf(hypothesis: string, references: SegmentReferences, options: ChrfOptions = {}): ChrfScore {
  return corpusChrf([hypothesis], [references], options)
}

function settingsOf(options: ChrfOptions): Settings {
  const { characterOrder = 6, wordOrder = 0, beta = 2 } = options
  const { lowercase = false, whitespace = false, epsilonSmoothing = false } = options
  return { characterOrder, wordOrder, beta, lowercase, whitespace, epsilonSmoothing }
}

/** The matches with the reference that scores best. */
function bestMatches(hypothesis: string, references: readonly string[], settings: Settings): Matches[] {
  const sides = sidesOf(hypothesis, settings)
  const all = references.map((reference) => matchesOf(sides, sidesOf(reference, settings)))
  if (all.length === 1) return all[0]
  const scores = all.map((matches) => scoreOf(matches, settings))
  return all[scores.indexOf(Math.max(...scores))]
}

/** The characters and words of a text, each with the largest order of n-grams to count. */
function sidesOf(text: string, { characterOrder, wordOrder, lowercase, whitespace }: Settings): [Units, number][] {
  const cased = lowercase ? text.toLowerCase() : text
  const words = splitWhitespace(cased)
  return [
    [characterUnits(whitespace ? cased : words.join('')), characterOrder],
    [wordUnits(wordOrder > 0 ? words.flatMap(separatePunctuation) : []), wordOrder],
  ]
}

/** A word and the ASCII punctuation at its end, or else at its start: `(hi)` → `(hi`, `)`. */
function separatePunctuation(word: string): string[] {
  if (word.length === 1) return [word]
  if (punctuation.test(word.slice(-1))) return [word.slice(0, -1), word.slice(-1)]
  if (punctuation.test(word[0])) return [word[0], word.slice(1)]
  return [word]
}

const punctuation = /[!-/:-@[-`{-~]/

function matchesOf(hypothesis: readonly [Units, number][], reference: readonly [Units, number][]): Matches[] {
  return hypothesis.flatMap(([units, largestOrder], side) => {
    const [wanted] = reference[side]
    const counts = countNgrams(wanted, largestOrder)
    return Array.from({ length: largestOrder }, (_, i) => {
      const total = ngramTotal(wanted, i + 1)
      return {
        // N-grams that the reference is too short for are no mistakes.
        hypothesis: total > 0 ? ngramTotal(units, i + 1) : 0,
        reference: total,
        matched: takeNgrams(counts, units, i + 1),
      }
    })
  })
}

const epsilon = 1e-16

function scoreOf(orders: readonly Matches[], { beta, epsilonSmoothing }: Settings): number {
  const factor = beta ** 2
  const fScore = (precision: number, recall: number, undefinedScore: number) => {
    const denominator = factor * precision + recall
    return denominator > 0 ? ((1 + factor) * precision * recall) / denominator : undefinedScore
  }
  let [scores, precisions, recalls, counted] = [0, 0, 0, 0]
  for (const { hypothesis, reference, matched } of orders) {
    const precision = hypothesis > 0 ? matched / hypothesis : epsilon
    const recall = reference > 0 ? matched / reference : epsilon
    scores += fScore(precision, recall, epsilon)
    if (hypothesis === 0 || reference === 0) continue
    precisions += precision
    recalls += recall
    counted++
  }
  if (epsilonSmoothing) return (100 * scores) / orders.length
  return counted === 0 ? 0 : 100 * fScore(precisions / counted, recalls / counted, 0)
}
