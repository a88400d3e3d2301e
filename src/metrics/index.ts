export {
  type AnsweredQuestion,
  type AnswerMetrics,
  exactMatch,
  normalizeAnswer,
  wordF1,
} from './answers.js'
export { type BleuOptions, type BleuScore, type BleuSmoothing, corpusBleu, sentenceBleu } from './bleu.js'
export { type BleuTokenizer, bleuTokenizerFor, isMostlyChinese } from './bleu-tokenizers.js'
export { type ChrfOptions, type ChrfScore, corpusChrf, sentenceChrf } from './chrf.js'
export { type ClassificationMetrics, classificationMetrics, labelScores } from './classification.js'
export { cmrcMetrics, mixedSegments, normalizeChinese } from './cmrc.js'
export type { SegmentReferences } from './corpus.js'
export type { LabelScores, PrecisionRecallF1 } from './counts.js'
export { type EntityMetrics, type EntityOptions, entityMetrics, entityScores, looseEntities } from './entities.js'
export { type MultiLabelMetrics, multiLabelMetrics, multiLabelScores } from './multi-label.js'
export { perplexity } from './perplexity.js'
export { porterStem } from './porter-stemmer.js'
export { meanSquaredError, pearson, type RegressionMetrics, regressionMetrics, spearman } from './regression.js'
export { corpusRouge, type RougeOptions, type RougeScores, type RougeTokenizer, sentenceRouge } from './rouge.js'
export { bestNoAnswerThreshold, type Squad2Metrics, type Squad2Question, squad2Metrics, squadMetrics } from './squad.js'
export { corpusTer, sentenceTer, type TerOptions, type TerScore } from './ter.js'
export {
  type SummarizationMetrics,
  summarizationMetrics,
  type TranslationMetrics,
  type TranslationOptions,
  translationMetrics,
} from './translation.js'
