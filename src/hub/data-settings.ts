import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { CheckpointError } from '../errors.js'
import { readJson, writeFileAtomically } from './files.js'

const column = z.union([z.string(), z.number()])

const schema = z.object({
  columns: z.record(z.string(), column).optional(),
  header: z.boolean().optional(),
  quotes: z.boolean().optional(),
  packing: z.boolean().optional(),
  maxLength: z.number().optional(),
  stride: z.number().optional(),
  trainArticles: z.number().optional(),
  /** The shares that parallel texts were parted into, of which the third one is for a test, and what they were drawn by. */
  split: z.array(z.number()).optional(),
  splitSeed: z.int().optional(),
  /** What was done to parallel texts: see `TextForm`. */
  lowercase: z.boolean().optional(),
  prefix: z.string().optional(),
})

/** How a model's training data was read: data of the same kind is read alike. */
export type DataSettings = z.infer<typeof schema>

const fileName = 'data.json'

/** Keeps beside a model how its training data was read. */
export function writeDataSettings(directory: string, settings: DataSettings): void {
  writeFileAtomically(join(directory, fileName), `${JSON.stringify(schema.parse(settings), null, 2)}\n`)
}

/**
 * How a model's training data was read; nothing where it was not trained here.
 *
 * @throws CheckpointError for a damaged file
 */
export function readDataSettings(directory: string): DataSettings {
  const path = join(directory, fileName)
  if (!existsSync(path)) return {}
  const result = schema.safeParse(readJson(path))
  if (result.success) return result.data
  const [{ path: key, message }] = result.error.issues
  throw new CheckpointError(`${path}: '${key.join('.')}' is not what a training writes: ${message}`)
}
