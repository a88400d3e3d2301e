import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { CheckpointError } from '../errors.js'
import { readDataSettings } from '../hub/data-settings.js'
import { readJson } from '../hub/files.js'

/** What stands for a text: the mean of its tokens, or its first one, [CLS]. */
export type Pooling = 'mean' | 'cls'

/** How texts become vectors. */
export interface EmbedderSettings {
  readonly pooling: Pooling
  /** Whether vectors have the length 1. */
  readonly normalized: boolean
  /** Most tokens of a text, where something says so. */
  readonly maxLength: number | undefined
  /** What is put before every text. */
  readonly prompt: string
  /** Whether texts are lower-cased before they are tokenized. */
  readonly lowercase: boolean
}

/** What may be decided instead of what the directory says. */
export type EmbedderChoices = { readonly [Name in 'pooling' | 'normalized' | 'maxLength']?: EmbedderSettings[Name] }

const modules = z.array(z.looseObject({ path: z.string(), type: z.string() }))

const mode = z.union([z.string(), z.array(z.string())])

const poolingConfig = z.looseObject({ pooling_mode: mode.optional(), include_prompt: z.boolean().default(true) })

const transformerConfig = z.looseObject({
  max_seq_length: z.int().positive().nullish(),
  do_lower_case: z.boolean().default(false),
})

const promptsConfig = z.looseObject({
  prompts: z.record(z.string(), z.string().nullable()).default({}),
  default_prompt_name: z.string().nullish(),
})

const tokenizerConfig = z.looseObject({ model_max_length: z.number().positive().nullish() })

/** The older way to say which pooling it is: a truth value for each mode. */
const olderModes = {
  pooling_mode_cls_token: 'cls',
  pooling_mode_max_tokens: 'max',
  pooling_mode_mean_tokens: 'mean',
  pooling_mode_mean_sqrt_len_tokens: 'mean_sqrt_len_tokens',
  pooling_mode_weightedmean_tokens: 'weightedmean',
  pooling_mode_lasttoken: 'lasttoken',
}

/**
 * How an encoder's directory says that texts become vectors, by the files of Python's sentence-transformers
 * (`modules.json`, `1_Pooling/config.json`, `sentence_bert_config.json`, `config_sentence_transformers.json`). Where there
 * are none: the mean of all tokens, normalized, of as many tokens as in training or as the tokenizer allows.
 *
 * @param choices what is decided already, and need not be known from the directory
 * @throws CheckpointError for a damaged file, or one that asks for something else than mean or first token
 */
export function readEmbedderSettings(directory: string, choices: EmbedderChoices = {}): EmbedderSettings {
  const parts = readParts(directory)
  const pooling = parts?.find(({ kind }) => kind === 'Pooling')
  const config = read(join(directory, pooling?.path ?? '1_Pooling', 'config.json'), poolingConfig)
  const { max_seq_length, do_lower_case = false } = read(
    join(directory, 'sentence_bert_config.json'),
    transformerConfig,
  )
  const { model_max_length } = read(join(directory, 'tokenizer_config.json'), tokenizerConfig)
  const prompt = promptOf(directory)
  if (prompt !== '' && config.include_prompt === false) {
    throw new CheckpointError(`${directory}: pooling without the prompt '${prompt}' is not supported`)
  }
  return {
    pooling: choices.pooling ?? poolingOf(config, directory),
    normalized: choices.normalized ?? (parts === undefined || parts.some(({ kind }) => kind === 'Normalize')),
    maxLength:
      choices.maxLength ?? max_seq_length ?? readDataSettings(directory).maxLength ?? model_max_length ?? undefined,
    prompt,
    lowercase: do_lower_case,
  }
}

/** The modules of a sentence encoder; undefined where the directory is not one. */
function readParts(directory: string): { kind: string; path: string }[] | undefined {
  const file = join(directory, 'modules.json')
  if (!existsSync(file)) return undefined
  const parts = parse(file, modules).map(({ type, path }) => ({ kind: type.slice(type.lastIndexOf('.') + 1), path }))
  const stranger = parts.find(({ kind }) => !knownParts.includes(kind))
  if (stranger === undefined) return parts
  throw new CheckpointError(`${file}: a ${stranger.kind} module is not supported; known are ${knownParts.join(', ')}`)
}

const knownParts = ['Transformer', 'Pooling', 'Normalize']

function poolingOf(config: Partial<z.infer<typeof poolingConfig>>, directory: string): Pooling {
  const older = Object.entries(olderModes).filter(([key]) => config[key] === true)
  const modes = [config.pooling_mode ?? older.map(([, name]) => name)].flat()
  const [name = 'mean', ...others] = modes
  if (others.length === 0 && (name === 'mean' || name === 'cls')) return name
  throw new CheckpointError(
    `${directory}: pooling by ${modes.join(' and ')} is not supported; choose mean or cls instead`,
  )
}

function promptOf(directory: string): string {
  const { prompts = {}, default_prompt_name } = read(
    join(directory, 'config_sentence_transformers.json'),
    promptsConfig,
  )
  return (default_prompt_name && prompts[default_prompt_name]) || ''
}

/** The contents of a file that may be missing. */
function read<T extends object>(file: string, schema: z.ZodType<T>): Partial<T> {
  return existsSync(file) ? parse(file, schema) : {}
}

function parse<T>(file: string, schema: z.ZodType<T>): T {
  const result = schema.safeParse(readJson(file))
  if (result.success) return result.data
  const [{ path, message }] = result.error.issues
  throw new CheckpointError(`${file}: '${path.join('.')}' is not what sentence-transformers writes: ${message}`)
}
