import { BYTE_CHARACTERS } from './byte-level.js'
import { encodeDistinct } from './pairs.js'
import type { EncodeOptions, Encoding, Tokenizer } from './tokenizer.js'

/** How to encode texts that are split into words already. */
export interface EncodeWordsOptions extends EncodeOptions {
  /**
   * Whether byte-level tokenizers (GPT-2, RoBERTa) get a blank in front of each word, as words in a text have one and as
   * Hugging Face's `add_prefix_space` gives them one; true where absent. Others do not need it.
   */
  readonly prefixSpace?: boolean | undefined
}

/**
 * Encodes a text that is split into words already, as those of CoNLL files are: Hugging Face's `is_split_into_words`.
 *
 * @returns `words` are the indices of the given words; one that has nothing but what the tokenizer removes, such as
 * control characters, has no token. Offsets are those within each word
 * @throws TokenizerError for unknown text where the options ask for it
 */
export async function encodeWords(
  tokenizer: Tokenizer,
  words: readonly string[],
  options?: EncodeWordsOptions,
): Promise<Encoding> {
  const [encoding] = await encodeWordsBatch(tokenizer, [words], options)
  return encoding
}

/** Encodes texts that are split into words already, each as {@link encodeWords} does; equal words are encoded once. */
export async function encodeWordsBatch(
  tokenizer: Tokenizer,
  sentences: readonly (readonly string[])[],
  { prefixSpace = true, addSpecialTokens = true, onUnknown }: EncodeWordsOptions = {},
): Promise<Encoding[]> {
  const isPrefixed = prefixSpace && tokenizer.tokenToId(BYTE_CHARACTERS[0x20]) !== undefined
  const hasBlank = (word: string) => isPrefixed && word !== '' && !word.startsWith(' ')
  const texts = sentences.flatMap((words) => words.map((word) => (hasBlank(word) ? ` ${word}` : word)))
  const encodings = await encodeDistinct(tokenizer, texts, { addSpecialTokens: false, onUnknown })
  let next = 0
  return sentences.map((words) => {
    const all: Encoding = { ids: [], tokens: [], offsets: [], words: [] }
    words.forEach((word, index) => {
      append(all, encodings[next++], { index, shift: hasBlank(word) ? 1 : 0 })
    })
    return addSpecialTokens ? tokenizer.template.join(all) : all
  })
}

/** @param place.shift what stands in front of the word and is not in it, in UTF-16 units */
function append(all: Encoding, word: Encoding, { index, shift }: { index: number; shift: number }): void {
  for (let i = 0; i < word.ids.length; i++) {
    const [start, end] = word.offsets[i]
    all.ids.push(word.ids[i])
    all.tokens.push(word.tokens[i])
    all.offsets.push([Math.max(0, start - shift), Math.max(0, end - shift)])
    all.words.push(index)
  }
}

/**
 * Puts tokens that are parts of one word of the language into one word of the encoding, for languages that are written
 * without blanks: BERT makes every Chinese character a word, but what is masked as a whole is 模型, not 模 alone.
 *
 * @param text what was encoded
 * @param encoding of the text, before it is truncated or joined with others
 * @param locale the language of `Intl.Segmenter`
 * @returns the encoding with other `words`: tokens of one of its words, or of one of the segmenter's, are of one word
 */
export function segmentWords(text: string, encoding: Encoding, locale = 'zh'): Encoding {
  const segments = new Intl.Segmenter(locale, { granularity: 'word' }).segment(text)
  const ends = Array.from(segments, ({ index, segment }) => index + segment.length)
  const words: number[] = []
  let count = -1
  let place = 0
  let wordEnd = 0
  encoding.words.forEach((word, i) => {
    const [start, end] = encoding.offsets[i]
    const goesOn = i > 0 && word >= 0 && (word === encoding.words[i - 1] || start < wordEnd)
    if (word >= 0 && !goesOn) count++
    words.push(word < 0 ? -1 : count)
    while (place < ends.length - 1 && ends[place] < end) place++
    wordEnd = word < 0 ? 0 : (ends[place] ?? 0)
  })
  return { ...encoding, words }
}
