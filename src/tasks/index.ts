export { describeModel, type ModelDescription, type ModelPart } from './describe.js'
export { evaluateCausalLm, type LanguageModelReport } from './evaluate.js'
export { nextTokenLogits } from './logits.js'
export { type Prompt, TextGenerator } from './text-generator.js'
