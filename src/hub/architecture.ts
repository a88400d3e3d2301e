import { CheckpointError } from '../errors.js'
import type { Activation, Module } from '../nn/index.js'

/** The values of a tensor of a file. */
export interface StoredTensor {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** Float32 tensors by name. */
export type NamedTensors = ReadonlyMap<string, StoredTensor>

/** How one family of Hugging Face checkpoints maps to a model: the only place where names or layouts are translated. */
export interface Architecture<M extends Module = Module> {
  /** `architectures` in config.json. */
  readonly name: string
  /** `model_type` in config.json. A type without a known architecture is read as the first one of that type. */
  readonly modelType: string
  /** Whether Python generates text with it, which needs a generation_config.json. */
  readonly generates: boolean
  /** Builds the model that a config.json describes. @throws CheckpointError where it cannot */
  create(config: unknown, where: string): M
  /** Whether a model belongs to this family. */
  owns(model: Module): model is M
  /** The config.json of a model. */
  toConfig(model: M): Record<string, unknown>
  /** The parameter's path of a tensor in a file, or undefined for a tensor that carries no information. */
  parameterName(stored: string, model: M): string | undefined
  /** The parameter whose values those of one take that a file lacks, because there the two are one. */
  standIn?(name: string): string | undefined
  /** Tensors to save beside the parameters, for Python to find what it expects. */
  extraTensors(model: M): NamedTensors
  /** The keys of config.json and generation_config.json that say which tokens generation needs (default: from the tokenizer). */
  specialTokens?(model: M): Record<string, unknown>
  /** A parameter's values from those of the file, where their order is another one. */
  fromFile?(name: string, tensor: StoredTensor): Float32Array
  /** The reverse of `fromFile`. */
  toFile?(name: string, tensor: StoredTensor): Float32Array
  /** Whether a tensor of a file that is not a parameter may be left out without changing what the model computes. */
  ignores(model: M, name: string, data: Float32Array): boolean
}

/** Hugging Face's names of activation functions that are the same function as one of ours. */
const activationNames: Readonly<Record<string, Activation>> = {
  gelu: 'gelu',
  gelu_new: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
  gelu_fast: 'gelu_new',
  gelu_python: 'gelu',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
}

/** Our name of an activation function. @throws CheckpointError naming the key of config.json where it is unknown */
export function activationOf(name: string, key: string, where: string): Activation {
  const activation = activationNames[name]
  if (activation !== undefined) return activation
  throw new CheckpointError(
    `${where}: ${key} '${name}' is unknown; known are ${Object.keys(activationNames).join(', ')}`,
  )
}
