import type { SequenceEncoding } from './sequence-template.js'
import type { EncodeOptions, Encoding, Tokenizer } from './tokenizer.js'
import { type Removed, type TruncateOptions, truncate } from './truncation.js'

/** A text, or two that a model reads as one sequence. */
export type TextPair = readonly [first: string, second?: string | undefined]

/** How to encode pairs; without a `maxLength` they stay as long as they are. */
export type EncodePairsOptions = Partial<TruncateOptions> & Pick<EncodeOptions, 'onUnknown'>

/** A text or a pair of texts as a model reads it, and how much was cut off for it. */
export interface EncodedPair extends SequenceEncoding {
  readonly removed: Removed
}

/**
 * Encodes texts and pairs of texts, truncates and joins them; texts that occur several times are encoded once.
 *
 * @throws TokenizerError as {@link Tokenizer.encode} and {@link truncate} do; UsageError for a maxLength without room
 */
export async function encodePairs(
  tokenizer: Tokenizer,
  pairs: readonly TextPair[],
  { onUnknown, maxLength, ...options }: EncodePairsOptions = {},
): Promise<EncodedPair[]> {
  const { template } = tokenizer
  const texts = pairs.flatMap(([first, second]) => (second === undefined ? [first] : [first, second]))
  const encodings = await encodeDistinct(tokenizer, texts, { onUnknown, addSpecialTokens: false })
  let next = 0
  return pairs.map(([, text]) => {
    const first = encodings[next++]
    const second = text === undefined ? undefined : encodings[next++]
    if (maxLength === undefined) return { ...template.join(first, second), removed: { first: 0, second: 0 } }
    const cut = truncate(template, first, second, { ...options, maxLength })
    return { ...template.join(cut.first, cut.second), removed: cut.removed }
  })
}

/** Encodes texts of which many are equal: these share an encoding. */
export async function encodeDistinct(
  tokenizer: Tokenizer,
  texts: readonly string[],
  options: EncodeOptions,
): Promise<Encoding[]> {
  const places = new Map<string, number>()
  for (const text of texts) if (!places.has(text)) places.set(text, places.size)
  const encodings = await tokenizer.encodeBatch([...places.keys()], options)
  return texts.map((text) => encodings[places.get(text) ?? 0])
}
