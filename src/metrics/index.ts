export { exactMatch, normalizeAnswer, wordF1 } from './answers.js'
export { type ClassificationMetrics, classificationMetrics } from './classification.js'
