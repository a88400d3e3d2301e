export {
  type AttentionLayer,
  type AttentionWeights,
  attentionWeights,
  type CausalLike,
  causalAttention,
  type EncoderLike,
  encoderAttention,
} from './attention-weights.js'
export { CausalDecoder } from './decoder.js'
export { generate, generateBatch, streamBatch } from './generate.js'
export { type DecoderOptions, SequenceToSequenceDecoder } from './sequence-to-sequence-decoder.js'
export { generateFromSources, type SourceOptions, type SourceResult, streamFromSources } from './sources.js'
export { type BeamSearchOptions, beamSearch, greedy, nucleus, type Strategy, sample } from './strategies.js'
export { TextStream } from './text-stream.js'
export type {
  Decoder,
  FinishReason,
  GenerationEvent,
  GenerationOptions,
  GenerationResult,
  TokenCandidates,
} from './types.js'
