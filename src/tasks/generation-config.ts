import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { CheckpointError } from '../errors.js'
import { beamSearch, greedy, type Strategy, sample } from '../generation/strategies.js'
import type { GenerationOptions } from '../generation/types.js'
import { readJson } from '../hub/files.js'

const ids = z.union([z.int(), z.array(z.int())])

/** What Hugging Face's generation_config.json says of how a model generates; other keys are left alone. */
const schema = z.looseObject({
  num_beams: z.int().positive().nullish(),
  num_beam_groups: z.int().positive().nullish(),
  diversity_penalty: z.number().nullish(),
  length_penalty: z.number().nullish(),
  early_stopping: z.union([z.boolean(), z.literal('never')]).nullish(),
  do_sample: z.boolean().nullish(),
  temperature: z.number().nullish(),
  top_k: z.int().nullish(),
  top_p: z.number().nullish(),
  max_new_tokens: z.int().positive().nullish(),
  max_length: z.int().positive().nullish(),
  min_new_tokens: z.int().nonnegative().nullish(),
  min_length: z.int().nonnegative().nullish(),
  no_repeat_ngram_size: z.int().nonnegative().nullish(),
  repetition_penalty: z.number().positive().nullish(),
  eos_token_id: ids.nullish(),
  forced_bos_token_id: z.int().nullish(),
  forced_eos_token_id: ids.nullish(),
  bad_words_ids: z.array(z.array(z.int())).nullish(),
})

type GenerationConfig = z.infer<typeof schema>

/**
 * How a checkpoint's texts are to be generated, from its generation_config.json; nothing where it has none.
 *
 * @throws CheckpointError for a file that is not one
 */
export function readGenerationOptions(directory: string): GenerationOptions {
  const path = join(directory, 'generation_config.json')
  if (!existsSync(path)) return {}
  const result = schema.safeParse(readJson(path))
  if (result.success) return optionsOf(result.data)
  const [{ path: key, message }] = result.error.issues
  throw new CheckpointError(`${path}: '${key.join('.')}' does not fit: ${message}`)
}

function optionsOf(config: GenerationConfig): GenerationOptions {
  const options: Partial<Record<keyof GenerationOptions, unknown>> = {
    strategy: strategyOf(config),
    // max_length counts the decoder's start token.
    maxNewTokens: config.max_new_tokens ?? minusOne(config.max_length),
    minNewTokens: config.min_new_tokens ?? minusOne(config.min_length),
    noRepeatNgramSize: config.no_repeat_ngram_size || undefined,
    repetitionPenalty: config.repetition_penalty,
    eosTokenIds: listOf(config.eos_token_id),
    forcedBosTokenId: config.forced_bos_token_id,
    forcedEosTokenId: listOf(config.forced_eos_token_id)?.[0],
    badWords: config.bad_words_ids,
  }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined && value !== null))
}

/** Nothing where the file does not speak of it. */
function strategyOf(config: GenerationConfig): Strategy | undefined {
  const { num_beams, num_beam_groups, diversity_penalty, length_penalty, early_stopping } = config
  if (num_beams && num_beams > 1) {
    return beamSearch({
      beams: num_beams,
      ...(length_penalty !== null && { lengthPenalty: length_penalty }),
      ...(early_stopping !== null && { earlyStopping: early_stopping }),
      ...(num_beam_groups && num_beam_groups > 1 && { beamGroups: num_beam_groups }),
      ...(diversity_penalty && { diversityPenalty: diversity_penalty }),
    })
  }
  if (config.do_sample) {
    const { temperature, top_k, top_p } = config
    return sample({ temperature: temperature ?? 1, topK: top_k ?? 50, topP: top_p ?? 1 })
  }
  return num_beams === 1 ? greedy() : undefined
}

function minusOne(count: number | null | undefined): number | undefined {
  return count === null || count === undefined ? undefined : Math.max(0, count - 1)
}

function listOf(value: number | number[] | null | undefined): number[] | undefined {
  return value === null || value === undefined ? undefined : [value].flat()
}
