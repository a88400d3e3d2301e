import { z } from 'zod'
import { CheckpointError } from '../errors.js'
import type { SequenceToSequenceConfig, TransformerConfig } from '../models/index.js'
import { transformerDropout } from '../models/transformer.js'
import { activationOf } from './architecture.js'
import { parseConfig } from './bert-family.js'

/** What the config.json of BART and its relatives says, of which everything else has no bearing on the computation. */
const schema = z.looseObject({
  vocab_size: z.int().positive(),
  decoder_vocab_size: z.int().positive().nullish(),
  d_model: z.int().positive(),
  encoder_layers: z.int().positive(),
  decoder_layers: z.int().positive(),
  encoder_attention_heads: z.int().positive(),
  decoder_attention_heads: z.int().positive(),
  encoder_ffn_dim: z.int().positive(),
  decoder_ffn_dim: z.int().positive(),
  max_position_embeddings: z.int().positive().default(1024),
  activation_function: z.string().default('gelu'),
  dropout: z.number().default(0.1),
  attention_dropout: z.number().default(0),
  activation_dropout: z.number().default(0),
  scale_embedding: z.boolean().default(false),
  share_encoder_decoder_embeddings: z.boolean().default(true),
  tie_word_embeddings: z.boolean().default(true),
  pad_token_id: z.int().nonnegative().default(1),
  eos_token_id: z.int().nonnegative().nullish(),
  decoder_start_token_id: z.int().nonnegative(),
  // Ours: Hugging Face's models always add a number to each logit, so a model without is saved with zeros and this note.
  logits_bias: z.boolean().default(true),
  // Ours: see TransformerConfig.
  norm: z.enum(['post', 'pre']).default('post'),
})

/**
 * A model's sizes from the contents of config.json.
 *
 * @throws CheckpointError where a key is missing, has a wrong type, or encoder and decoder differ in more than their layers
 */
export function toTransformerConfig(json: unknown, family: string, where: string): TransformerConfig {
  const config = parseConfig(schema, json, { family, where })
  for (const part of ['attention_heads', 'ffn_dim'] as const) {
    const [encoder, decoder] = [config[`encoder_${part}`], config[`decoder_${part}`]]
    if (encoder === decoder) continue
    throw new CheckpointError(`${where}: encoder_${part} ${encoder} and decoder_${part} ${decoder} have to be the same`)
  }
  const targets = config.share_encoder_decoder_embeddings ? undefined : (config.decoder_vocab_size ?? config.vocab_size)
  return {
    vocabularySize: targets ?? config.vocab_size,
    ...(targets !== undefined && { sourceVocabularySize: config.vocab_size }),
    contextLength: config.max_position_embeddings,
    encoderLayers: config.encoder_layers,
    decoderLayers: config.decoder_layers,
    heads: config.encoder_attention_heads,
    width: config.d_model,
    innerWidth: config.encoder_ffn_dim,
    dropout: {
      hidden: config.dropout,
      attention: config.attention_dropout,
      activation: config.activation_dropout,
    },
    activation: activationOf(config.activation_function, 'activation_function', where),
    embeddingScale: config.scale_embedding ? Math.sqrt(config.d_model) : 1,
    tiedHead: config.tie_word_embeddings,
    logitsBias: config.logits_bias,
    norm: config.norm,
    padTokenId: config.pad_token_id,
    ...(config.eos_token_id !== null && { eosTokenId: config.eos_token_id }),
    decoderStartTokenId: config.decoder_start_token_id,
  }
}

/** The config.json of a model's sizes. */
export function fromTransformerConfig(config: TransformerConfig): Record<string, unknown> {
  const { vocabularySize, sourceVocabularySize, width, innerWidth = 4 * width, heads } = config
  const dropout = transformerDropout(config)
  return {
    vocab_size: sourceVocabularySize ?? vocabularySize,
    decoder_vocab_size: vocabularySize,
    share_encoder_decoder_embeddings: sourceVocabularySize === undefined,
    d_model: width,
    encoder_layers: config.encoderLayers,
    decoder_layers: config.decoderLayers,
    encoder_attention_heads: heads,
    decoder_attention_heads: heads,
    encoder_ffn_dim: innerWidth,
    decoder_ffn_dim: innerWidth,
    max_position_embeddings: config.contextLength,
    activation_function: config.activation ?? 'relu',
    dropout: dropout.hidden,
    attention_dropout: dropout.attention,
    activation_dropout: dropout.activation,
    scale_embedding: isScaled(config),
    tie_word_embeddings: config.tiedHead ?? true,
    is_encoder_decoder: true,
    ...(config.logitsBias ? {} : { logits_bias: false }),
    ...specialTokens(config),
  }
}

/** The ids that Python's `generate` needs to know. */
export function specialTokens(config: SequenceToSequenceConfig & { eosTokenId?: number }): Record<string, unknown> {
  const { padTokenId = 0, eosTokenId, decoderStartTokenId } = config
  return {
    pad_token_id: padTokenId,
    bos_token_id: null,
    eos_token_id: eosTokenId ?? null,
    decoder_start_token_id: decoderStartTokenId,
  }
}

/** Whether embeddings are multiplied by √width; Hugging Face's format knows only that and 1. */
function isScaled({ width, embeddingScale = Math.sqrt(width) }: TransformerConfig): boolean {
  if (embeddingScale === 1 || embeddingScale === Math.sqrt(width)) return embeddingScale !== 1
  throw new CheckpointError(`embeddingScale ${embeddingScale} cannot be saved: use 1 or √width, ${Math.sqrt(width)}`)
}
