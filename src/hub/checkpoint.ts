import { join } from 'node:path'
import { z } from 'zod'
import { CheckpointError } from '../errors.js'
import type { Parameter } from '../graph/index.js'
import type { Module } from '../nn/index.js'
import type { Architecture, StoredTensor } from './architecture.js'
import { assignWeights, type WeightInFile } from './assign-weights.js'
import { bertArchitectures } from './bert.js'
import { distilBertArchitectures } from './distilbert.js'
import { encoderDecoderArchitecture } from './encoder-decoder.js'
import { makeFolder, readCheckpointTensors, readJson, writeFileAtomically } from './files.js'
import { isGgufFile } from './gguf/find.js'
import { loadGguf } from './gguf/load.js'
import { gpt2Classifier, gpt2LanguageModel } from './gpt2.js'
import { llamaArchitectures } from './llama.js'
import { robertaArchitectures } from './roberta.js'
import { resolveCheckpoint } from './run-directory.js'
import { serializeSafetensors } from './safetensors.js'
import { mt5Architecture, t5Architecture } from './t5.js'
import { bartArchitecture, marianArchitecture, preNormArchitecture } from './transformer.js'

/** A model read from a directory. */
export interface LoadedModel<M extends Module = Module> {
  readonly model: M
  /** The directory with the files, where the one given was a training run's; or the GGUF file. */
  readonly directory: string
  /** Tensors of the file that the model has no place for, e.g. another task's head. */
  readonly unused: readonly string[]
}

/** What {@link saveModel} writes beside the model's own sizes. */
export interface SaveOptions {
  /** The token that ends a text; none where left out. */
  readonly eosTokenId?: number
}

/** Every family that Heddle reads and writes. */
const architectures: readonly Architecture[] = [
  gpt2LanguageModel,
  gpt2Classifier,
  ...bertArchitectures,
  ...robertaArchitectures,
  ...distilBertArchitectures,
  marianArchitecture,
  bartArchitecture,
  preNormArchitecture,
  t5Architecture,
  mt5Architecture,
  encoderDecoderArchitecture,
  ...llamaArchitectures,
]

/**
 * Reads a model from a Hugging Face directory (`config.json` and `model.safetensors`, sharded or not), from a training
 * run's, whose best checkpoint is taken, or from a GGUF file or a directory with one.
 *
 * @throws CheckpointError where a file is missing or damaged, the architecture is unknown, or a tensor is missing or has
 * another shape than config.json says
 */
export function loadModel(path: string): LoadedModel {
  const directory = resolveCheckpoint(path)
  if (isGgufFile(directory)) return { directory, ...loadGguf(directory) }
  const configPath = join(directory, 'config.json')
  const config = readJson(configPath)
  const architecture = findArchitecture(config, configPath)
  const model = architecture.create(config, configPath)
  const unused = assignWeights(model, architecture, weightsOf(directory), { where: directory, config: 'config.json' })
  return { model, directory, unused }
}

/**
 * Writes `config.json`, `model.safetensors` and, for a model that generates text, `generation_config.json` into a
 * directory, which is made where it is missing. Python's AutoModel opens it.
 */
export function saveModel(directory: string, model: Module, options: SaveOptions = {}): void {
  const architecture = architectures.find((candidate) => candidate.owns(model))
  if (architecture === undefined) throw new CheckpointError(`${model.constructor.name} has no checkpoint format`)
  makeFolder(directory)
  const tensors = [...Object.entries(model.parameters()), ...architecture.extraTensors(model)].map((entry) =>
    storedTensor(entry, architecture),
  )
  writeFileAtomically(
    join(directory, 'model.safetensors'),
    serializeSafetensors(tensors.map(([name, { shape, data }]) => ({ name, dtype: 'F32', shape, data }))),
  )
  const writeJson = (name: string, value: unknown) =>
    writeFileAtomically(join(directory, name), `${JSON.stringify(value, null, 2)}\n`)
  // Without these Python would assume GPT-2's own, which other vocabularies do not have.
  const ends = { bos_token_id: options.eosTokenId ?? null, eos_token_id: options.eosTokenId ?? null }
  const special = architecture.specialTokens?.(model) ?? (architecture.generates ? ends : {})
  if (architecture.generates) writeJson('generation_config.json', { _from_model_config: true, ...special })
  // Last, so that a directory with a config.json is whole.
  writeJson('config.json', { ...architecture.toConfig(model), ...special, dtype: 'float32' })
}

const schema = z.looseObject({ model_type: z.string(), architectures: z.array(z.string()).nullish() })

function findArchitecture(config: unknown, where: string): Architecture {
  const { success, data } = schema.safeParse(config)
  const known = [...new Set(architectures.map(({ modelType }) => modelType))].join(', ')
  if (!success) throw new CheckpointError(`${where}: expected an object with a model_type; known are ${known}`)
  const ofType = architectures.filter(({ modelType }) => modelType === data.model_type)
  const architecture = ofType.find(({ name }) => data.architectures?.includes(name)) ?? ofType[0]
  if (architecture === undefined) {
    throw new CheckpointError(`${where}: model_type '${data.model_type}' is not supported; known are ${known}`)
  }
  return architecture
}

function* weightsOf(directory: string): Generator<WeightInFile> {
  for (const [name, { shape, data }] of readCheckpointTensors(directory)) yield { name, shape, read: () => data }
}

function storedTensor(
  [name, { shape, data }]: [string, Parameter | StoredTensor],
  { toFile }: Architecture,
): [string, StoredTensor] {
  if (data === undefined) throw new CheckpointError(`'${name}' has no values to save: initialize the model first`)
  return [name, { shape, data: toFile?.(name, { shape, data }) ?? data }]
}
