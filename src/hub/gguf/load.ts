import type { Llama } from '../../models/index.js'
import { llamaHeadWidth } from '../../models/llama.js'
import { assignWeights, type WeightInFile } from '../assign-weights.js'
import { type ByteSource, withFileSource } from './byte-source.js'
import { type GgufHeader, readGgufHeader } from './header.js'
import { configOf, findFamily, inHalves, parameterName } from './llama.js'
import { GgufMetadata } from './metadata.js'
import { readGgufTensor } from './tensors.js'

/** A model from a GGUF file, its weights as float32, and the tensors of the file that it has no place for. */
export interface GgufModel {
  readonly model: Llama
  readonly unused: readonly string[]
}

/**
 * Reads the model of a GGUF file (ggml-org's specification, versions 2 and 3).
 *
 * @throws CheckpointError where the file is missing or damaged, or its architecture or the type of a tensor is not known
 */
export function loadGguf(path: string): GgufModel {
  return withFileSource(path, readGgufModel)
}

/** {@link loadGguf} from any source. */
export function readGgufModel(source: ByteSource): GgufModel {
  const { where } = source
  const header = readGgufHeader(source)
  const metadata = new GgufMetadata(header, where)
  const { architecture, pairs } = findFamily(metadata, where)
  const factors = header.tensors.get('rope_freqs.weight')
  const config = configOf(metadata, header.tensors, factors && readGgufTensor(source, factors), where)
  const model = architecture.create(config, where)
  const headWidth = llamaHeadWidth(model.config)
  const fromFile: (typeof architecture)['fromFile'] = pairs
    ? (name, tensor) => inHalves(name, tensor, headWidth)
    : undefined
  const origin = { where, config: 'its metadata' }
  assignWeights(model, { ...architecture, ...(fromFile && { fromFile }) }, tensorsOf(source, header), origin)
  const parameters = model.parameters()
  const isUsed = (name: string) => name === 'rope_freqs.weight' || (parameterName(name) ?? '') in parameters
  return { model, unused: [...header.tensors.keys()].filter((name) => !isUsed(name)) }
}

/** The tensors under the names of a checkpoint, each read when it is asked for. */
function* tensorsOf(source: ByteSource, { tensors }: GgufHeader): Generator<WeightInFile> {
  for (const [stored, tensor] of tensors) {
    const name = parameterName(stored)
    if (name !== undefined) yield { name, shape: tensor.shape, read: () => readGgufTensor(source, tensor).data }
  }
}
