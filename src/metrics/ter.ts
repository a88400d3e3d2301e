import { separateNumbers, separateSymbols, unescapeMarkup } from './bleu-tokenizers.js'
import { referenceLists, type SegmentReferences, scoreSignature } from './corpus.js'
import { mean, sum } from './counts.js'
import { editsWithShifts } from './edit-rate.js'
import { splitWhitespace, trimEnd } from './python-text.js'

/** How {@link corpusTer} and {@link sentenceTer} cut text into words; the defaults are sacreBLEU's. */
export interface TerOptions {
  /** Whether to cut off punctuation as Tercom does (default false: text is cut at whitespace only). */
  readonly normalized?: boolean
  /** Whether to remove punctuation (default false). */
  readonly noPunctuation?: boolean
  /**
   * Whether `normalized` takes every Chinese character for a word, and `noPunctuation` knows Chinese and Japanese
   * punctuation (default false). Runs of kana stay together, as in sacreBLEU.
   */
  readonly asianSupport?: boolean
  /** Whether upper and lower case differ (default false). */
  readonly caseSensitive?: boolean
}

/** A TER score and what it is made of. */
export interface TerScore {
  /** In percent of the reference's words; 0 is best, and more than 100 is possible. */
  readonly score: number
  /** Edits of all segments. */
  readonly edits: number
  /** Words of the references, of several of a segment their mean. */
  readonly referenceLength: number
  /** How it was computed, in the form of sacreBLEU's signatures; the version is `heddle-` and that of this package. */
  readonly signature: string
}

/**
 * Translation edit rate of a corpus (Snover et al. 2006), equal to sacreBLEU's: 100 · edits / words of the references,
 * with words inserted, removed, substituted, and runs of words shifted as edits.
 *
 * @param hypotheses one text a segment
 * @param references what it is compared with, one or several texts a segment, of which the nearest counts
 * @throws UsageError where the numbers of segments differ; DataError for a corpus of no segments and for a segment
 * without a reference
 */
export function corpusTer(
  hypotheses: readonly string[],
  references: readonly SegmentReferences[],
  options: TerOptions = {},
): TerScore {
  const { normalized = false, noPunctuation = false, asianSupport = false, caseSensitive = false } = options
  const lists = referenceLists('TER', hypotheses, references)
  const segments = hypotheses.map((hypothesis, i) => {
    const words = terWords(hypothesis, options)
    // sacreBLEU cuts references twice, which finds a little more in runs of punctuation; scores must stay comparable.
    const wanted = lists[i].map((reference) => terWords(terWords(reference, options).join(' '), options))
    return {
      edits: Math.min(...wanted.map((reference) => editsWithShifts(words, reference))),
      length: mean(wanted.map(({ length }) => length)),
    }
  })
  const edits = sum(segments.map((segment) => segment.edits))
  const referenceLength = sum(segments.map(({ length }) => length))
  // Of words where none are wanted all are wrong.
  const rate = referenceLength > 0 ? edits / referenceLength : Math.min(1, edits)
  return {
    score: 100 * rate,
    edits,
    referenceLength,
    signature: scoreSignature(lists, {
      case: caseSensitive ? 'mixed' : 'lc',
      tok: 'tercom',
      norm: normalized,
      punct: !noPunctuation,
      asian: asianSupport,
    }),
  }
}

/** TER of one segment, equal to sacreBLEU's `sentence_ter`; see {@link corpusTer}. */
export function sentenceTer(hypothesis: string, references: SegmentReferences, options: TerOptions = {}): TerScore {
  return corpusTer([hypothesis], [references], options)
}

const punctuation = /[.,?:;!"()]/g
const asianPunctuation =
  /[\u3001\u3002\u3008-\u3011\u3014-\u301f\uff61-\uff65\u30fb\uff0e\uff0c\uff1f\uff1a\uff1b\uff01\uff02\uff08\uff09]/g
/** Ideographs, their parts and what is written like them; sacreBLEU takes U+3200 to U+3F22 for "enclosed letters". */
const asianCharacters = /[\u2e80-\u2eff\u31c0-\u31ef\u3200-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ufe30-\ufe4f]/g

/** The words of a text for TER. */
export function terWords(text: string, options: TerOptions): string[] {
  const { normalized, noPunctuation, asianSupport, caseSensitive } = options
  let words = trimEnd(text)
  if (!caseSensitive) words = words.toLowerCase()
  if (normalized) words = normalize(words)
  if (normalized && asianSupport) words = words.replace(asianCharacters, ' $& ').replace(asianPunctuation, ' $& ')
  if (noPunctuation) words = words.replace(punctuation, '')
  if (noPunctuation && asianSupport) words = words.replace(asianPunctuation, '')
  return splitWhitespace(words)
}

/** Western text with punctuation and possessive endings cut off. */
function normalize(text: string): string {
  const line = unescapeMarkup(text.replaceAll('\n-', '').replaceAll('\n', ' '))
  return separateNumbers(separateSymbols(` ${line} `).replaceAll("'s ", " 's "))
}
