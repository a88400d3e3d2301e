export { describeModel, type ModelDescription, type ModelPart } from './describe.js'
export {
  evaluateCausalLm,
  evaluateClassification,
  evaluateGeneration,
  type LanguageModelReport,
  type TaskReport,
} from './evaluate.js'
export { nextTokenLogits } from './logits.js'
export { listRuns, type RunSummary } from './runs.js'
export { type Classification, TextClassifier } from './text-classifier.js'
export { type Prompt, TextGenerator } from './text-generator.js'
