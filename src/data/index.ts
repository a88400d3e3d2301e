export { cacheDirectory } from './cache-directory.js'
export { type Corpus, type CorpusOptions, loadCorpus, trainingDocuments } from './corpus.js'
export { type DocumentOptions, type DocumentPiece, distinctCharacters, readDocuments, textOf } from './documents.js'
export { findFiles } from './find-files.js'
export { type DataFormat, dataFormats } from './formats.js'
export { type DataRecord, type RecordOptions, readRecords } from './records.js'
export { type TokenCacheOptions, type TokenizeProgress, type TokenSource, tokenizeFiles } from './token-cache.js'
export { MemoryTokenStore, sliceTokens, type TokenIds, type TokenRange, type TokenStore } from './token-store.js'
export {
  type EvaluationBatch,
  evaluationBatches,
  type WindowBatch,
  type WindowOptions,
  Windows,
} from './windows.js'
