export {
  type AnsweredQuestion,
  type AnswerMetrics,
  exactMatch,
  normalizeAnswer,
  wordF1,
} from './answers.js'
export { type ClassificationMetrics, classificationMetrics, labelScores } from './classification.js'
export { cmrcMetrics, mixedSegments, normalizeChinese } from './cmrc.js'
export type { LabelScores, PrecisionRecallF1 } from './counts.js'
export { type EntityMetrics, type EntityOptions, entityMetrics, entityScores, looseEntities } from './entities.js'
export { type MultiLabelMetrics, multiLabelMetrics, multiLabelScores } from './multi-label.js'
export { perplexity } from './perplexity.js'
export { meanSquaredError, pearson, type RegressionMetrics, regressionMetrics, spearman } from './regression.js'
export { bestNoAnswerThreshold, type Squad2Metrics, type Squad2Question, squad2Metrics, squadMetrics } from './squad.js'
