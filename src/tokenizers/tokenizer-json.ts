import { z } from 'zod'
import { TokenizerError } from '../errors.js'

const addedToken = z.looseObject({
  id: z.int().nonnegative(),
  content: z.string(),
  single_word: z.boolean().optional(),
  lstrip: z.boolean().optional(),
  rstrip: z.boolean().optional(),
  normalized: z.boolean().optional(),
  special: z.boolean().optional(),
})

const part = z.looseObject({ type: z.string() })

const schema = z.looseObject({
  added_tokens: z.array(addedToken).nullish(),
  normalizer: part.nullish(),
  pre_tokenizer: part.nullish(),
  post_processor: part.nullish(),
  decoder: part.nullish(),
  model: z.looseObject({
    type: z.string().optional(),
    // A large vocabulary is checked where it is used: a schema would visit every entry.
    vocab: z.unknown(),
    unk_token: z.string().nullish(),
    unk_id: z.int().nullish(),
  }),
})

/** The parts of a `tokenizer.json` that Heddle looks into. */
export type TokenizerJson = z.infer<typeof schema>

/** A normalizer, pre-tokenizer, post-processor or decoder: its type and what that type has of its own. */
export type TokenizerPart = z.infer<typeof part>

/** A token that text is searched for before the model sees it. */
export type AddedToken = z.infer<typeof addedToken>

/** The only special token of GPT-2. */
const END_OF_TEXT = '<|endoftext|>'

/**
 * Reads the text of a `tokenizer.json`.
 *
 * @param where what to call it in errors, usually its path
 * @throws TokenizerError where it is not JSON or not a tokenizer
 */
export function parseTokenizer(text: string, where: string): TokenizerJson {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new TokenizerError(`${where}: expected JSON, got ${messageOf(cause)}; the file is damaged`, { cause })
  }
  const result = schema.safeParse(value)
  if (!result.success) {
    const { path, message } = result.error.issues[0]
    throw new TokenizerError(`${where}: not a tokenizer.json: ${path.join('.') || 'the file'}: ${message}`)
  }
  return result.data
}

/** The tokens that were added to the model's vocabulary, none where the file has none. */
export function addedTokens(json: TokenizerJson): AddedToken[] {
  return json.added_tokens ?? []
}

/**
 * The tokens of a vocabulary that maps them to ids (WordLevel, WordPiece, BPE) or lists them with their scores (Unigram).
 *
 * @throws TokenizerError for another kind of vocabulary
 */
export function* modelVocabulary(json: TokenizerJson): Generator<[token: string, id: number]> {
  const vocabulary = json.model.vocab
  if (Array.isArray(vocabulary)) {
    yield* scoredVocabulary(json).map(([token], id): [string, number] => [token, id])
    return
  }
  if (typeof vocabulary !== 'object' || vocabulary === null) {
    throw new TokenizerError(`tokenizer.json: expected model.vocab to map tokens to ids (${json.model.type})`)
  }
  for (const [token, id] of Object.entries(vocabulary)) {
    if (!Number.isInteger(id) || id < 0) {
      throw new TokenizerError(`tokenizer.json: expected a whole number as id of ${JSON.stringify(token)}, got ${id}`)
    }
    yield [token, id]
  }
}

/**
 * The tokens of a vocabulary that lists them with their scores (Unigram), by their ids.
 *
 * @throws TokenizerError for another kind of vocabulary
 */
export function scoredVocabulary({ model: { vocab } }: TokenizerJson): [token: string, score: number][] {
  if (!Array.isArray(vocab)) throw new TokenizerError('tokenizer.json: expected model.vocab to list tokens with scores')
  return vocab.map((entry: unknown, id) => {
    const [token, score]: unknown[] = Array.isArray(entry) ? entry : []
    if (typeof token === 'string' && typeof score === 'number') return [token, score]
    throw new TokenizerError(
      `tokenizer.json: expected model.vocab to list tokens with scores, got ${JSON.stringify(entry)} at ${id}`,
    )
  })
}

/**
 * The `tokenizer.json` of GPT-2's older two-file format.
 *
 * @param vocabularyText vocab.json (or encoder.json): an object of token → id
 * @param mergesText merges.txt (or vocab.bpe): a version line, then one merge a line, the earlier the stronger
 * @param where what to call them in errors
 * @throws TokenizerError where they are damaged
 */
export function byteLevelBpe(vocabularyText: string, mergesText: string, where: string): string {
  const json = parseTokenizer(`{"model":{"type":"BPE","vocab":${vocabularyText}}}`, where)
  const vocabulary = new Map(modelVocabulary(json))
  const merges = mergesText.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#version'))
  for (const merge of merges) {
    if (merge.split(' ').length !== 2 || !vocabulary.has(merge.replace(' ', '').trimEnd())) {
      throw new TokenizerError(
        `${where}: expected merges of two tokens of the vocabulary, got ${JSON.stringify(merge)}`,
      )
    }
  }
  const endId = vocabulary.get(END_OF_TEXT)
  return byteLevelBpeJson({
    vocabulary,
    merges: merges.map((merge) => merge.trimEnd()),
    added: endId === undefined ? [] : [{ id: endId, content: END_OF_TEXT, normalized: true }],
  })
}

/** Byte-level byte-pair encoding without the parts that are always the same. */
export interface ByteLevelBpe {
  readonly vocabulary: Iterable<readonly [token: string, id: number]>

  /** The strongest first, each as a pair of tokens or as both with a blank between them. */
  readonly merges: readonly (string | readonly [left: string, right: string])[]

  /** Special tokens, which are in the vocabulary as well. */
  readonly added: readonly { readonly id: number; readonly content: string; readonly normalized: boolean }[]
}

/** The `tokenizer.json` of a tokenizer that works as GPT-2's does. */
export function byteLevelBpeJson({ vocabulary, merges, added }: ByteLevelBpe): string {
  return JSON.stringify({
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added.map((token) => specialToken(token)),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocabulary),
      merges,
    },
  })
}

/** A special token in the form of a `tokenizer.json`. @param token.normalized whether it is looked for after normalizing */
export function specialToken({ id, content, normalized }: { id: number; content: string; normalized: boolean }) {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized, special: true }
}

/** WordPiece without the parts that are always the same. */
export interface WordPiece {
  /** All tokens by their ids, with [UNK], [CLS] and [SEP] among them. */
  readonly tokens: readonly string[]

  /** Those that are not text. */
  readonly special: readonly string[]

  readonly normalization: BertNormalization
}

/** What BERT-like tokenizers do to text before they look words up. */
export interface BertNormalization {
  /** Whether upper case is ignored. */
  readonly lowercase: boolean

  /** Whether accents are ignored; where absent, as upper case is. */
  readonly stripAccents?: boolean | undefined

  /** Whether every Chinese character is a word of its own; true where absent. */
  readonly splitChinese?: boolean | undefined
}

/** The `tokenizer.json` of a tokenizer that works as BERT's does. */
export function wordPieceJson({ tokens, special, normalization }: WordPiece): string {
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const added = special.map((content) => ({ id: ids.get(content) ?? 0, content, normalized: false }))
  const token = (id: string, type: number) => ({ SpecialToken: { id, type_id: type } })
  const text = (id: string, type: number) => ({ Sequence: { id, type_id: type } })
  const known = (name: string) => ({ id: name, ids: [ids.get(name)], tokens: [name] })
  return JSON.stringify({
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added.sort((a, b) => a.id - b.id).map(specialToken),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: normalization.splitChinese ?? true,
      strip_accents: normalization.stripAccents ?? null,
      lowercase: normalization.lowercase,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [token('[CLS]', 0), text('A', 0), token('[SEP]', 0)],
      pair: [token('[CLS]', 0), text('A', 0), token('[SEP]', 0), text('B', 1), token('[SEP]', 1)],
      special_tokens: { '[CLS]': known('[CLS]'), '[SEP]': known('[SEP]') },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(ids),
    },
  })
}

/**
 * The `tokenizer.json` of BERT's older one-file format.
 *
 * @param text vocab.txt: a token a line, the line's number from 0 is its id
 * @param options.where what to call it in errors
 * @param options.lowercase whether upper case is ignored; where absent, as the vocabulary has no capitals
 * @throws TokenizerError where it lacks [UNK], [CLS] or [SEP], or has a token twice
 */
export function wordPieceFromVocabulary(
  text: string,
  { where, ...normalization }: { where: string } & Partial<BertNormalization>,
): string {
  const tokens = text.split(/\r?\n/)
  if (tokens.at(-1) === '') tokens.pop()
  const lacking = ['[UNK]', '[CLS]', '[SEP]'].filter((token) => !tokens.includes(token))
  if (lacking.length > 0) {
    throw new TokenizerError(`${where}: expected a line for each token, with ${lacking.join(', ')} among them`)
  }
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'].filter((token) => tokens.includes(token))
  const seen = new Set<string>()
  for (const [line, token] of tokens.entries()) {
    if (seen.has(token))
      throw new TokenizerError(`${where}:${line + 1}: the token ${JSON.stringify(token)} is there twice`)
    seen.add(token)
  }
  // Names as [CLS] or <S> are no text.
  const hasCapitals = tokens.some((token) => !/^(\[.*\]|<.*>)$/.test(token) && /[A-Z]/.test(token))
  const lowercase = normalization.lowercase ?? !hasCapitals
  return wordPieceJson({ tokens, special, normalization: { ...normalization, lowercase } })
}

/** The message of something that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
