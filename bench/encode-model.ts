import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Parameter } from 'heddle/graph'
import { loadModel } from 'heddle/hub'
import { BertModel, paddedInputs } from 'heddle/models'
import { lowerGraph, writeOnnx } from 'heddle/runtime'
import { BenchmarkError } from './side.js'

/** Two programs' vectors of one text are the same where the cosine between them is this or more. */
const leastCosine = 0.9999

/**
 * Makes what transformers.js opens of a checkpoint: a folder with its configuration, its tokenizer, and its weights as
 * onnx/model.onnx under the names that Hugging Face's exports have. An export that the checkpoint brings is taken instead.
 *
 * @param into a folder to make it in
 * @returns the folder
 * @throws BenchmarkError where the checkpoint is not a BERT
 */
export function writeOnnxFolder(checkpoint: string, into: string): string {
  if (existsSync(join(checkpoint, 'onnx/model.onnx'))) return checkpoint
  const folder = join(into, 'model')
  mkdirSync(join(folder, 'onnx'), { recursive: true })
  for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json']) {
    if (existsSync(join(checkpoint, name))) copyFileSync(join(checkpoint, name), join(folder, name))
  }
  writeFileSync(join(folder, 'onnx/model.onnx'), exportBody(checkpoint))
  return folder
}

function exportBody(checkpoint: string): Uint8Array {
  const { model } = loadModel(checkpoint)
  if (!(model instanceof BertModel)) {
    throw new BenchmarkError(
      `--model: expected a BERT without a head, ${checkpoint} has a ${model.constructor.name}`,
      2,
    )
  }
  const { inputs, input } = paddedInputs()
  const hidden = model.forward(input).reshape(['batch', 'sequence', model.config.width]).named('last_hidden_state')
  const initializer = ({ shape, data = new Float32Array() }: Parameter, name: string) =>
    ({ name, dtype: 'float32', shape, data }) as const
  return writeOnnx(lowerGraph([hidden], { inputs: Object.values(inputs), initializer }).model)
}

/**
 * Compares two programs' vectors of the same texts.
 *
 * @param ours a file of float32 rows, one for each text
 * @param theirs the same
 * @throws BenchmarkError where they are not the same
 */
export function checkEmbeddings(peer: string, ours: string, theirs: string, count: number): void {
  const [a, b] = [ours, theirs].map(readFloats)
  if (a.length !== b.length) {
    throw new BenchmarkError(`not the same vectors: ${a.length} numbers in Heddle, ${b.length} in ${peer}`)
  }
  const width = a.length / count
  for (let row = 0; row < count; row++) {
    const cosine = cosineOf(a.subarray(row * width, (row + 1) * width), b.subarray(row * width, (row + 1) * width))
    // The other way round a cosine that is not a number would pass.
    if (cosine >= leastCosine) continue
    throw new BenchmarkError(
      `not the same vectors: those of text ${row} have the cosine ${cosine} in ${peer} and Heddle`,
    )
  }
}

function readFloats(path: string): Float32Array {
  return new Float32Array(new Uint8Array(readFileSync(path)).buffer)
}

function cosineOf(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i], 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}
