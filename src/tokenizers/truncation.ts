import { TokenizerError, UsageError } from '../errors.js'
import type { SequenceEncoding, SequenceTemplate } from './sequence-template.js'
import type { Encoding } from './tokenizer.js'

/**
 * Which text of a pair loses tokens, by Hugging Face's names: the longer one until both are equally long, always the
 * first, or always the second. A text without a second is cut by the first two.
 */
export type TruncationStrategy = 'longest_first' | 'only_first' | 'only_second'

/** How texts are made shorter. */
export interface TruncateOptions {
  /** Most tokens of the whole sequence, those that its template adds included. */
  readonly maxLength: number

  /** `longest_first` where absent. */
  readonly strategy?: TruncationStrategy | undefined

  /** The end at which tokens are removed; `right` where absent. */
  readonly side?: 'left' | 'right' | undefined
}

/** How many tokens texts have lost. */
export interface Removed {
  readonly first: number
  readonly second: number
}

/** Texts that fit, and what they have lost for it. */
export interface Truncated {
  readonly first: Encoding
  readonly second?: Encoding
  readonly removed: Removed
}

/**
 * Removes tokens from a text or a pair of texts so that they fit into a sequence, as Hugging Face's fast tokenizers do;
 * texts that fit come back as they are.
 *
 * @param first, second encoded without special tokens
 * @throws TokenizerError where the strategy leaves no token of the one text that it cuts (also where there is room for
 * special tokens only, where Hugging Face empties both); UsageError where maxLength is no number of tokens, or has no room
 * for what the template adds
 */
export function truncate(
  template: SequenceTemplate,
  first: Encoding,
  second: Encoding | undefined,
  { maxLength, strategy = 'longest_first', side = 'right' }: TruncateOptions,
): Truncated {
  const room = roomOf(template, second !== undefined, maxLength)
  const [firstLength, secondLength] = [first.ids.length, second?.ids.length ?? 0]
  const lengths =
    strategy === 'longest_first'
      ? longestFirst(firstLength, secondLength, room)
      : onlyOne([firstLength, secondLength], strategy, room)
  return {
    first: shortened(first, lengths[0], side),
    ...(second && { second: shortened(second, lengths[1], side) }),
    removed: { first: firstLength - lengths[0], second: secondLength - lengths[1] },
  }
}

/** How a text is cut into windows. */
export interface WindowsOptions {
  /** Most tokens of a window, those of the question and those that the template adds included. */
  readonly maxLength: number

  /** How many tokens of the context each window has in common with the one before. */
  readonly stride: number
}

/** A sequence with a part of a long text. */
export interface ContextWindow extends SequenceEncoding {
  /** The first token of the context that is in the window. */
  readonly start: number

  /** The token of the context behind the last that is in the window. */
  readonly end: number
}

/**
 * A question beside each part of a context that is too long for one sequence, where parts overlap: what Hugging Face
 * calls `return_overflowing_tokens` with `truncation='only_second'`. Without a question the text alone is cut.
 *
 * @param question, context encoded without special tokens
 * @returns windows in order; a single one where everything fits
 * @throws TokenizerError where the question leaves no more room than the windows have in common; UsageError where
 * maxLength or stride is no number of tokens
 */
export function windows(
  template: SequenceTemplate,
  question: Encoding | undefined,
  context: Encoding,
  { maxLength, stride }: WindowsOptions,
): ContextWindow[] {
  if (!Number.isSafeInteger(stride) || stride < 0) {
    throw new UsageError(`windows: expected a stride of 0 tokens or more, got ${stride}`)
  }
  const asked = question?.ids.length ?? 0
  const room = roomOf(template, question !== undefined, maxLength) - asked
  const length = context.ids.length
  if (length > room && room <= stride) {
    throw new TokenizerError(
      `windows: expected more than ${stride} tokens of room for the context, got ${room} (maxLength ${maxLength}, a question of ${asked} tokens); take a smaller stride, or truncate the question`,
    )
  }
  const found: ContextWindow[] = []
  for (let start = 0, end = 0; found.length === 0 || end < length; start += room - stride) {
    end = Math.min(start + room, length)
    const part = slice(context, start, end)
    const sequence = question === undefined ? template.join(part) : template.join(question, part)
    found.push({ ...sequence, start, end })
  }
  return found
}

/** How many tokens a sequence has for its texts. */
function roomOf(template: SequenceTemplate, isPair: boolean, maxLength: number): number {
  const added = template.addedTokens(isPair)
  if (Number.isSafeInteger(maxLength) && maxLength >= added) return maxLength - added
  throw new UsageError(
    `maxLength: expected a whole number of tokens of ${added} or more, since so many are special, got ${maxLength}`,
  )
}

/** The longer text is cut down to what the shorter one leaves, or both to a half, of which the longer has the odd token. */
function longestFirst(first: number, second: number, room: number): [number, number] {
  if (first + second <= room) return [first, second]
  const shorter = Math.min(first, second, Math.floor(room / 2))
  return first > second ? [room - shorter, shorter] : [shorter, room - shorter]
}

function onlyOne(lengths: [number, number], strategy: 'only_first' | 'only_second', room: number): [number, number] {
  const [first, second] = lengths
  const excess = first + second - room
  if (excess <= 0) return lengths
  const [what, length] = strategy === 'only_first' ? ['first', first] : ['second', second]
  if (length <= excess) {
    throw new TokenizerError(
      `truncate: ${excess} of ${first + second} tokens do not fit, and the ${what} text, which is to be cut (${strategy}), has ${length}; take another strategy or a larger maxLength`,
    )
  }
  return strategy === 'only_first' ? [first - excess, second] : [first, second - excess]
}

function shortened(encoding: Encoding, length: number, side: 'left' | 'right'): Encoding {
  const excess = encoding.ids.length - length
  if (excess === 0) return encoding
  return side === 'right' ? slice(encoding, 0, length) : slice(encoding, excess, encoding.ids.length)
}

function slice({ ids, tokens, offsets, words }: Encoding, start: number, end: number): Encoding {
  return {
    ids: ids.slice(start, end),
    tokens: tokens.slice(start, end),
    offsets: offsets.slice(start, end),
    words: words.slice(start, end),
  }
}
