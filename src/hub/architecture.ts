import type { Module } from '../nn/index.js'

/** Float32 tensors by name. */
export type NamedTensors = ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>

/** How one family of Hugging Face checkpoints maps to a model: the only place where names or layouts are translated. */
export interface Architecture<M extends Module = Module> {
  /** `architectures` in config.json. */
  readonly name: string
  /** `model_type` in config.json. A type without a known architecture is read as the first one of that type. */
  readonly modelType: string
  /** Builds the model that a config.json describes. @throws CheckpointError where it cannot */
  create(config: unknown, where: string): M
  /** Whether a model belongs to this family. */
  owns(model: Module): model is M
  /** The config.json of a model. */
  toConfig(model: M): Record<string, unknown>
  /** The parameter's path of a tensor in a file, or undefined for a tensor that carries no information. */
  parameterName(stored: string): string | undefined
  /** Tensors to save beside the parameters, for Python to find what it expects. */
  extraTensors(model: M): NamedTensors
  /** Whether a tensor of a file that is not a parameter may be left out without changing what the model computes. */
  ignores(model: M, name: string, data: Float32Array): boolean
}
