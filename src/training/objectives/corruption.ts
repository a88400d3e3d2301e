import { ConfigError } from '../../errors.js'
import type { RandomStream } from '../../runtime/random.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'

/** Some tokens of a text, and where its sentences begin among them, 0 being the first. */
export interface CorruptibleText {
  readonly ids: readonly number[]
  readonly sentenceStarts: readonly number[]
}

/** A damaged text, and what an encoder–decoder makes of it to restore it. */
export interface CorruptedText {
  readonly source: number[]
  readonly target: number[]
}

/** A way to damage texts. */
export interface Corruption {
  /** Damages a text, a pure function of it and the stream. */
  corrupt(text: CorruptibleText, random: RandomStream): CorruptedText
  /** The most tokens that source or target have of a text of so many. */
  longest(length: number): number
}

/** How much of a text is damaged. */
export interface CorruptionRules {
  /** The share of the tokens that are in spans. */
  readonly share: number
  /** Tokens of a span on the average. */
  readonly meanSpan: number
}

/** How many sentinels T5's tokenizers have. */
const sentinels = 100

/** T5's sentinels as its tokenizers spell them: `<extra_id_0>`, `<extra_id_1>`, … */
export const sentinelTokens: readonly string[] = Array.from({ length: sentinels }, (_, i) => `<extra_id_${i}>`)

/**
 * T5's span corruption (Raffel et al. 2020, §3.1.4, §3.3.4): spans are dropped, in the source a sentinel stands for each,
 * and the target has each sentinel with what it stands for, and one more sentinel at the end.
 *
 * Of n tokens round(share · n) are in round(that / meanSpan) spans. All ways to part them into spans, and to part the others
 * into what stands between, are equally likely, as in google-research/text-to-text-transfer-transformer; unlike there, a
 * text may begin with a span and need not end with one.
 */
export class SpanCorruption implements Corruption {
  readonly #rules: CorruptionRules
  readonly #sentinels: readonly number[]

  /** @throws ConfigError where the tokenizer has no sentinels */
  constructor(tokenizer: Tokenizer, rules: CorruptionRules) {
    const ids = sentinelTokens.map((token) => tokenizer.tokenToId(token))
    const missing = ids.indexOf(undefined)
    this.#sentinels = ids.slice(0, missing < 0 ? undefined : missing).map(Number)
    this.#rules = rules
    if (this.#sentinels.length >= 2) return
    throw new ConfigError(
      'tokenizer: span corruption needs the sentinels <extra_id_0>, <extra_id_1>, …, this tokenizer lacks them; train one, or use denoising.type=bart',
    )
  }

  longest(length: number): number {
    const { dropped, spans } = this.#sizes(length)
    return Math.max(length - dropped + spans, dropped + spans + 1)
  }

  corrupt({ ids }: CorruptibleText, random: RandomStream): CorruptedText {
    const { dropped, spans } = this.#sizes(ids.length)
    const source: number[] = []
    const target: number[] = []
    let end = 0
    for (const [i, span] of placed(ids.length, composition(dropped, spans, random), random).entries()) {
      source.push(...ids.slice(end, span.start), this.#sentinels[i])
      target.push(this.#sentinels[i], ...ids.slice(span.start, span.end))
      end = span.end
    }
    source.push(...ids.slice(end))
    target.push(this.#sentinels[spans])
    return { source, target }
  }

  #sizes(length: number): { dropped: number; spans: number } {
    const { share, meanSpan } = this.#rules
    const dropped = Math.max(1, Math.min(Math.round(share * length), length - 1))
    const most = Math.min(dropped, length - dropped + 1, this.#sentinels.length - 1)
    return { dropped, spans: Math.max(1, Math.min(Math.round(dropped / meanSpan), most)) }
  }
}

/** What {@link TextInfilling} needs to know beside. */
export interface TextInfillingRules extends CorruptionRules {
  /** Whether the sentences of a text are put into a random order too. */
  readonly permuteSentences: boolean
}

/**
 * BART's noise (Lewis et al. 2020, §2.2): sentences in a random order, and text infilling, where one mask token stands for
 * each of some spans whose lengths are drawn from a Poisson distribution; a span of length 0 inserts a mask. The target is
 * the text as it was.
 *
 * Of n tokens round(share · n) are in spans, of which the last one drawn is cut to fit. Spans do not touch. Of the masks to
 * insert there are no more than keep the source as short as the text.
 */
export class TextInfilling implements Corruption {
  readonly #rules: TextInfillingRules
  readonly #mask: number

  /** @throws ConfigError where the tokenizer has no mask token */
  constructor(tokenizer: Tokenizer, rules: TextInfillingRules) {
    const { mask } = tokenizer.specialTokens
    if (mask === undefined) {
      throw new ConfigError('tokenizer: text infilling needs a mask token such as <mask>, this tokenizer has none')
    }
    this.#rules = rules
    this.#mask = mask.id
  }

  longest(length: number): number {
    return length
  }

  corrupt(text: CorruptibleText, random: RandomStream): CorruptedText {
    const ids = this.#rules.permuteSentences ? permuted(text, random) : text.ids
    return { source: this.#infilled(ids, random), target: [...text.ids] }
  }

  #infilled(ids: readonly number[], random: RandomStream): number[] {
    const hidden = Math.min(Math.round(this.#rules.share * ids.length), ids.length)
    const { lengths, insertions } = this.#spans(hidden, ids.length, random)
    const source: number[] = []
    let end = 0
    for (const span of placed(ids.length, lengths, random)) {
      source.push(...ids.slice(end, span.start), this.#mask)
      end = span.end
    }
    source.push(...ids.slice(end))
    const room = ids.length - source.length
    for (let i = 0; i < Math.min(insertions, room); i++) source.splice(random.integer(source.length + 1), 0, this.#mask)
    return source
  }

  #spans(hidden: number, length: number, random: RandomStream): { lengths: number[]; insertions: number } {
    const lengths: number[] = []
    let insertions = 0
    for (let sum = 0; sum < hidden; ) {
      const span = Math.min(poisson(this.#rules.meanSpan, random), hidden - sum)
      if (span === 0) insertions++
      else lengths.push(span)
      sum += span
    }
    // So many spans cannot stand apart: the last ones become one.
    const most = length - hidden + 1
    const rest = lengths.splice(Math.max(0, most - 1))
    if (rest.length > 0) lengths.push(rest.reduce((a, b) => a + b))
    return { lengths, insertions }
  }
}

/** The sentences of a text in a random order. */
function permuted({ ids, sentenceStarts }: CorruptibleText, random: RandomStream): number[] {
  const sentences = sentenceStarts.map((start, i) => ids.slice(start, sentenceStarts[i + 1]))
  return random.shuffle(sentences).flat()
}

/** A part of a text. */
interface Span {
  readonly start: number
  readonly end: number
}

/** Puts spans of some lengths into a text so that none touches another, every way being equally likely. */
function placed(length: number, spans: readonly number[], random: RandomStream): Span[] {
  if (spans.length === 0) return []
  const kept = length - spans.reduce((a, b) => a + b)
  // Of the gaps only those at the two ends may be empty.
  const gaps = composition(kept + 2, spans.length + 1, random)
  let end = -1
  return spans.map((span, i) => {
    const start = end + gaps[i]
    end = start + span
    return { start, end }
  })
}

/**
 * Numbers of 1 or more with a sum, every way to part it being equally likely: the gaps between places drawn from
 * 1 … total − 1 without repetition (by Floyd's method; Bentley 1987).
 *
 * @param parts how many, at most the sum
 */
function composition(total: number, parts: number, random: RandomStream): number[] {
  const cuts = new Set<number>()
  for (let place = total - parts + 1; place < total; place++) {
    const drawn = 1 + random.integer(place)
    cuts.add(cuts.has(drawn) ? place : drawn)
  }
  const ends = [...cuts].sort((a, b) => a - b).concat(total)
  return ends.map((end, i) => end - (i === 0 ? 0 : ends[i - 1]))
}

/** A number drawn from the Poisson distribution (Knuth 1969, §3.4.1). */
function poisson(mean: number, random: RandomStream): number {
  const limit = Math.exp(-mean)
  let count = 0
  for (let product = random.uniform(); product > limit; product *= random.uniform()) count++
  return count
}
