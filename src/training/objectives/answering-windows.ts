import type { TokenSequence } from '../../models/index.js'
import { encodeDistinct } from '../../tokenizers/pairs.js'
import type { Encoding, Tokenizer } from '../../tokenizers/tokenizer.js'
import { truncate, type WindowsOptions, windows } from '../../tokenizers/truncation.js'

/** A question about a text. */
export interface AskedQuestion {
  readonly question: string
  readonly context: string
}

/** Where each token of a context begins and ends in it, in UTF-16 code units. */
export interface ContextTokens {
  readonly starts: Int32Array
  readonly ends: Int32Array
}

/** A question beside a part of its context, as a model reads it. */
export interface QuestionWindow<Q extends AskedQuestion = AskedQuestion> extends TokenSequence {
  readonly question: Q
  readonly ids: Int32Array
  readonly segments: Uint8Array
  /** The tokens of the whole context, of which the window has [first, last). */
  readonly context: ContextTokens
  readonly first: number
  readonly last: number
  /** Where the window has the context's token `first`. */
  readonly offset: number
}

/** The sizes of windows where nothing else is said: those that BERT's authors read SQuAD with (Devlin et al. 2018). */
const usualSizes: WindowsOptions = { maxLength: 384, stride: 128 }

/**
 * The sizes of a model's windows, in tokens: at most 384 and what the model sees, of which two in succession have 128 in
 * common, or a third where they are shorter.
 */
export function windowSizes(
  { maxLength = usualSizes.maxLength, stride }: Partial<WindowsOptions>,
  { contextLength }: { readonly contextLength: number },
): WindowsOptions {
  const length = Math.min(maxLength, contextLength)
  return { maxLength: length, stride: stride ?? Math.min(usualSizes.stride, Math.floor(length / 3)) }
}

/** Questions that are encoded at once. */
const questionsAtOnce = 512

/**
 * Questions as windows of token ids, in order; a context that fits has one. Questions lose what is more than half a
 * window, and the windows of a long question have at most half of their room for the context in common.
 *
 * @throws TokenizerError, UsageError as `windows` does
 */
export async function encodeQuestions<Q extends AskedQuestion>(
  questions: readonly Q[],
  tokenizer: Tokenizer,
  sizes: WindowsOptions,
): Promise<QuestionWindow<Q>[]> {
  const found: QuestionWindow<Q>[] = []
  for (let start = 0; start < questions.length; start += questionsAtOnce) {
    const some = questions.slice(start, start + questionsAtOnce)
    for (const window of await encodeSome(some, tokenizer, sizes)) found.push(window)
  }
  return found
}

async function encodeSome<Q extends AskedQuestion>(
  questions: readonly Q[],
  tokenizer: Tokenizer,
  sizes: WindowsOptions,
): Promise<QuestionWindow<Q>[]> {
  const texts = questions.flatMap(({ question, context }) => [question.trim(), context])
  const encodings = await encodeDistinct(tokenizer, texts, { addSpecialTokens: false })
  const contexts = new Map<Encoding, ContextTokens>()
  return questions.flatMap((question, i) => {
    const [asked, text] = encodings.slice(2 * i, 2 * i + 2)
    const context = contexts.get(text) ?? tokensOf(text)
    contexts.set(text, context)
    return windowsOf(asked, text, { tokenizer, sizes }).map((window) => ({ ...window, question, context }))
  })
}

function tokensOf({ offsets }: Encoding): ContextTokens {
  return {
    starts: Int32Array.from(offsets, ([start]) => start),
    ends: Int32Array.from(offsets, ([, end]) => end),
  }
}

function windowsOf(
  question: Encoding,
  context: Encoding,
  { tokenizer: { template }, sizes }: { tokenizer: Tokenizer; sizes: WindowsOptions },
): Omit<QuestionWindow, 'question' | 'context'>[] {
  const half = Math.floor(sizes.maxLength / 2)
  const { first: asked } = truncate(template, question, undefined, { maxLength: half })
  const room = sizes.maxLength - template.addedTokens(true) - asked.ids.length
  const stride = Math.min(sizes.stride, Math.floor(room / 2))
  return windows(template, asked, context, { ...sizes, stride }).map(({ ids, segments, sequences, start, end }) => ({
    ids: Int32Array.from(ids),
    segments: Uint8Array.from(segments),
    first: start,
    last: end,
    offset: sequences.indexOf(1),
  }))
}

/**
 * The tokens that cover a part of a context; where its borders are within tokens, or between them, the nearest that do.
 *
 * @returns the numbers of the first and the last; undefined where the context has no tokens
 */
export function coveringTokens(
  { starts, ends }: ContextTokens,
  part: { readonly start: number; readonly end: number },
): { readonly first: number; readonly last: number } | undefined {
  if (starts.length === 0) return undefined
  const after = ends.findIndex((end) => end > part.start)
  const before = starts.findLastIndex((start) => start < part.end)
  const [first, last] = [after < 0 ? starts.length - 1 : after, Math.max(0, before)]
  // A part without tokens of its own lies between two, which are found in the other order.
  return { first: Math.min(first, last), last: Math.max(first, last) }
}
