import type { TokenizeProgress } from '../data/token-cache.js'
import { ConfigError } from '../errors.js'
import type { ResolveOptions } from '../hub/download/index.js'
import type { Module } from '../nn/index.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { buildAnswering } from './build/answering.js'
import { buildCausalLm } from './build/causal-lm.js'
import { buildClassification } from './build/classification.js'
import { buildDenoising } from './build/denoising.js'
import { buildInstruction } from './build/instruction.js'
import { withLocalModels } from './build/local-models.js'
import { buildMaskedLm } from './build/masked-lm.js'
import { buildMultipleChoice } from './build/multiple-choice.js'
import { buildRelation } from './build/relation.js'
import { buildSequenceToSequence } from './build/sequence-to-sequence.js'
import { buildTagging } from './build/tagging.js'
import type { Objective } from './objectives/objective.js'
import type { Recipe } from './recipe.js'

/** A recipe's model, tokenizer and objective, ready to be trained. */
export interface Ingredients {
  readonly model: Module & { readonly config: { readonly contextLength: number } }
  readonly tokenizer: Tokenizer
  /** Of the sources, where they have one of their own. */
  readonly sourceTokenizer?: Tokenizer | undefined
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
  /** How models of the hub are downloaded that the recipe names. */
  readonly download?: Pick<ResolveOptions, 'signal' | 'onProgress' | 'onMessage'> | undefined
}

const builders: Record<Recipe['objective'], (options: BuildOptions) => Promise<Ingredients>> = {
  'causal-lm': buildCausalLm,
  classification: buildClassification,
  denoising: buildDenoising,
  instruction: buildInstruction,
  'masked-lm': buildMaskedLm,
  answering: buildAnswering,
  'multiple-choice': buildMultipleChoice,
  relation: buildRelation,
  seq2seq: buildSequenceToSequence,
  tagging: buildTagging,
}

/**
 * Makes or loads the tokenizer and the model, reads the data and sets up the objective.
 *
 * @throws DataError, ConfigError, CheckpointError, TokenizerError for what is missing, damaged or does not fit
 */
export async function build(options: BuildOptions): Promise<Ingredients> {
  checkKeys(options.recipe)
  // A checkpoint to resume from has all that the recipe's models brought.
  const recipe = options.checkpoint ? options.recipe : await withLocalModels(options.recipe, options.download)
  return builders[recipe.objective]({ ...options, recipe })
}

/** What only some objectives know. */
const keysOf: readonly { key: string; objectives: readonly Recipe['objective'][]; of: (recipe: Recipe) => unknown }[] =
  [
    {
      key: 'train.batchTokens',
      objectives: ['seq2seq', 'classification', 'tagging', 'answering', 'multiple-choice', 'relation'],
      of: ({ train }) => train.batchTokens,
    },
    { key: 'train.labelSmoothing', objectives: ['seq2seq', 'denoising'], of: ({ train }) => train.labelSmoothing },
    { key: 'data.split', objectives: ['seq2seq'], of: ({ data }) => data.split },
    { key: 'data.lowercase', objectives: ['seq2seq'], of: ({ data }) => data.lowercase },
    { key: 'data.prefix', objectives: ['seq2seq'], of: ({ data }) => data.prefix },
    {
      key: 'tokenizer.separate',
      objectives: ['seq2seq'],
      of: ({ tokenizer }) => tokenizer !== undefined && 'separate' in tokenizer && (tokenizer.separate || undefined),
    },
    { key: 'denoising', objectives: ['denoising'], of: ({ denoising }) => denoising },
  ]

/** @throws ConfigError for a key that would change nothing */
function checkKeys(recipe: Recipe): void {
  const useless = keysOf.find(({ objectives, of }) => !objectives.includes(recipe.objective) && of(recipe))
  if (useless === undefined) return
  const { key, objectives } = useless
  throw new ConfigError(
    `${key}: it is for ${objectives.join(', ')}, and changes nothing for ${recipe.objective}; leave it out`,
  )
}
