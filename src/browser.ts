/**
 * What of Heddle runs in a browser tab: graphs, gradients, models, training and generation, with ONNX Runtime Web as
 * the engine. Files, the command line and native tokenizers stay in Node. Names are those of the main entry.
 */
export * from './autodiff/index.js'
export { decodeTags } from './data/tag-decoding.js'
export {
  detectTagScheme,
  type Entity,
  extractEntities,
  followsScheme,
  type LegalTags,
  legalTags,
  schemeOfTags,
  type TagScheme,
} from './data/tag-scheme.js'
export { MemoryTokenStore, sliceTokens, type TokenIds, type TokenRange, type TokenStore } from './data/token-store.js'
export {
  type EvaluationBatch,
  evaluationBatches,
  type WindowBatch,
  type WindowOptions,
  Windows,
} from './data/windows.js'
export * from './errors.js'
export * from './generation/index.js'
export * from './graph/index.js'
export { parseSafetensorsHeader, serializeSafetensors } from './hub/safetensors.js'
export * from './metrics/index.js'
export * from './models/index.js'
export * from './nn/index.js'
export * from './runtime/index.js'
export { CharacterTokenizer, trainCharacterTokenizer } from './tokenizers/characters.js'
export { createJavaScriptTokenizer, JavaScriptTokenizer } from './tokenizers/javascript.js'
export { type EncodedPair, type EncodePairsOptions, encodePairs } from './tokenizers/pairs.js'
export { type SequenceEncoding, SequenceTemplate } from './tokenizers/sequence-template.js'
export type {
  DecodeOptions,
  EncodeOptions,
  Encoding,
  Tokenizer,
} from './tokenizers/tokenizer.js'
export { trainableTypes } from './tokenizers/training/request.js'
export {
  type TokenizerProgress,
  type TokenizerTrainingOptions,
  trainTokenizer,
} from './tokenizers/training/train.js'
export {
  type ContextWindow,
  type Truncated,
  type TruncateOptions,
  type TruncationStrategy,
  truncate,
  windows,
} from './tokenizers/truncation.js'
export { type EncodeWordsOptions, encodeWords, encodeWordsBatch, segmentWords } from './tokenizers/words.js'
export { type FitEvents, type FitOptions, type FitProgress, type FitResult, fit } from './training/fit.js'
export { CausalLanguageModelling, causalLoss } from './training/objectives/causal-lm.js'
export {
  Classification,
  type LabelledSequence,
} from './training/objectives/classification.js'
export { ExampleObjective, type ExampleOptions, type ExampleTask } from './training/objectives/examples.js'
export type { Batch, LossGraph, Objective, Scorer } from './training/objectives/objective.js'
export { AdamW, type AdamWOptions } from './training/optimizers/adamw.js'
export { type ScheduleName, schedule } from './training/schedules.js'
export { type Evaluation, type StepReport, Trainer, type TrainerOptions } from './training/trainer.js'
