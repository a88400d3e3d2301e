import { z } from 'zod'
import { CheckpointError } from '../errors.js'
import { type CrossDecoder, EncoderDecoder, type EncoderDecoderTokens, type TextEncoder } from '../models/index.js'
import type { Module } from '../nn/index.js'
import type { Architecture, NamedTensors } from './architecture.js'
import { bertBody, bertDecoder } from './bert.js'
import { parseConfig } from './bert-family.js'
import { distilBertBody } from './distilbert.js'
import { gpt2Decoder } from './gpt2.js'
import { robertaBody, robertaDecoder } from './roberta.js'
import { specialTokens } from './sequence-to-sequence.js'

const encoders: readonly Architecture<TextEncoder>[] = [bertBody, robertaBody, distilBertBody]
const decoders: readonly Architecture<CrossDecoder>[] = [bertDecoder, robertaDecoder, gpt2Decoder]

const tokenId = z.int().nonnegative().nullish()

/** What EncoderDecoderModel's config.json says beside the sizes of the two models. */
const schema = z.looseObject({
  encoder: z.looseObject({ model_type: z.string() }),
  decoder: z.looseObject({
    model_type: z.string(),
    is_decoder: z.literal(true).default(true),
    add_cross_attention: z.literal(true),
    cross_attention_hidden_size: z.null().optional(),
    bos_token_id: tokenId,
    eos_token_id: tokenId,
    pad_token_id: tokenId,
  }),
  decoder_start_token_id: tokenId,
  eos_token_id: tokenId,
  pad_token_id: tokenId,
  tie_encoder_decoder: z.literal(false).default(false),
})

type Config = z.infer<typeof schema>

/** Two models as encoder and decoder: `EncoderDecoderModel`, whose config.json holds theirs. */
export const encoderDecoderArchitecture: Architecture<EncoderDecoder> = {
  name: 'EncoderDecoderModel',
  modelType: 'encoder-decoder',
  generates: true,
  create(json, where) {
    const config = parseConfig(schema, json, { family: 'encoder–decoder', where })
    const encoder = ofType(encoders, config.encoder.model_type, `${where}: encoder`)
    const decoder = ofType(decoders, config.decoder.model_type, `${where}: decoder`)
    // Alone, a model with these two is refused: it would lack what it attends to.
    const alone = { ...config.decoder, is_decoder: false, add_cross_attention: false }
    return new EncoderDecoder(
      encoder.create(config.encoder, `${where}: encoder`),
      decoder.create(alone, `${where}: decoder`),
      tokensOf(config, where),
    )
  },
  owns: (model): model is EncoderDecoder => model instanceof EncoderDecoder,
  toConfig: ({ encoder, decoder }) => ({
    architectures: ['EncoderDecoderModel'],
    model_type: 'encoder-decoder',
    is_encoder_decoder: true,
    encoder: ownerOf(encoders, encoder).toConfig(encoder),
    decoder: { ...ownerOf(decoders, decoder).toConfig(decoder), is_decoder: true, add_cross_attention: true },
  }),
  specialTokens: ({ config }) => specialTokens(config),
  parameterName(stored, { encoder, decoder }) {
    const { half, name } = halfOf(stored)
    if (half === undefined) return stored
    const own =
      half === 'encoder'
        ? ownerOf(encoders, encoder).parameterName(name, encoder)
        : ownerOf(decoders, decoder).parameterName(name, decoder)
    return own && `${half}.${own}`
  },
  extraTensors: ({ encoder, decoder }) =>
    new Map([
      ...below('encoder', ownerOf(encoders, encoder).extraTensors(encoder)),
      ...below('decoder', ownerOf(decoders, decoder).extraTensors(decoder)),
    ]),
  ignores({ decoder }, stored, data) {
    const { half, name } = halfOf(stored)
    return half === 'decoder' && ownerOf(decoders, decoder).ignores(decoder, name, data)
  },
}

/** The format of a half by its `model_type`. @throws CheckpointError naming those that there are */
function ofType<M extends Module>(halves: readonly Architecture<M>[], type: string, where: string): Architecture<M> {
  const found = halves.find(({ modelType }) => modelType === type)
  if (found !== undefined) return found
  const known = halves.map(({ modelType }) => modelType).join(', ')
  throw new CheckpointError(`${where}: model_type '${type}' is not supported here; known are ${known}`)
}

function ownerOf<M extends Module>(halves: readonly Architecture<M>[], model: M): Architecture<M> {
  const found = halves.find((half) => half.owns(model))
  if (found !== undefined) return found
  throw new CheckpointError(`${model.constructor.name} as a half of an encoder–decoder has no checkpoint format`)
}

/** The half that a tensor belongs to, and its name there. */
function halfOf(stored: string): { half?: 'encoder' | 'decoder'; name: string } {
  for (const half of ['encoder', 'decoder'] as const) {
    if (stored.startsWith(`${half}.`)) return { half, name: stored.slice(half.length + 1) }
  }
  return { name: stored }
}

function below(half: string, tensors: NamedTensors): NamedTensors {
  return new Map([...tensors].map(([name, tensor]) => [`${half}.${name}`, tensor]))
}

/** The tokens, from the decoder's own configuration where the whole's does not tell. */
function tokensOf({ decoder, ...config }: Config, where: string): EncoderDecoderTokens {
  const decoderStartTokenId = config.decoder_start_token_id ?? decoder.bos_token_id
  if (decoderStartTokenId === null || decoderStartTokenId === undefined) {
    throw new CheckpointError(
      `${where}: 'decoder_start_token_id' is missing, the id that the decoder reads before its first token, such as [CLS]`,
    )
  }
  const eosTokenId = config.eos_token_id ?? decoder.eos_token_id
  return {
    decoderStartTokenId,
    padTokenId: config.pad_token_id ?? decoder.pad_token_id ?? 0,
    ...(eosTokenId !== null && eosTokenId !== undefined && { eosTokenId }),
  }
}
