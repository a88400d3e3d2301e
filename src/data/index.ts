export { cacheDirectory } from './cache-directory.js'
export { type Choice, type ChoiceOptions, readChoices } from './choices.js'
export type { Column, ColumnOptions, Columns } from './columns.js'
export { joinWords, readTagged, type TaggedOptions, type TaggedSentence } from './conll.js'
export { type Corpus, type CorpusOptions, loadCorpus, trainingDocuments } from './corpus.js'
export { type DocumentOptions, type DocumentPiece, distinctCharacters, readDocuments, textOf } from './documents.js'
export { findFiles } from './find-files.js'
export { type DataFormat, dataFormats } from './formats.js'
export {
  type LabelledColumns,
  type LabelledOptions,
  type LabelledText,
  type MultiLabelledText,
  readLabelled,
  readMultiLabelled,
} from './labelled.js'
export { LengthBatches } from './length-batches.js'
export { type ParallelOptions, type ParallelText, readParallel } from './parallel.js'
export { type DataRecord, type RecordOptions, readRecords } from './records.js'
export { type Relation, type RelationOptions, readRelations, type Span } from './relations.js'
export { readSentences, type SentencesPiece, splitSentences } from './sentences.js'
export { type Answer, type Question, type QuestionOptions, readQuestions } from './squad.js'
export { decodeTags } from './tag-decoding.js'
export {
  detectTagScheme,
  type Entity,
  extractEntities,
  followsScheme,
  type LegalTags,
  legalTags,
  schemeOfTags,
  type TagScheme,
} from './tag-scheme.js'
export { sourceForm, type TextForm, targetForm } from './text-form.js'
export { TokenBatches } from './token-batches.js'
export { type TokenCacheOptions, type TokenizeProgress, type TokenSource, tokenizeFiles } from './token-cache.js'
export { MemoryTokenStore, sliceTokens, type TokenIds, type TokenRange, type TokenStore } from './token-store.js'
export {
  type EvaluationBatch,
  evaluationBatches,
  type WindowBatch,
  type WindowOptions,
  Windows,
} from './windows.js'
