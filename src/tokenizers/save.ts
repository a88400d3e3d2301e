import { join } from 'node:path'
import { writeFileAtomically } from '../hub/files.js'
import { postProcessorSteps } from './post-processors.js'
import { type SpecialTokenRole, specialTokenRoles, tokenKey } from './special-tokens.js'
import type { Encoding, Tokenizer } from './tokenizer.js'
import { parseTokenizer, type TokenizerJson } from './tokenizer-json.js'

/** What a saved tokenizer says beside its vocabulary. */
export interface SaveTokenizerOptions {
  /** Most tokens that the model reads. */
  readonly contextLength?: number
  /** The Jinja template that conversations are written with. */
  readonly chatTemplate?: string
}

/** Writes `tokenizer.json` and the `tokenizer_config.json` with which Python's AutoTokenizer opens it. */
export function saveTokenizer(directory: string, tokenizer: Tokenizer, options: SaveTokenizerOptions = {}): void {
  const text = tokenizer.toJSON()
  const json = parseTokenizer(text, 'tokenizer.json')
  const config = {
    ...(bertConfiguration(json, tokenizer) ?? robertaConfiguration(json, tokenizer) ?? generalConfiguration),
    ...Object.fromEntries(specialTokenRoles.map((role) => [tokenKey(role), tokenizer.specialTokens[role]?.token])),
    model_max_length: options.contextLength,
    chat_template: options.chatTemplate,
  }
  writeFileAtomically(join(directory, 'tokenizer.json'), text)
  writeFileAtomically(join(directory, 'tokenizer_config.json'), `${JSON.stringify(config, null, 2)}\n`)
}

/** Python then takes all but the names of special tokens from `tokenizer.json`. */
const generalConfiguration = { tokenizer_class: 'PreTrainedTokenizerFast' }

/**
 * What Python's BertTokenizer is told; undefined for a tokenizer that it would not open as it is, since it takes only the
 * vocabulary from `tokenizer.json` and sets up everything else by itself.
 */
function bertConfiguration({ model, normalizer, pre_tokenizer: split, decoder }: TokenizerJson, tokenizer: Tokenizer) {
  const isWordPiece =
    model.type === 'WordPiece' &&
    model.unk_token === tokenizer.specialTokens.unknown?.token &&
    (model.continuing_subword_prefix ?? '##') === '##' &&
    (model.max_input_chars_per_word ?? 100) === 100
  const isBert = normalizer?.type === 'BertNormalizer' && normalizer.clean_text !== false
  const isPlain = split?.type === 'BertPreTokenizer' && decoder?.type === 'WordPiece' && decoder.cleanup !== false
  const roles = ['pad', 'unknown', 'cls', 'sep', 'mask'] as const
  if (!isWordPiece || !isBert || !isPlain || !hasTokens(tokenizer, roles, { between: 1, second: 1 })) return undefined
  return {
    tokenizer_class: 'BertTokenizer',
    do_lower_case: normalizer.lowercase !== false,
    strip_accents: normalizer.strip_accents ?? null,
    tokenize_chinese_chars: normalizer.handle_chinese_chars !== false,
  }
}

/** The same for RobertaTokenizer. */
function robertaConfiguration(json: TokenizerJson, tokenizer: Tokenizer) {
  const { model, normalizer, pre_tokenizer: split, post_processor: post, decoder } = json
  const isBytePair =
    model.type === 'BPE' &&
    !(model.unk_token || model.dropout || model.fuse_unk || model.byte_fallback || model.ignore_merges) &&
    !(model.continuing_subword_prefix || model.end_of_word_suffix)
  const isByteLevel = split?.type === 'ByteLevel' && split.use_regex !== false && decoder?.type === 'ByteLevel'
  const [processing, ...others] = postProcessorSteps(post)
  const isRoberta = processing?.type === 'RobertaProcessing' && others.length === 0
  if (!isBytePair || normalizer || !isByteLevel || !isRoberta) return undefined
  const isPrefixed = split.add_prefix_space !== false
  const isSame = isPrefixed === (processing.add_prefix_space !== false)
  if (!isSame || !hasTokens(tokenizer, specialTokenRoles, { between: 2, second: 0 })) return undefined
  return {
    tokenizer_class: 'RobertaTokenizer',
    add_prefix_space: isPrefixed,
    trim_offsets: processing.trim_offsets !== false,
  }
}

/**
 * Whether a tokenizer has special tokens for all roles and puts [CLS] before, [SEP] behind, and so many [SEP] between two
 * texts.
 *
 * @param pair.second the segment of the second text
 */
function hasTokens(
  { specialTokens, template }: Tokenizer,
  roles: readonly SpecialTokenRole[],
  pair: { between: number; second: number },
): boolean {
  if (!roles.every((role) => specialTokens[role])) return false
  const text: Encoding = { ids: [-1], tokens: [''], offsets: [[0, 0]], words: [0] }
  const [cls, sep] = [specialTokens.cls?.id, specialTokens.sep?.id]
  const between = Array.from({ length: pair.between }, () => sep)
  const [single, double] = [template.join(text), template.join(text, text)]
  return (
    String(single.ids) === String([cls, -1, sep]) &&
    String(double.ids) === String([cls, -1, ...between, -1, sep]) &&
    double.segments.every((segment, i) => segment === (i > 2 ? pair.second : 0))
  )
}
