import { DataError } from '../errors.js'
import { type AnsweredQuestion, type AnswerMetrics, type AnswerScore, bestScore, meanScore } from './answers.js'
import { englishWords } from './english-words.js'
import { whitespace } from './python-text.js'

/** What the evaluation removes; a dash of Chinese (——) and an ellipsis (……) are not among it. */
const punctuation = new Set('-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』')
/** The characters that the evaluation counts one by one; those of Unicode's extensions are taken for parts of words. */
const chinese = /[\u4e00-\u9fa5]/
const outerSpaces = new RegExp(`^[${whitespace}]+|[${whitespace}]+$`, 'g')

/**
 * Exact match and F1 of CMRC 2018 (Cui et al. 2019), equal to its published script over 100. The F1 is that of the
 * longest common run of segments, see {@link mixedSegments}.
 *
 * The script also cuts a run of Latin text into sentences (with NLTK's Punkt), we don't: this only matters for a period
 * and a space within an answer, and changed none of 4,221 answers of the development and trial set.
 *
 * @throws DataError for a question without an answer
 */
export function cmrcMetrics(questions: readonly AnsweredQuestion[]): AnswerMetrics {
  return meanScore(questions.map(cmrcScore))
}

function cmrcScore({ predicted, answers }: AnsweredQuestion, index: number): AnswerScore {
  if (answers.length === 0)
    throw new DataError(
      `CMRC 2018: expected an answer to every question, got none to question ${index}; leave such questions out`,
    )
  const [text, segments] = [normalizeChinese(predicted), mixedSegments(predicted)]
  return bestScore(answers, (answer) => ({
    exactMatch: normalizeChinese(answer) === text ? 1 : 0,
    f1: runF1(segments, mixedSegments(answer)),
  }))
}

/** 2·c / (n + m) with the length c of the longest common run of n and m segments; 0 where nothing is common. */
function runF1(predicted: readonly string[], expected: readonly string[]): number {
  const common = longestCommonRun(predicted, expected)
  return common === 0 ? 0 : (2 * common) / (predicted.length + expected.length)
}

/** Text as CMRC's evaluation compares it: lower case, without the punctuation that it knows and outer spaces. */
export function normalizeChinese(text: string): string {
  return [...trimmed(text)].filter((character) => !punctuation.has(character)).join('')
}

/**
 * The segments that CMRC's evaluation counts: every Chinese character is one, what stands between is cut into English
 * words and punctuation as in the Penn Treebank; the punctuation that it knows is left out.
 */
export function mixedSegments(text: string): string[] {
  const segments: string[] = []
  let other = ''
  for (const character of normalizeChinese(text)) {
    if (!chinese.test(character)) {
      other += character
      continue
    }
    segments.push(...englishWords(other), character)
    other = ''
  }
  return [...segments, ...englishWords(other)]
}

function trimmed(text: string): string {
  return text.toLowerCase().replace(outerSpaces, '')
}

/** Length of the longest run of equal segments that two texts share (a substring, not a subsequence). */
function longestCommonRun(a: readonly string[], b: readonly string[]): number {
  let longest = 0
  // lengths[j + 1] is the length of the run that ends with a[i] and b[j].
  let lengths = new Uint32Array(b.length + 1)
  for (const segment of a) {
    const next = new Uint32Array(b.length + 1)
    for (let j = 0; j < b.length; j++) {
      if (segment !== b[j]) continue
      next[j + 1] = lengths[j] + 1
      longest = Math.max(longest, next[j + 1])
    }
    lengths = next
  }
  return longest
}
