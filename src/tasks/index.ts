export { type AttentionMap, type AttentionMapOptions, attentionMap } from './attention-map.js'
export { describeModel, type ModelDescription, type ModelPart } from './describe.js'
export { drawAttention } from './draw-attention.js'
export {
  evaluateCausalLm,
  evaluateGeneration,
  type LanguageModelReport,
  type TaskReport,
} from './evaluate.js'
export { type AnsweringReport, type EvaluateAnsweringOptions, evaluateAnswering } from './evaluate-answering.js'
export {
  type ClassificationReport,
  type EvaluateClassificationOptions,
  evaluateClassification,
} from './evaluate-classification.js'
export { type ExampleReport, evaluateMultipleChoice, evaluateRelation } from './evaluate-examples.js'
export {
  type EvaluateMaskedLmOptions,
  evaluateMaskedLm,
  type MaskedLanguageModelMetrics,
} from './evaluate-masked-lm.js'
export { evaluateTagging } from './evaluate-tagging.js'
export {
  type EvaluateTextsOptions,
  evaluateSummarization,
  evaluateTranslation,
  type TextsReport,
} from './evaluate-texts.js'
export { nextTokenLogits } from './logits.js'
export { type Fill, type FillOptions, MaskFiller } from './mask-filler.js'
export {
  type AnswerOptions,
  type AnswerResult,
  type AskedQuestion,
  type FoundAnswer,
  QuestionAnswering,
} from './question-answering.js'
export { listRuns, type RunSummary } from './runs.js'
export {
  type FindOptions,
  type SearchResult,
  SemanticSearch,
  type SemanticSearchOptions,
} from './semantic-search.js'
export type { CutText } from './text-batches.js'
export {
  type ClassificationResult,
  type ClassifierInput,
  type ClassifyOptions,
  type PredictedNumber,
  type ScoredLabel,
  type SeveralLabels,
  type SingleLabel,
  TextClassifier,
  type TextClassifierOptions,
} from './text-classifier.js'
export {
  cosineSimilarity,
  type EmbedOptions,
  TextEmbedder,
  type TextEmbedderOptions,
} from './text-embedder.js'
export type { EmbedderChoices, Pooling } from './text-embedder-settings.js'
export { type Prompt, TextGenerator } from './text-generator.js'
export { type TaggedEntity, type TaggedText, TextTagger, type WordTag } from './text-tagger.js'
export { TextToText, type TextToTextOptions, type TextToTextResult } from './text-to-text.js'
