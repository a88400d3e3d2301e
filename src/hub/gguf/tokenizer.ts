import { CheckpointError } from '../../errors.js'
import type { SpecialTokenNames } from '../../tokenizers/special-tokens.js'
import { bytePairJson } from './byte-pair-tokenizer.js'
import { type ByteSource, withFileSource } from './byte-source.js'
import { readGgufHeader } from './header.js'
import { GgufMetadata } from './metadata.js'
import { sentencePieceJson } from './sentence-piece-tokenizer.js'

/** A tokenizer as our own tokenizers take it. */
export interface GgufTokenizer {
  /** The text of a `tokenizer.json` that does the same. */
  readonly text: string
  readonly specialTokens: SpecialTokenNames
}

/** A file's vocabulary and settings, as the makers of a `tokenizer.json` need them. */
export interface GgufVocabulary {
  /** By their ids. */
  readonly tokens: readonly string[]
  readonly metadata: GgufMetadata
  /** In the form of a `tokenizer.json`. */
  readonly added: readonly AddedToken[]
  /** What is put before and behind a text. */
  readonly before: readonly SpecialId[]
  readonly after: readonly SpecialId[]
  readonly where: string
}

interface SpecialId {
  readonly id: number
  readonly token: string
}

interface AddedToken {
  readonly id: number
  readonly content: string
  readonly special: boolean
}

/** Kinds of tokens, by GGUF's numbers: those that are not text, and texts that are never cut. */
const [controlKind, userKind] = [3, 4]

/** More than any vocabulary has. */
const maximumTokens = 1 << 20

/**
 * The tokenizer of a GGUF file.
 *
 * @throws CheckpointError where the file is missing or damaged, or has none of a kind that is known
 */
export function loadGgufTokenizer(path: string): GgufTokenizer {
  return withFileSource(path, readGgufTokenizer)
}

/** The Jinja template that a GGUF file brings for conversations, where it does. @throws CheckpointError for a damaged file */
export function loadGgufChatTemplate(path: string): string | undefined {
  return withFileSource(path, (source) =>
    new GgufMetadata(readGgufHeader(source), source.where).text('tokenizer.chat_template'),
  )
}

/** {@link loadGgufTokenizer} from any source. */
export function readGgufTokenizer(source: ByteSource): GgufTokenizer {
  const metadata = new GgufMetadata(readGgufHeader(source), source.where)
  const kind = metadata.required(ggml('model'), metadata.text(ggml('model')))
  const vocabulary = vocabularyOf(metadata, kind, source.where)
  switch (kind) {
    case 'gpt2':
      return { text: bytePairJson(vocabulary), specialTokens: specialNames(vocabulary) }
    case 'llama':
      return { text: sentencePieceJson(vocabulary), specialTokens: specialNames(vocabulary) }
    default:
      throw new CheckpointError(`${source.where}: the tokenizer '${kind}' is not supported; known are gpt2, llama`)
  }
}

/** A key of the tokenizer's. */
export function ggml(name: string): string {
  return `tokenizer.ggml.${name}`
}

function vocabularyOf(metadata: GgufMetadata, kind: string, where: string): GgufVocabulary {
  const tokens = metadata.required(ggml('tokens'), metadata.texts(ggml('tokens')))
  if (tokens.length > maximumTokens) {
    throw new CheckpointError(`${where}: claims ${tokens.length} tokens, more than the ${maximumTokens} allowed`)
  }
  const kinds = metadata.numbers(ggml('token_type')) ?? []
  const added = tokens.flatMap((content, id) =>
    content !== '' && (kinds[id] === controlKind || kinds[id] === userKind)
      ? [{ id, content, special: kinds[id] === controlKind }]
      : [],
  )
  const find = (name: string) => {
    const id = metadata.number(ggml(`${name}_token_id`))
    return id === undefined || tokens[id] === undefined ? [] : [{ id, token: tokens[id] }]
  }
  // Where a file does not say, llama.cpp begins texts of these tokenizers so.
  const begins = kind === 'llama' || startsTexts.includes(metadata.text(ggml('pre')) ?? '')
  const before = (metadata.flag(ggml('add_bos_token')) ?? begins) ? find('bos') : []
  const after = metadata.flag(ggml('add_eos_token')) ? find('eos') : []
  return { tokens, metadata, added, before, after, where }
}

const startsTexts: readonly string[] = ['llama-bpe', 'llama3', 'llama-v3', 'tekken']

/** How the special tokens are spelled whose ids the file gives. */
function specialNames({ metadata, tokens }: GgufVocabulary): SpecialTokenNames {
  const name = (key: string) => {
    const id = metadata.number(ggml(`${key}_token_id`))
    return id === undefined ? undefined : tokens[id]
  }
  return { bos: name('bos'), eos: name('eos'), unknown: name('unknown'), pad: name('padding') }
}

/** What every `tokenizer.json` made here has: no padding, no truncation, the added tokens, what surrounds a text. */
export function commonJson({ added, before, after }: GgufVocabulary) {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added.map(({ id, content, special }) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special,
    })),
    post_processor: templateOf(before, after),
  }
}

function templateOf(before: readonly SpecialId[], after: readonly SpecialId[]) {
  if (before.length + after.length === 0) return null
  const special = (segment: number) => (part: SpecialId) => ({ SpecialToken: { id: part.token, type_id: segment } })
  const text = (id: string, segment: number) => [
    ...before.map(special(segment)),
    { Sequence: { id, type_id: segment } },
    ...after.map(special(segment)),
  ]
  const known = [...before, ...after].map(
    ({ id, token }) => [token, { id: token, ids: [id], tokens: [token] }] as const,
  )
  return {
    type: 'TemplateProcessing',
    single: text('A', 0),
    pair: [...text('A', 0), ...text('B', 1)],
    special_tokens: Object.fromEntries(known),
  }
}

/** The ids of tokens by their texts; of several with one text the first. */
export function idsOf(tokens: readonly string[]): Map<string, number> {
  const ids = new Map<string, number>()
  for (const [id, token] of tokens.entries()) if (!ids.has(token)) ids.set(token, id)
  return ids
}
