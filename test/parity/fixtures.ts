import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseSafetensorsHeader } from '../../src/hub/safetensors.js'
import type { TensorValue } from '../../src/runtime/index.js'

/** The path of a file of the committed fixtures. */
export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))
}

/** Parsed JSON of a fixture; its shape is known to the test that reads it. */
export function readFixture<T>(name: string): T {
  return JSON.parse(readFileSync(fixturePath(name), 'utf8'))
}

/** The float32 and int64 tensors of a fixture in the safetensors format. */
export function readTensors(name: string): Map<string, TensorValue> {
  const bytes = readFileSync(fixturePath(name))
  const { tensors } = parseSafetensorsHeader(bytes, bytes.length, name)
  return new Map(
    tensors.map(({ name, dtype, shape, begin, end }) => {
      const buffer = bytes.buffer.slice(bytes.byteOffset + begin, bytes.byteOffset + end)
      const value: TensorValue =
        dtype === 'I64'
          ? { dtype: 'int64', shape, data: new BigInt64Array(buffer) }
          : { dtype: 'float32', shape, data: new Float32Array(buffer) }
      return [name, value]
    }),
  )
}

/** ‖a − b‖₂ */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < Math.max(a.length, b.length); i++) sum += (a[i] - b[i]) ** 2
  return Math.sqrt(sum)
}

/** ‖a‖₂ */
export function norm(a: ArrayLike<number>): number {
  return distance(a, new Float64Array(a.length))
}

/** maxᵢ |aᵢ − bᵢ|; not a number where the lengths differ. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.NaN
  let largest = 0
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]))
  return largest
}
