export { ProgramCache } from './cache.js'
export type { RandomKey } from './keep-masks.js'
export { type LoweredGraph, lowerGraph } from './lower.js'
export { ParameterMemory, type ParameterSlot, Segment } from './memory.js'
export { type OnnxModel, writeOnnx } from './onnx.js'
export {
  type CompileOptions,
  compile,
  type Device,
  evaluate,
  type Outputs,
  Program,
  type Results,
  type RunOptions,
} from './program.js'
export { RandomStream } from './random.js'
export { type Feed, float32, type RowValue, type TensorValue } from './values.js'
