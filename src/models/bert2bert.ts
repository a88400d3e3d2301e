import { ConfigError, UsageError } from '../errors.js'
import type { Tensor } from '../graph/index.js'
import { initialize, Linear, Module, type SequenceLayout } from '../nn/index.js'
import type { BertConfig } from './bert.js'
import type { EncoderConfig, EncoderInput, TextEncoder } from './encoder.js'
import { encoderFamilyOf } from './encoder-families.js'
import { GPT } from './gpt.js'
import { GPTDecoder } from './gpt-decoder.js'
import type {
  DecoderInput,
  DecoderSizes,
  Memory,
  SequenceToSequenceConfig,
  SequenceToSequenceModel,
} from './sequence-to-sequence.js'

/** A language model that also attends to an encoder's output. */
export interface CrossDecoder extends Module {
  readonly config: Pick<EncoderConfig, 'vocabularySize' | 'contextLength' | 'width'>
  /** Sizes of the keys and values of its self-attention. */
  readonly sizes: DecoderSizes
  /** What every layer attends to of the encoder's output: states [N, C]. */
  remember(states: Tensor, layout: SequenceLayout): Memory
  /** The last layer's output of each target token [M, C]. */
  forward(target: DecoderInput, memory: Memory): Tensor
  /** Next-token logits: hidden [M, C] → [M, V]. */
  logits(hidden: Tensor): Tensor
}

/** The tokens with a part to play in an encoder–decoder, which its two halves do not tell. */
export interface EncoderDecoderTokens {
  /** The id that the decoder reads before its first token: BERT's [CLS], GPT-2's end of text. */
  readonly decoderStartTokenId: number
  /** The id behind the last token of a target: BERT's [SEP], GPT-2's end of text. */
  readonly eosTokenId?: number
  /** The id that stands for no token in targets. */
  readonly padTokenId?: number
}

/** Sizes of an encoder–decoder of two models. */
export type EncoderDecoderConfig = SequenceToSequenceConfig & EncoderDecoderTokens

/**
 * An encoder and a decoder that were pretrained apart (Rothe et al. 2020, "Leveraging Pre-trained Checkpoints for Sequence
 * Generation Tasks", §3): BERT2BERT, BERT2GPT, RoBERTa2RoBERTa …
 *
 * B pairs of source and target, N tokens of all sources, M of all targets, C width of the decoder, V its vocabulary. Paths
 * are EncoderDecoderModel's.
 */
export class EncoderDecoder extends Module implements SequenceToSequenceModel {
  readonly config: EncoderDecoderConfig
  readonly encoder: TextEncoder
  readonly decoder: CrossDecoder
  /** From the encoder's width to the decoder's, where they differ. */
  readonly enc_to_dec_proj: Linear | undefined

  constructor(encoder: TextEncoder, decoder: CrossDecoder, tokens: EncoderDecoderTokens) {
    super()
    const { vocabularySize, contextLength, width } = decoder.config
    const source = encoder.config
    this.config = {
      vocabularySize,
      ...(source.vocabularySize !== vocabularySize && { sourceVocabularySize: source.vocabularySize }),
      contextLength: Math.min(source.contextLength, contextLength),
      width,
      ...tokens,
    }
    this.encoder = encoder
    this.decoder = decoder
    this.enc_to_dec_proj = source.width === width ? undefined : new Linear(source.width, width)
    this.nameParts()
  }

  get decoderSizes(): DecoderSizes {
    return this.decoder.sizes
  }

  /** Next-token logits of each target token, given those before it and the source → [M, V]. */
  forward(source: EncoderInput, target: DecoderInput): Tensor {
    const memory = this.remember(this.encode(source), source.layout)
    return this.logits(this.decode(target, memory))
  }

  encode(source: EncoderInput): Tensor {
    const states = this.encoder.forward(source) // [N, encoder's width]
    return this.enc_to_dec_proj?.forward(states) ?? states // [N, C]
  }

  remember(states: Tensor, layout: SequenceLayout): Memory {
    return this.decoder.remember(states, layout)
  }

  decode(target: DecoderInput, memory: Memory): Tensor {
    return this.decoder.forward(target, memory)
  }

  logits(hidden: Tensor): Tensor {
    return this.decoder.logits(hidden).named('logits')
  }
}

/**
 * An encoder–decoder with the weights of two pretrained models, copied, so that both may be the same; the attention from
 * the decoder to the encoder, and whatever else they lack, gets first weights (Rothe et al. 2020, §3).
 *
 * @param encoder a BERT, RoBERTa or DistilBERT with any head or none
 * @param decoder a BERT or RoBERTa with any head or none, better one that guesses tokens, or a GPT
 * @param options the tokens, and the seed of the first weights (default 0)
 * @throws ConfigError where a model is of another kind; UsageError where one has no values
 */
export function encoderDecoderFrom(
  encoder: Module,
  decoder: Module,
  { seed = 0, ...tokens }: EncoderDecoderTokens & { readonly seed?: number },
): EncoderDecoder {
  const model = new EncoderDecoder(encoderLike(encoder), decoderLike(decoder), tokens)
  copyWeights(encoder, model.encoder)
  copyWeights(decoder, model.decoder)
  const fresh = Object.entries(model.parameters()).filter(([, { data }]) => data === undefined)
  initialize(Object.fromEntries(fresh), seed)
  return model
}

function encoderLike(source: Module): TextEncoder {
  const made = isBertLike(source) ? encoderFamilyOf(source)?.body?.(source.config) : undefined
  if (made !== undefined) return made
  throw new ConfigError(
    `encoder–decoder: the encoder must be a BERT, RoBERTa or DistilBERT, not a ${source.constructor.name}`,
  )
}

function decoderLike(source: Module): CrossDecoder {
  if (source instanceof GPT) return new GPTDecoder(source.config)
  const made = isBertLike(source) ? encoderFamilyOf(source)?.decoder?.(decoderConfig(source.config)) : undefined
  if (made !== undefined) return made
  throw new ConfigError(`encoder–decoder: the decoder must be a BERT, RoBERTa or GPT, not a ${source.constructor.name}`)
}

/** Whether a model is of a family of encoders, whose configurations all are a BERT's. */
function isBertLike(model: Module): model is Module & { readonly config: BertConfig } {
  return encoderFamilyOf(model) !== undefined
}

function decoderConfig({ pooling: _pooling, relativePositions, ...config }: BertConfig): BertConfig {
  if (relativePositions === undefined) return config
  throw new ConfigError('encoder–decoder: a BERT with biases by distance cannot be the decoder; use one without')
}

/** Copies the values of parameters that two models have in common; bodies may stand below a head or alone. */
function copyWeights(from: Module, to: Module): void {
  const values = new Map<string, Float32Array>()
  for (const [path, { data }] of Object.entries(from.parameters())) {
    if (data === undefined) {
      throw new UsageError(`encoder–decoder: '${path}' has no values; load the model or initialize it first`)
    }
    values.set(withoutBody(path), data)
  }
  for (const [path, parameter] of Object.entries(to.parameters())) {
    parameter.data = values.get(withoutBody(path))?.slice()
  }
}

/** A parameter's path within the body, whose own path a model without a head lacks. */
function withoutBody(path: string): string {
  return path.replace(/^(bert|roberta|distilbert)\./, '')
}
