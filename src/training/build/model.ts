import { CheckpointError, ConfigError, nearestName } from '../../errors.js'
import { checkTokenizer } from '../../hub/check-tokenizer.js'
import { loadModel } from '../../hub/checkpoint.js'
import {
  GPT,
  type GPTConfig,
  GPTForSequenceClassification,
  gpt2Large,
  gpt2Medium,
  gpt2Small,
  gpt2XL,
  gptCharacter,
} from '../../models/index.js'
import { initialize, type Module } from '../../nn/index.js'
import { readChatTemplate } from '../../tokenizers/chat-template-file.js'
import { loadTokenizer } from '../../tokenizers/node.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import type { ModelOptions, Recipe } from '../recipe.js'

/** Presets by the names that recipes use: Hugging Face's for GPT-2. */
const presets: Readonly<Record<string, (vocabularySize: number) => GPTConfig>> = {
  'gpt-character': gptCharacter,
  gpt2: gpt2Small,
  'gpt2-medium': gpt2Medium,
  'gpt2-large': gpt2Large,
  'gpt2-xl': gpt2XL,
}

/** A model and tokenizer that belong together. */
export interface ModelWithTokenizer<M extends Module = Module> {
  readonly model: M
  readonly tokenizer: Tokenizer
  /** The chat template of the checkpoint that they come from, where it has one. */
  readonly chatTemplate?: string | undefined
}

/**
 * Opens the checkpoint that a training goes on from.
 *
 * @throws CheckpointError where it has another kind of model, or a tokenizer of another vocabulary
 */
export async function openCheckpoint(path: string): Promise<ModelWithTokenizer<GPT | GPTForSequenceClassification>> {
  const { model, directory } = loadModel(path)
  const tokenizer = await loadTokenizer(directory)
  if (!(model instanceof GPT || model instanceof GPTForSequenceClassification)) {
    throw new CheckpointError(`${directory}: this objective trains a GPT, not a ${model.constructor.name}`)
  }
  checkTokenizer(tokenizer, model, directory)
  return { model, tokenizer, chatTemplate: readChatTemplate(directory) }
}

/** A language model's first weights by the recipe's seed. */
export function makeGPT({ model, train }: Recipe, { vocabularySize }: Tokenizer): GPT {
  const made = new GPT(gptConfig(model, vocabularySize))
  initialize(made.parameters(), train.seed)
  return made
}

/** A language model with the weights of another model's body, and its head where it is one. */
export function languageModelFrom(model: GPT | GPTForSequenceClassification, options: ModelOptions, seed: number): GPT {
  const dropout = options.dropout ?? model.config.dropout
  if (model instanceof GPT && dropout === model.config.dropout) return model
  const made = new GPT({ ...model.config, dropout })
  return withWeightsOf(made, model, seed)
}

/** A classifier with the weights of another model's body. */
export function classifierFrom(
  model: GPT | GPTForSequenceClassification,
  labels: readonly string[],
  { options, seed }: { options: ModelOptions; seed: number },
): GPTForSequenceClassification {
  const made = new GPTForSequenceClassification(
    { ...model.config, dropout: options.dropout ?? model.config.dropout },
    labels,
  )
  return withWeightsOf(made, model, seed)
}

/** Takes over the parameters that two models have in common; the others get their first weights. */
function withWeightsOf<M extends Module>(made: M, source: Module, seed: number): M {
  const parameters = made.parameters()
  const known = source.parameters()
  initialize(parameters, seed)
  for (const [path, parameter] of Object.entries(parameters)) {
    const { data, size } = known[path] ?? {}
    if (data !== undefined && size === parameter.size) parameter.data = data
  }
  return made
}

/** The sizes that a recipe gives a new GPT. @throws ConfigError for an unknown preset */
export function gptConfig(options: ModelOptions, vocabularySize: number): GPTConfig {
  if ('from' in options) throw new ConfigError('model.from names a checkpoint, which is loaded and not made')
  if (!('preset' in options)) return { ...options, vocabularySize }
  const { preset, type: _type, ...given } = options
  const make = presets[preset]
  if (make !== undefined) return { ...make(vocabularySize), ...given, vocabularySize }
  const nearest = nearestName(preset, Object.keys(presets))
  const hint = nearest === undefined ? '' : `, did you mean ${nearest}?`
  throw new ConfigError(`model.preset: '${preset}' is unknown${hint} (valid: ${Object.keys(presets).join(', ')})`)
}
