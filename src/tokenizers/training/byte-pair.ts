import { BYTE_CHARACTERS, wordEnd } from '../byte-level.js'
import { byteLevelBpeJson } from '../tokenizer-json.js'
import { learnMerges, type SymbolWords } from './merges.js'
import { checkSize, specialTokensOf, type TrainingRequest } from './request.js'
import type { WordCounts } from './word-counts.js'

const encoder = new TextEncoder()

/** Counts the words of a text as GPT-2 splits it. */
export function countByteLevelWords(text: string, counts: WordCounts, lines: boolean): void {
  for (let start = 0; start < text.length; ) {
    const end = wordEnd(text, start, lines)
    counts.add(text, start, end)
    start = end
  }
}

/**
 * Learns byte-level byte-pair encoding (Radford et al. 2019, §2.2): the alphabet is the 256 bytes of UTF-8, so that every
 * text can be encoded and no token is unknown.
 *
 * @returns a `tokenizer.json`
 * @throws ConfigError where the vocabulary cannot hold the bytes and the special tokens
 */
export function trainBytePair(counts: WordCounts, request: TrainingRequest): string {
  const special = specialTokensOf(request, ['<|endoftext|>'])
  const alphabet = [...BYTE_CHARACTERS].sort((a, b) => a.charCodeAt(0) - b.charCodeAt(0))
  checkSize(request, { special: special.length, alphabet: alphabet.length, what: 'bytes' })
  const initial = [...special, ...alphabet]
  const ids = new Map(initial.map((token, id) => [token, id]))
  const byteIds = Int32Array.from(BYTE_CHARACTERS, (character) => ids.get(character) ?? 0)
  const { tokens, merges } = learnMerges({
    words: byteWords(counts, byteIds),
    tokens: initial,
    vocabularySize: request.vocabularySize,
    minimumFrequency: request.minimumFrequency ?? 0,
    join: (left, right) => left + right,
    onProgress: request.onLearn,
  })
  return byteLevelBpeJson({
    vocabulary: tokens.map((token, id) => [token, id]),
    merges: merges.map(([left, right]) => [tokens[left], tokens[right]]),
    added: special.map((content, id) => ({ id, content, normalized: false })),
  })
}

/** The words as ids of their UTF-8 bytes. */
function byteWords(counts: WordCounts, byteIds: Int32Array): SymbolWords {
  const starts = new Uint32Array(counts.size + 1)
  // A UTF-16 unit is three bytes at most: a pair of surrogates is four.
  let symbols = new Int32Array(Math.max(16, counts.units))
  let bytes = new Uint8Array(1 << 12)
  let size = 0
  let word = 0
  for (const text of counts.words()) {
    if (text.length * 3 > bytes.length) bytes = new Uint8Array(text.length * 3)
    const { written } = encoder.encodeInto(text, bytes)
    if (size + written > symbols.length) {
      const larger = new Int32Array(Math.ceil((size + written) * 1.5))
      larger.set(symbols)
      symbols = larger
    }
    for (let i = 0; i < written; i++) symbols[size++] = byteIds[bytes[i]]
    starts[++word] = size
  }
  return { symbols, starts, counts: counts.counts }
}
