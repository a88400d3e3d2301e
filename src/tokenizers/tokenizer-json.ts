import { z } from 'zod'
import { TokenizerError } from '../errors.js'

const addedToken = z.looseObject({
  id: z.int().nonnegative(),
  content: z.string(),
  single_word: z.boolean().optional(),
  lstrip: z.boolean().optional(),
  rstrip: z.boolean().optional(),
  special: z.boolean().optional(),
})

const part = z.looseObject({ type: z.string() }).nullish()

const schema = z.looseObject({
  added_tokens: z.array(addedToken).nullish(),
  normalizer: part,
  pre_tokenizer: part,
  post_processor: part,
  decoder: part,
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

/** A token that text is searched for before the model sees it. */
export type AddedToken = z.infer<typeof addedToken>

/** Names under which checkpoints without a tokenizer_config.json keep the token that ends a text. */
const USUAL_END_TOKENS = ['<|endoftext|>', '</s>', '<eos>']

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
 * The tokens of a vocabulary that maps them to ids (WordLevel, WordPiece, BPE).
 *
 * @throws TokenizerError for another kind of vocabulary
 */
export function* modelVocabulary(json: TokenizerJson): Generator<[token: string, id: number]> {
  const vocabulary = json.model.vocab
  if (typeof vocabulary !== 'object' || vocabulary === null || Array.isArray(vocabulary)) {
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
 * The id of the token that ends a text.
 *
 * @param eosToken its spelling where a configuration names it; else the first special token with a usual name
 */
export function endOfSequenceId(json: TokenizerJson, eosToken?: string): number | undefined {
  const names = eosToken === undefined ? USUAL_END_TOKENS : [eosToken]
  const added = addedTokens(json)
  return names.map((name) => added.find(({ content }) => content === name)?.id).find((id) => id !== undefined)
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
  const end = USUAL_END_TOKENS[0]
  const endId = vocabulary.get(end)
  const added = { content: end, single_word: false, lstrip: false, rstrip: false, normalized: true, special: true }
  return JSON.stringify({
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: endId === undefined ? [] : [{ id: endId, ...added }],
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
      merges: merges.map((merge) => merge.trimEnd()),
    },
  })
}

/** The message of something that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
