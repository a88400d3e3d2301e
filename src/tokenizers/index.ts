export { CharacterTokenizer, trainCharacterTokenizer } from './characters.js'
export { createJavaScriptTokenizer, JavaScriptTokenizer } from './javascript.js'
export { createTokenizer, loadTokenizer } from './node.js'
export { type EncodedPair, type EncodePairsOptions, encodePairs, type TextPair } from './pairs.js'
export { type SaveTokenizerOptions, saveTokenizer } from './save.js'
export { type SequenceEncoding, SequenceTemplate } from './sequence-template.js'
export type { SpecialToken, SpecialTokenNames, SpecialTokenRole, SpecialTokens } from './special-tokens.js'
export type { DecodeOptions, EncodeOptions, Encoding, Tokenizer, TokenizerOptions } from './tokenizer.js'
export { trainableTypes } from './training/request.js'
export { type TokenizerProgress, type TokenizerTrainingOptions, trainTokenizer } from './training/train.js'
export {
  type ContextWindow,
  type Removed,
  type Truncated,
  type TruncateOptions,
  type TruncationStrategy,
  truncate,
  type WindowsOptions,
  windows,
} from './truncation.js'
export { wordContinuations } from './word-continuations.js'
export { type EncodeWordsOptions, encodeWords, encodeWordsBatch, segmentWords } from './words.js'
