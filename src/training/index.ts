export { type FitEvents, type FitOptions, type FitProgress, type FitResult, fit } from './fit.js'
export { CausalLanguageModelling, causalLoss } from './objectives/causal-lm.js'
export { Classification, type LabelledSequence } from './objectives/classification.js'
export { type CorruptedText, type Corruption, SpanCorruption, TextInfilling } from './objectives/corruption.js'
export { Denoising } from './objectives/denoising.js'
export { ExampleObjective, type ExampleOptions, type ExampleTask } from './objectives/examples.js'
export type { Batch, LossGraph, Objective, Scorer } from './objectives/objective.js'
export {
  SequenceToSequence,
  type SequenceToSequenceOptions,
  sequenceToSequenceLoss,
  type TokenPair,
} from './objectives/sequence-to-sequence.js'
export { AdamW, type AdamWOptions } from './optimizers/adamw.js'
export { parseRecipe, type Recipe, recipeToYaml } from './recipe.js'
export { runRecipe, type TrainingRunOptions, type TrainingRunResult } from './run.js'
export { type ScheduleName, schedule } from './schedules.js'
export { type Evaluation, type StepReport, Trainer, type TrainerOptions } from './trainer.js'
