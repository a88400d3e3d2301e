export { type Activation, activations } from './activation.js'
export {
  type AttentionConfig,
  attend,
  checkHeads,
  dotProductAttention,
  joinHeads,
  type LayerCache,
  MultiHeadAttention,
  type Segments,
  splitHeads,
} from './attention.js'
export { Dropout } from './dropout.js'
export { Embedding } from './embedding.js'
export { FeedForward } from './feed-forward.js'
export { initialize } from './initialize.js'
export { LayerNorm } from './layer-norm.js'
export { Conv1D, Linear, type LinearOptions, xavier } from './linear.js'
export { Mask } from './mask.js'
export { forTraining, isTraining } from './mode.js'
export { Module } from './module.js'
export { sinusoidalPositions } from './positions.js'
export { RelativePositionBias, type RelativePositionOptions, relativePositionBucket } from './relative-position-bias.js'
export { RMSNorm } from './rms-norm.js'
export { RotaryPositions, Rotation } from './rotary.js'
export type {
  DynamicScaling,
  LinearScaling,
  Llama3Scaling,
  LongScaling,
  RotaryOptions,
  RotaryScaling,
  YarnScaling,
} from './rotary-scaling.js'
export { meanOfTokens, PaddedLayout, RaggedLayout, type SequenceLayout, toGrid } from './sequence-layout.js'
