import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { globSync, isDynamicPattern } from 'tinyglobby'
import { DataError } from '../errors.js'

/**
 * The files that paths and glob patterns name: in the order given, the matches of one pattern sorted by code unit, each
 * file once.
 *
 * A path that exists is taken as it is, even where it looks like a pattern.
 *
 * @param names paths or patterns (`corpus/*.jsonl`, `books/?.txt`), relative to the working directory
 * @throws DataError where a path does not exist or is a directory, or a pattern matches nothing
 */
export function findFiles(names: string | readonly string[]): string[] {
  const found = new Map<string, string>()
  for (const name of typeof names === 'string' ? [names] : names) {
    for (const path of filesOf(name)) if (!found.has(resolve(path))) found.set(resolve(path), path)
  }
  if (found.size === 0) throw new DataError('expected at least one data file, got an empty list')
  return [...found.values()]
}

function filesOf(name: string): string[] {
  if (existsSync(name)) {
    if (!statSync(name).isDirectory()) return [name]
    throw new DataError(`cannot read ${name}: it is a directory, expected a file or a pattern such as ${name}/*.txt`)
  }
  const pattern = process.platform === 'win32' ? name.replaceAll('\\', '/') : name
  if (!isDynamicPattern(pattern)) throw new DataError(`cannot read ${name}: no such file in ${process.cwd()}`)
  const paths = globSync(pattern, { expandDirectories: false })
  if (paths.length === 0) throw new DataError(`${name}: no file in ${process.cwd()} matches this pattern`)
  return paths.sort()
}
