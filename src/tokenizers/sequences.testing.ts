import { Tokenizer as NativeLibrary } from 'tokenizers'
import type { SequenceEncoding } from './sequence-template.js'

/** What the native library returns. */
export type NativeEncoding = Awaited<ReturnType<NativeLibrary['encode']>>

/** A part of a `tokenizer.json`, or all of it. */
export type Json = Record<string, unknown>

/** WordPiece over a few letters and signs, without anything around texts. */
export function letters(change: Json = {}): Json {
  const tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'b', 'ab', '##a', '##b', '##bb', '.', '中', '😀']
  const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
  return {
    version: '1.0',
    added_tokens: tokens.slice(0, 5).map((content, id) => ({ id, content, ...special })),
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: null,
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    },
    ...change,
  }
}

/** BERT's post-processor for {@link letters}. */
export const bertTemplate = {
  type: 'TemplateProcessing',
  single: [special('[CLS]', 0), text('A', 0), special('[SEP]', 0)],
  pair: [special('[CLS]', 0), text('A', 0), special('[SEP]', 0), text('B', 1), special('[SEP]', 1)],
  special_tokens: {
    '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
    '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
  },
}

/** A special token of a template. */
export function special(id: string, segment: number): Json {
  return { SpecialToken: { id, type_id: segment } }
}

/** A text of a template. */
export function text(id: 'A' | 'B', segment: number): Json {
  return { Sequence: { id, type_id: segment } }
}

/** Hugging Face's native library, used as it is. */
export function nativeLibrary(json: Json): NativeLibrary {
  return NativeLibrary.fromString(JSON.stringify(json))
}

/**
 * A sequence of the native library in our terms.
 *
 * @param source the text that the offsets of a token count the characters of
 */
export function fromNative(
  encoding: NativeEncoding,
  source: (sequence: 0 | 1 | undefined, word: number, token: number) => string,
): SequenceEncoding {
  const sequences = encoding.getSequenceIds().map((id) => (id === 0 || id === 1 ? id : undefined))
  const words = encoding.getWordIds().map((word) => word ?? -1)
  const offsets = encoding.getOffsets().map(([start, end], i): [number, number] => {
    const points = [...source(sequences[i], words[i], i)]
    return [points.slice(0, start).join('').length, points.slice(0, end).join('').length]
  })
  return {
    ...{ ids: encoding.getIds(), tokens: encoding.getTokens(), segments: encoding.getTypeIds() },
    ...{ sequences, words, offsets },
  }
}
