import { CheckpointError } from '../../errors.js'
import { commonJson, type GgufVocabulary, ggml, idsOf } from './tokenizer.js'

/** How a text is cut into words, which byte-pair encoding never joins. */
interface Splitting {
  /** The steps of the `pre_tokenizer`. */
  readonly steps: readonly object[]
  readonly normalizer?: object
  /** Whether a word that is a token is never built from merges. */
  readonly wholeWords?: boolean
}

const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false }
const gpt2Words = { ...bytes, use_regex: true }

/** Words where a pattern matches, then bytes. */
function words(pattern: string): readonly object[] {
  return [{ type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false }, bytes]
}

/** GPT-4's pattern with so many digits in a word at most, as Llama 3 and Qwen 2 have it. */
function gpt4Words(digits: string): readonly object[] {
  return words(
    `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  )
}

const [upper, lower] = ['[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]', '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]']

const gpt2: Splitting = { steps: [gpt2Words] }
const digitsApart: Splitting = { steps: [{ type: 'Digits', individual_digits: true }, gpt2Words] }
const llama3: Splitting = { steps: gpt4Words('\\p{N}{1,3}'), wholeWords: true }
const qwen2: Splitting = { steps: gpt4Words('\\p{N}'), normalizer: { type: 'NFC' } }
/** Mistral's newer vocabularies, which tell words with capitals apart. */
const tekken: Splitting = {
  steps: words(
    `[^\\r\\n\\p{L}\\p{N}]?${upper}*${lower}+|[^\\r\\n\\p{L}\\p{N}]?${upper}+${lower}*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  ),
  wholeWords: true,
}

/** By llama.cpp's names of tokenizers, `tokenizer.ggml.pre`. */
const splittings: Readonly<Record<string, Splitting>> = {
  'gpt-2': gpt2,
  'phi-2': gpt2,
  mpt: gpt2,
  olmo: gpt2,
  'roberta-bpe': gpt2,
  smollm: digitsApart,
  starcoder: digitsApart,
  refact: digitsApart,
  'command-r': digitsApart,
  codeshell: digitsApart,
  'llama-bpe': llama3,
  llama3,
  'llama-v3': llama3,
  qwen2,
  'deepseek-r1-qwen': qwen2,
  megrez: qwen2,
  tekken,
}

/**
 * The `tokenizer.json` of byte-level byte-pair encoding.
 *
 * @throws CheckpointError where it is not known how it cuts texts into words
 */
export function bytePairJson(vocabulary: GgufVocabulary): string {
  const { tokens, metadata, where } = vocabulary
  const name = metadata.required(ggml('pre'), metadata.text(ggml('pre')))
  const splitting = Object.hasOwn(splittings, name) ? splittings[name] : undefined
  if (splitting === undefined) {
    throw new CheckpointError(
      `${where}: it is not known how the tokenizer '${name}' cuts texts into words; known are ${Object.keys(splittings).join(', ')}; put its tokenizer.json into a directory of its own`,
    )
  }
  const { steps, normalizer = null, wholeWords = false } = splitting
  return JSON.stringify({
    ...commonJson(vocabulary),
    normalizer,
    pre_tokenizer: steps.length === 1 ? steps[0] : { type: 'Sequence', pretokenizers: steps },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: wholeWords,
      vocab: Object.fromEntries(idsOf(tokens)),
      merges: metadata.required(ggml('merges'), metadata.texts(ggml('merges'))),
    },
  })
}
