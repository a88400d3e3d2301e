import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CheckpointError } from '../../errors.js'

/** Whether a path is that of a GGUF file. */
export function isGgufFile(path: string): boolean {
  return path.toLowerCase().endsWith('.gguf') && statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

/**
 * The only GGUF file of a directory; undefined where there is none, or no such directory.
 *
 * @throws CheckpointError where there are several
 */
export function findGguf(directory: string): string | undefined {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined
  const [file, ...others] = readdirSync(directory).filter((name) => isGgufFile(join(directory, name)))
  if (others.length === 0) return file === undefined ? undefined : join(directory, file)
  throw new CheckpointError(`${directory}: has several GGUF files, name one of them: ${[file, ...others].join(', ')}`)
}
