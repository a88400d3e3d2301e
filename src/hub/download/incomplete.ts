import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { HeddleError } from '../../errors.js'
import { syncFolder, systemProblem } from '../files.js'

/** How much is read at once to hash what is on the disk. */
const readAtOnce = 2 ** 20

/**
 * A file that is being downloaded, `ETAG.incomplete`: what it holds are the first bytes of the whole, at any moment.
 *
 * Its checksum is taken while it grows; of what an earlier process has left, once at its opening.
 */
export class IncompleteFile {
  readonly #path: string
  #file: FileHandle
  #hash: Hash
  #length = 0

  private constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
    this.#hash = createHash('sha256')
  }

  /**
   * Opens what an earlier download has left, or a new file.
   *
   * @param keep whether earlier bytes may be used, which needs a checksum to judge the whole by
   */
  static async open(path: string, keep: boolean): Promise<IncompleteFile> {
    if (!keep) await rm(path, { force: true })
    const opened = new IncompleteFile(path, await openOrMake(path))
    const buffer = Buffer.alloc(readAtOnce)
    for (;;) {
      const { bytesRead } = await opened.#file.read(buffer, 0, readAtOnce, opened.#length)
      if (bytesRead === 0) return opened
      opened.#hash.update(buffer.subarray(0, bytesRead))
      opened.#length += bytesRead
    }
  }

  /** Bytes so far. */
  get length(): number {
    return this.#length
  }

  /** @throws HeddleError where the disk is full or refuses */
  async append(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      // At its place, not at the file's end: a second writer of the same file then writes the same bytes there.
      const write = () => this.#file.write(bytes, done, bytes.length - done, this.#length + done)
      done += (await explained(this.#path, write)).bytesWritten
    }
    this.#hash.update(bytes)
    this.#length += bytes.length
  }

  /** Forgets all bytes. The file is made anew, so that what another process has open is not cut. */
  async startOver(): Promise<void> {
    await this.#file.close()
    await rm(this.#path, { force: true })
    this.#file = await openOrMake(this.#path)
    this.#hash = createHash('sha256')
    this.#length = 0
  }

  /**
   * The checksum that an entity tag is, of the bytes so far: sha256 for 64 hexadecimal digits, for 40 git's sha1, that of
   * `blob LENGTH\0` and the bytes; undefined for a tag that is no checksum.
   */
  async checksum(etag: string): Promise<string | undefined> {
    if (/^[0-9a-f]{64}$/.test(etag)) return this.#hash.copy().digest('hex')
    if (!/^[0-9a-f]{40}$/.test(etag)) return undefined
    const hash = createHash('sha1').update(`blob ${this.#length}\0`)
    const buffer = Buffer.alloc(readAtOnce)
    for (let position = 0; position < this.#length; ) {
      const { bytesRead } = await this.#file.read(buffer, 0, readAtOnce, position)
      if (bytesRead === 0) break
      hash.update(buffer.subarray(0, bytesRead))
      position += bytesRead
    }
    return hash.digest('hex')
  }

  /** Gives the file its name, safely on the disk. @throws HeddleError where another process has touched it */
  async finish(path: string): Promise<void> {
    await explained(this.#path, async () => {
      await this.#file.sync()
      const own = await this.#file.stat()
      const named = await stat(this.#path)
      if (own.ino !== named.ino || own.size !== this.#length) {
        throw new HeddleError(`${this.#path}: another process has written this file too; run the command again`)
      }
      await this.#file.close()
      await rename(this.#path, path)
    })
    syncFolder(dirname(path))
  }

  /** Leaves the file for a later download to go on with. */
  async close(): Promise<void> {
    await this.#file.close()
  }

  /** Removes the file. */
  async remove(): Promise<void> {
    await this.#file.close()
    await rm(this.#path, { force: true })
  }
}

/** Whether an entity tag is a checksum of the file. */
export function isChecksum(etag: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(etag)
}

function openOrMake(path: string): Promise<FileHandle> {
  return explained(path, () => open(path, constants.O_RDWR | constants.O_CREAT))
}

async function explained<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    const problem = systemProblem(error, dirname(path))
    throw problem ? new HeddleError(`cannot write ${path}: ${problem}`, { cause: error }) : error
  }
}
