import { randomUUID } from 'node:crypto'
import { constants, existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { copyFile, link, realpath, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { CheckpointError, HeddleError } from '../../errors.js'
import { errorCode, makeFolder, systemProblem, weightMap, writeFileAtomically } from '../files.js'
import { shardIndex, tokenizerFiles, wholeWeights } from './choose-files.js'
import { commitPattern, isBlobName, isSafePath, type ModelName } from './names.js'
import type { HubSettings } from './settings.js'

/** What a snapshot in the cache is good for. */
export type SnapshotParts = 'model' | 'tokenizer'

/**
 * One model in Hugging Face's cache, which Python's huggingface_hub shares: `blobs/ETAG` holds the files' bytes,
 * `snapshots/COMMIT` links to them by the files' names, `refs/REVISION` holds the commit of a branch or tag, and
 * `.no_exist/COMMIT` has an empty file for each one that the commit is known not to have.
 */
export class ModelCache {
  /** `models--OWNER--NAME`. */
  readonly folder: string
  readonly #locks: string
  readonly #symlinks: boolean

  constructor({ cacheDirectory, symlinks }: HubSettings, repository: string) {
    const name = `models--${repository.replace('/', '--')}`
    this.folder = join(cacheDirectory, name)
    this.#locks = join(cacheDirectory, '.locks', name)
    this.#symlinks = symlinks
  }

  /** The file with the bytes that an entity tag stands for. */
  blobPath(etag: string): string {
    if (isBlobName(etag)) return join(this.folder, 'blobs', etag)
    throw new CheckpointError(`${this.folder}: the ETag ${JSON.stringify(etag)} cannot be a file name`)
  }

  /** The lock of a blob. Not Python's own `ETAG.lock`, which stays behind and is locked by a call that Node has not. */
  lockPath(etag: string): string {
    return join(this.#locks, `${etag}.heddle.lock`)
  }

  /** Makes the folders of blobs and locks. */
  prepare(): void {
    makeFolder(join(this.folder, 'blobs'))
    makeFolder(this.#locks)
  }

  snapshotPath(commit: string): string {
    return join(this.folder, 'snapshots', commit)
  }

  /** Where a snapshot has a file. @throws CheckpointError for a name that leads out of it */
  snapshotFile(commit: string, path: string): string {
    if (isSafePath(path)) return join(this.snapshotPath(commit), ...path.split('/'))
    throw new CheckpointError(`${this.folder}: ${JSON.stringify(path)} cannot be a file of a snapshot`)
  }

  /** The commit that a revision stood for when it was last downloaded; undefined where it never was. */
  commitOf(revision: string): string | undefined {
    if (commitPattern.test(revision)) return revision
    if (!isSafePath(revision)) return undefined
    try {
      const commit = readFileSync(join(this.folder, 'refs', revision), 'utf8').trim()
      return commitPattern.test(commit) ? commit : undefined
    } catch {
      return undefined
    }
  }

  /** Remembers the commit that a revision stands for. */
  writeCommit(revision: string, commit: string): void {
    if (this.commitOf(revision) === commit) return
    const path = join(this.folder, 'refs', revision)
    makeFolder(dirname(path))
    writeFileAtomically(path, commit)
  }

  /** Remembers which of some files a commit does not have, so that nobody asks for them. */
  async writeAbsent(commit: string, names: readonly string[]): Promise<void> {
    const folder = join(this.folder, '.no_exist', commit)
    const unknown = names.filter((name) => !existsSync(join(folder, name)))
    try {
      if (unknown.length > 0) makeFolder(folder)
      await Promise.all(unknown.map((name) => writeFile(join(folder, name), '')))
    } catch {
      // A cache that cannot be written to has all the files all the same.
    }
  }

  /**
   * Makes a file of a snapshot: a link to its blob, or a copy where links cannot be made.
   *
   * @throws CheckpointError where a folder of the snapshot leads out of it
   */
  async addToSnapshot(commit: string, path: string, etag: string): Promise<void> {
    const blob = this.blobPath(etag)
    const pointer = this.snapshotFile(commit, path)
    const folder = dirname(pointer)
    makeFolders(this.snapshotPath(commit), path.split('/').slice(0, -1))
    if (await isSame(pointer, blob)) return
    const aside = join(folder, `.${randomUUID().slice(0, 8)}.tmp`)
    try {
      await this.#point(aside, blob)
      await rename(aside, pointer)
    } catch (error) {
      await rm(aside, { force: true })
      const problem = systemProblem(error, folder)
      throw problem ? new HeddleError(`cannot write ${pointer}: ${problem}`, { cause: error }) : error
    }
  }

  /**
   * The snapshot of a revision, where the cache has it whole: weights with all their shards and the configuration, or a
   * `.gguf`, and a tokenizer unless the model is known to have none. Nothing is asked over the network.
   */
  find({ revision }: Pick<ModelName, 'revision'>, parts: SnapshotParts = 'model'): string | undefined {
    const commit = this.commitOf(revision)
    if (commit === undefined) return undefined
    const snapshot = this.snapshotPath(commit)
    if (parts === 'tokenizer') return hasAny(snapshot, tokenizerFiles) ? snapshot : undefined
    if (ggufFiles(snapshot).length > 0) return snapshot
    if (!existsSync(join(snapshot, 'config.json')) || !hasWeights(snapshot)) return undefined
    const absent = join(this.folder, '.no_exist', commit)
    return hasAny(snapshot, tokenizerFiles) || hasAny(absent, ['tokenizer.json']) ? snapshot : undefined
  }

  async #point(path: string, blob: string): Promise<void> {
    if (this.#symlinks) {
      try {
        return await symlink(relative(dirname(path), blob), path, 'file')
      } catch (error) {
        if (!isUnsupported(error)) throw error
      }
    }
    try {
      await link(blob, path)
    } catch (error) {
      if (!isUnsupported(error)) throw error
      await copyFile(blob, path, constants.COPYFILE_FICLONE)
    }
  }
}

/** The `.gguf` files of a snapshot. */
export function ggufFiles(snapshot: string): string[] {
  try {
    return readdirSync(snapshot).filter((name) => name.endsWith('.gguf') && existsSync(join(snapshot, name)))
  } catch {
    return []
  }
}

/** Whether a snapshot has its weights as safetensors, with all the shards of its index. */
export function hasWeights(snapshot: string): boolean {
  if (existsSync(join(snapshot, wholeWeights))) return true
  const index = join(snapshot, shardIndex)
  if (!existsSync(index)) return false
  try {
    return hasAll(snapshot, new Set(weightMap(index).map(([, shard]) => shard)))
  } catch {
    return false
  }
}

/** Where the bytes of a blob are that have come so far. */
export function incompletePath(blob: string): string {
  return `${blob}.incomplete`
}

/** Whether a file is there and as long as it should be. */
export async function isWhole(path: string, size: number | undefined): Promise<boolean> {
  try {
    const found = await stat(path)
    return found.isFile() && (size === undefined || found.size === size)
  } catch {
    return false
  }
}

/** Whether a file of a snapshot leads to a blob, or is a copy of it. */
async function isSame(pointer: string, blob: string): Promise<boolean> {
  try {
    if ((await realpath(pointer)) === (await realpath(blob))) return true
    const [a, b] = await Promise.all([stat(pointer), stat(blob)])
    return a.ino === b.ino && a.dev === b.dev
  } catch {
    return false
  }
}

/** Makes folders below another, none of which may be a link that leads elsewhere. */
function makeFolders(root: string, names: readonly string[]): void {
  makeFolder(root)
  let folder = root
  for (const name of names) {
    folder = join(folder, name)
    if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) makeFolder(folder)
    if (!lstatSync(folder).isDirectory()) {
      throw new CheckpointError(`${folder}: expected a folder, found a link that leads out of ${root}; remove it`)
    }
  }
}

function hasAny(folder: string, names: readonly string[]): boolean {
  return names.some((name) => existsSync(join(folder, name)))
}

function hasAll(folder: string, names: Iterable<string>): boolean {
  return [...names].every((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.isFile())
}

function isUnsupported(error: unknown): boolean {
  return ['EPERM', 'EACCES', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'EMLINK', 'EXDEV', 'UNKNOWN'].includes(
    errorCode(error) ?? '',
  )
}
