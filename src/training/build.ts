import type { TokenizeProgress } from '../data/token-cache.js'
import { ConfigError } from '../errors.js'
import type { Module } from '../nn/index.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { buildAnswering } from './build/answering.js'
import { buildCausalLm } from './build/causal-lm.js'
import { buildClassification } from './build/classification.js'
import { buildInstruction } from './build/instruction.js'
import { buildMaskedLm } from './build/masked-lm.js'
import { buildMultipleChoice } from './build/multiple-choice.js'
import { buildRelation } from './build/relation.js'
import { buildTagging } from './build/tagging.js'
import type { Objective } from './objectives/objective.js'
import type { Recipe } from './recipe.js'

/** A recipe's model, tokenizer and objective, ready to be trained. */
export interface Ingredients {
  readonly model: Module & { readonly config: { readonly contextLength: number } }
  readonly tokenizer: Tokenizer
  readonly objective: Objective & { readonly batchesPerEpoch: number }
  /** How much there is to learn from. */
  readonly size: { readonly count: number; readonly unit: 'tokens' | 'examples' }
  /** The Jinja template that conversations are written with, where the model is for chats. */
  readonly chatTemplate?: string
}

/** What an objective is built from. */
export interface BuildOptions {
  readonly recipe: Recipe
  /** A directory to take model and tokenizer from instead of what the recipe says, to resume. */
  readonly checkpoint?: string
  /** Hears how far the data is tokenized, which takes minutes for gigabytes. */
  readonly onTokenize?: (progress: TokenizeProgress) => void
  /** Hears what is worth knowing about the data, such as that texts were cut. */
  readonly onWarning?: (message: string) => void
}

const builders: Partial<Record<Recipe['objective'], (options: BuildOptions) => Promise<Ingredients>>> = {
  'causal-lm': buildCausalLm,
  classification: buildClassification,
  instruction: buildInstruction,
  'masked-lm': buildMaskedLm,
  answering: buildAnswering,
  'multiple-choice': buildMultipleChoice,
  relation: buildRelation,
  tagging: buildTagging,
}

/**
 * Makes or loads the tokenizer and the model, reads the data and sets up the objective.
 *
 * @throws DataError, ConfigError, CheckpointError, TokenizerError for what is missing, damaged or does not fit
 */
export function build(options: BuildOptions): Promise<Ingredients> {
  const { objective } = options.recipe
  const builder = builders[objective]
  if (builder === undefined) throw new ConfigError(`objective: ${objective} is not there yet`)
  return builder(options)
}
