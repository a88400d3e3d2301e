export { loadTexts, splitText, type TextSplit } from './text.js'
export { type EvaluationBatch, evaluationBatches, type TokenIds, type WindowBatch, Windows } from './windows.js'
