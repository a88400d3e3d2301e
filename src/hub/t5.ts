import { z } from 'zod'
import { CheckpointError } from '../errors.js'
import { T5, type T5Config } from '../models/index.js'
import type { Activation } from '../nn/index.js'
import { type Architecture, activationOf } from './architecture.js'
import { parseConfig } from './bert-family.js'
import { specialTokens } from './sequence-to-sequence.js'

/** What the config.json of T5 and mT5 says, of which everything else has no bearing on the computation. */
const schema = z.looseObject({
  vocab_size: z.int().positive(),
  d_model: z.int().positive(),
  d_kv: z.int().positive().default(64),
  d_ff: z.int().positive(),
  num_layers: z.int().positive(),
  num_decoder_layers: z.int().positive().nullish(),
  num_heads: z.int().positive(),
  relative_attention_num_buckets: z.int().positive().default(32),
  relative_attention_max_distance: z.int().positive().default(128),
  n_positions: z.int().positive().default(512),
  feed_forward_proj: z.string().default('relu'),
  dropout_rate: z.number().default(0.1),
  layer_norm_epsilon: z.number().positive().default(1e-6),
  tie_word_embeddings: z.boolean().default(true),
  scale_decoder_outputs: z.boolean().optional(),
  pad_token_id: z.int().nonnegative().nullish(),
  eos_token_id: z.int().nonnegative().nullish(),
  decoder_start_token_id: z.int().nonnegative().nullish(),
})

/** T5, all versions of it: `T5ForConditionalGeneration`. */
export const t5Architecture: Architecture<T5> = {
  name: 'T5ForConditionalGeneration',
  modelType: 't5',
  generates: true,
  create: (json, where) => new T5(toT5Config(json, where)),
  owns: (model): model is T5 => model instanceof T5,
  toConfig: ({ config }) => ({
    architectures: ['T5ForConditionalGeneration'],
    model_type: 't5',
    ...fromT5Config(config),
  }),
  specialTokens: ({ config }) => specialTokens({ eosTokenId: 1, ...config }),
  parameterName(stored) {
    // Copies of the shared embeddings, and biases that no version ever used.
    const isSpare = /^(en|de)coder\.embed_tokens\.weight$|EncDecAttention\.relative_attention_bias\.weight$/.test(
      stored,
    )
    return isSpare ? undefined : stored
  },
  // Today's transformers saves heads that are the embeddings, yet do not scale: the two start equal here and part in training.
  standIn: (name) => (name === 'lm_head.weight' ? 'shared.weight' : undefined),
  extraTensors: () => new Map(),
  ignores: (_model, name) => name === 'lm_head.weight', // tied: the token embeddings stand for it
}

/** mT5, which is T5 1.1 with another vocabulary: `MT5ForConditionalGeneration`. Read only: it is saved as the T5 that it is. */
export const mt5Architecture: Architecture<T5> = {
  ...t5Architecture,
  name: 'MT5ForConditionalGeneration',
  modelType: 'mt5',
  create(json, where) {
    const defaults = { feed_forward_proj: 'gated-gelu' }
    // Whatever its config.json says, an mT5 has a head of its own, which does not scale.
    return new T5({ ...toT5Config(Object.assign(defaults, json), where), tiedHead: false })
  },
  owns: (_model): _model is T5 => false,
}

/**
 * A model's sizes from the contents of config.json.
 *
 * @throws CheckpointError where a key is missing, has a wrong type, or asks for something that T5 does not do
 */
export function toT5Config(json: unknown, where: string): T5Config {
  const config = parseConfig(schema, json, { family: 'T5', where })
  const padTokenId = config.pad_token_id ?? 0
  return {
    vocabularySize: config.vocab_size,
    contextLength: config.n_positions,
    encoderLayers: config.num_layers,
    decoderLayers: config.num_decoder_layers ?? config.num_layers,
    heads: config.num_heads,
    width: config.d_model,
    headWidth: config.d_kv,
    innerWidth: config.d_ff,
    ...feedForwardOf(config.feed_forward_proj, where),
    // Which of the two heads it is: older files say it with the first key, newer ones with the second.
    tiedHead: config.scale_decoder_outputs ?? config.tie_word_embeddings,
    relativePositions: {
      buckets: config.relative_attention_num_buckets,
      maxDistance: config.relative_attention_max_distance,
    },
    dropout: config.dropout_rate,
    epsilon: config.layer_norm_epsilon,
    padTokenId,
    eosTokenId: config.eos_token_id ?? 1,
    decoderStartTokenId: config.decoder_start_token_id ?? padTokenId,
  }
}

/** The config.json of a model's sizes. */
export function fromT5Config(config: T5Config): Record<string, unknown> {
  const { width, relativePositions = { buckets: 32, maxDistance: 128 } } = config
  return {
    vocab_size: config.vocabularySize,
    d_model: width,
    d_kv: config.headWidth ?? 64,
    d_ff: config.innerWidth ?? 4 * width,
    num_layers: config.encoderLayers,
    num_decoder_layers: config.decoderLayers,
    num_heads: config.heads,
    relative_attention_num_buckets: relativePositions.buckets,
    relative_attention_max_distance: relativePositions.maxDistance,
    n_positions: config.contextLength,
    feed_forward_proj: `${config.gated ? 'gated-' : ''}${projectionName(config)}`,
    dropout_rate: config.dropout ?? 0,
    layer_norm_epsilon: config.epsilon ?? 1e-6,
    tie_word_embeddings: config.tiedHead ?? true,
    is_encoder_decoder: true,
  }
}

/** What `feed_forward_proj` says: an activation, or `gated-` and one. */
function feedForwardOf(name: string, where: string): { activation: Activation; gated: boolean } {
  const [, gated, activation] = /^(gated-)?([^-]+)$/.exec(name) ?? []
  if (activation === undefined) {
    throw new CheckpointError(`${where}: feed_forward_proj '${name}' is neither an activation nor 'gated-' and one`)
  }
  // By this name the published models mean the approximation.
  if (name === 'gated-gelu') return { activation: 'gelu_new', gated: true }
  return { activation: activationOf(activation, 'feed_forward_proj', where), gated: gated !== undefined }
}

/** Hugging Face's name of the activation, the inverse of {@link feedForwardOf}. */
function projectionName({ activation = 'relu', gated }: T5Config): string {
  if (!gated || !activation.startsWith('gelu')) return activation
  return activation === 'gelu_new' ? 'gelu' : 'gelu_python'
}
