import { UsageError } from '../errors.js'
import type { DecodeOptions, Tokenizer } from '../tokenizers/tokenizer.js'

/** How a {@link TextStream} decodes and where it stops. */
export interface TextStreamOptions extends DecodeOptions {
  /** Texts at which the stream stops; neither they nor a part of them at the end are given out. */
  readonly stop?: readonly string[]
}

/** What decoders write for bytes that are not, or not yet, a character. */
const REPLACEMENT = '\uFFFD'

/** A character of four bytes is complete after four tokens; longer runs of replacement characters are real. */
const LONGEST_INCOMPLETE = 4

/** The last character may be continued by a joiner, a skin tone, a second regional indicator or a tag. */
const OPEN_CLUSTER =
  /(?:\p{Extended_Pictographic}|\p{Regional_Indicator}|\p{Emoji_Modifier}|\u{200D}|\u{FE0F}|[\u{E0020}-\u{E007E}])$/u

/** Longer chains of joined emoji are given out in parts, so that an endless one cannot be held back for ever. */
const LONGEST_CLUSTER = 64

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/**
 * Text from token ids that come one by one.
 *
 * The pieces never end inside a character or, as far as one can know, inside an emoji sequence, and never contain a part
 * of a stop string. Without a stop string they concatenate to exactly `tokenizer.decode(all ids)`, for decoders that
 * write the same for a token whatever comes before its left neighbour (byte level, WordPiece, Metaspace, Fuse). Every
 * push decodes a few tokens only, however long the text is.
 */
export class TextStream {
  readonly #tokenizer: Pick<Tokenizer, 'decode'>
  readonly #options: TextStreamOptions
  readonly #stop: readonly string[]
  /** Tokens whose text is out, as left context, then those whose text is still incomplete. */
  #window: number[] = []
  #contextTokens = 0
  #contextText = ''
  /** Complete text that may belong to a stop string or an emoji sequence. */
  #held = ''
  #stopped = false

  /** @throws UsageError for an empty stop string */
  constructor(tokenizer: Pick<Tokenizer, 'decode'>, options: TextStreamOptions = {}) {
    this.#tokenizer = tokenizer
    this.#options = options
    this.#stop = options.stop ?? []
    if (this.#stop.includes(''))
      throw new UsageError('stop: expected texts of at least one character, got an empty one')
  }

  /** Whether a stop string came. Then nothing follows. */
  get stopped(): boolean {
    return this.#stopped
  }

  /** Takes the next token and returns the characters that became final with it, possibly none. */
  push(id: number): string {
    if (this.#stopped) return ''
    this.#window.push(id)
    const text = this.#decode(this.#window)
    if (text.endsWith(REPLACEMENT)) return this.#release(this.#takeInvalid(text), false)
    const piece = text.slice(this.#contextText.length)
    if (piece !== '') this.#shift(this.#window.length)
    // A token without text (a skipped special one) is no use as context.
    else if (this.#contextText !== '' && this.#window.length === this.#contextTokens + 1) this.#window.pop()
    return this.#release(piece, false)
  }

  /** Returns what was held back; there will be no more tokens. */
  finish(): string {
    if (this.#stopped) return ''
    const piece = this.#decode(this.#window).slice(this.#contextText.length)
    this.#window = []
    this.#contextTokens = 0
    this.#contextText = ''
    return this.#release(piece, true)
  }

  #decode(ids: readonly number[]): string {
    return this.#tokenizer.decode(ids, this.#options)
  }

  /** Makes the tokens between the context and `end` the new context. */
  #shift(end: number): void {
    this.#window.splice(0, this.#contextTokens)
    this.#contextTokens = end - this.#contextTokens
    this.#contextText = this.#decode(this.#window.slice(0, this.#contextTokens))
  }

  /** The text of bytes that no later token can complete, where the window has got so long that there must be some. */
  #takeInvalid(text: string): string {
    if (this.#window.length <= this.#contextTokens + LONGEST_INCOMPLETE) return ''
    for (let split = this.#window.length - 1; split > this.#contextTokens; split--) {
      const head = this.#decode(this.#window.slice(0, split))
      const tail = this.#decode(this.#window.slice(split))
      // Were the last bytes of the head the start of a character of the tail, together they would read otherwise.
      if (tail === '' || head + tail !== text) continue
      const piece = head.slice(this.#contextText.length)
      this.#shift(split)
      return piece
    }
    return ''
  }

  #release(piece: string, isLast: boolean): string {
    this.#held += piece
    const found = firstOccurrence(this.#held, this.#stop)
    if (found >= 0) {
      this.#stopped = true
      return this.#take(found)
    }
    if (isLast) return this.#take(this.#held.length)
    return this.#take(this.#held.length - Math.max(stopPrefixLength(this.#held, this.#stop), openCluster(this.#held)))
  }

  #take(length: number): string {
    const out = this.#held.slice(0, length)
    this.#held = this.#stopped ? '' : this.#held.slice(length)
    return out
  }
}

/** Where the first of some texts begins, -1 where there is none. */
export function firstOccurrence(text: string, wanted: readonly string[]): number {
  let first = -1
  for (const each of wanted) {
    const at = text.indexOf(each)
    if (at >= 0 && (first < 0 || at < first)) first = at
  }
  return first
}

/** Length of the longest end of `text` that begins a stop string. */
function stopPrefixLength(text: string, stop: readonly string[]): number {
  let longest = 0
  for (const each of stop) {
    for (let length = Math.min(each.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(each.slice(0, length))) longest = length
    }
  }
  return longest
}

/** Length of the last grapheme cluster (Unicode UAX #29) where the next character may still extend it, else 0. */
function openCluster(text: string): number {
  if (!OPEN_CLUSTER.test(text.slice(-2))) return 0
  const tail = text.slice(-LONGEST_CLUSTER)
  let last = 0
  for (const { segment } of graphemes.segment(tail)) last = segment.length
  return last < LONGEST_CLUSTER ? last : 0
}
