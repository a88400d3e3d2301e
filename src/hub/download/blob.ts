import { CheckpointError } from '../../errors.js'
import { waitForLock } from '../lock-file.js'
import { incompletePath, isWhole, type ModelCache } from './cache.js'
import { type HubAnswer, type HubConnection, interrupted, PassingError } from './connection.js'
import { IncompleteFile, isChecksum } from './incomplete.js'
import { formatModelName } from './names.js'
import { checkStatus, type FileFacts, type FileRequest, factsOfAnswer, filePath, isEncoded } from './repository.js'

/** A file to download: where it is and what is known of it. */
export interface WantedFile extends FileRequest, FileFacts {
  /** Whether the repository's list says what it is; else only the server does, which may have another file later. */
  readonly isListed: boolean
}

/** Where a file comes from and goes to, and who hears of it. */
export interface BlobOptions {
  readonly connection: HubConnection
  readonly cache: ModelCache
  readonly signal?: AbortSignal | undefined
  readonly onMessage?: ((message: string) => void) | undefined
  /** Hears how many bytes there are, at first those of an earlier download. */
  readonly onBytes?: ((received: number, size: number | undefined) => void) | undefined
}

/** What came is not the file, so that nothing of it is kept. */
class WrongFileError extends CheckpointError {}

/** The server has replaced the file meanwhile. */
class ChangedFileError extends WrongFileError {
  readonly facts: FileFacts

  constructor(message: string, facts: FileFacts) {
    super(message)
    this.facts = facts
  }
}

/**
 * Downloads a file into the cache's blobs, unless it is there. What an interrupted download has left is gone on with; the
 * whole is checked against its length and checksum before it gets its name. Of several processes one downloads, the others
 * wait.
 *
 * @returns the entity tag, which is another than the wanted one where the file was replaced and no list had said its checksum
 * @throws CheckpointError where the file is not there, or not the one that it should be; NetworkError where it cannot be had;
 * HeddleError where the disk is full
 */
export async function fetchBlob(file: WantedFile, options: BlobOptions): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    try {
      await fetchOnce(file, options)
      return file.etag
    } catch (error) {
      if (!(error instanceof ChangedFileError) || attempt === 2) throw error
      options.onMessage?.(`${file.path} has changed on the server; starting over`)
      file = { ...file, ...error.facts }
    }
  }
}

async function fetchOnce(file: WantedFile, options: BlobOptions): Promise<void> {
  const { cache, signal, onMessage } = options
  const { etag, size } = file
  const blob = cache.blobPath(etag)
  if (await isWhole(blob, size)) return
  cache.prepare()
  const onWait = () => onMessage?.(`${file.path}: another process is downloading it; waiting for that`)
  const unlock = await waitForLock(cache.lockPath(etag), { signal, onWait }).catch((error: unknown) => {
    throw signal?.aborted ? interrupted() : error
  })
  try {
    if (await isWhole(blob, size)) return
    const incomplete = await IncompleteFile.open(incompletePath(blob), isChecksum(etag))
    await new Download(file, incomplete, options).into(blob)
  } finally {
    unlock()
  }
}

/** One file on its way. */
class Download {
  readonly #file: WantedFile
  readonly #incomplete: IncompleteFile
  readonly #options: BlobOptions
  /** Whether the bytes so far are of more than one answer, which need not have been of one file. */
  #isPieced: boolean
  /** The entity tag of the host that has sent the bytes so far, where a request can be bound to it. */
  #source: string | undefined
  /** Most bytes there were. */
  #most: number

  constructor(file: WantedFile, incomplete: IncompleteFile, options: BlobOptions) {
    this.#file = file
    this.#incomplete = incomplete
    this.#options = options
    this.#isPieced = incomplete.length > 0
    this.#most = incomplete.length
  }

  async into(blob: string): Promise<void> {
    const { path } = this.#file
    try {
      await this.#receiveAll()
      let found = await this.#incomplete.checksum(this.#file.etag)
      if (this.#isPieced && !this.#isRight(found)) {
        this.#options.onMessage?.(`${path}: what was kept of an earlier download does not fit; starting over`)
        await this.#startOver()
        this.#most = 0
        await this.#receiveAll()
        found = await this.#incomplete.checksum(this.#file.etag)
      }
      if (!this.#isRight(found)) throw this.#wrong(`has the checksum ${found}`)
      await this.#incomplete.finish(blob)
    } catch (error) {
      // Of a file that is not the right one nothing is kept; of any other the bytes so far.
      await (error instanceof WrongFileError ? this.#incomplete.remove() : this.#incomplete.close())
      throw error
    }
  }

  #isRight(checksum: string | undefined): boolean {
    const { etag, size } = this.#file
    return (checksum ?? etag) === etag && (size === undefined || this.#incomplete.length === size)
  }

  #receiveAll(): Promise<void> {
    return this.#options.connection.retrying((gotOn) => this.#receive(gotOn))
  }

  /** Asks for what is missing and takes what comes. */
  async #receive(gotOn: () => void): Promise<void> {
    const { connection } = this.#options
    const { size } = this.#file
    this.#report()
    if (this.#incomplete.length === size && size > 0) return
    if (!this.#canGoOn()) await this.#startOver()
    const answer = await connection.request('GET', filePath(this.#file), this.#rangeHeaders())
    try {
      await this.#accept(answer)
      for await (const chunk of answer.chunks()) await this.#take(chunk, gotOn)
    } finally {
      await answer.cancel()
    }
    const { length } = this.#incomplete
    if (size !== undefined && length < size) {
      throw new PassingError(`${answer.host}: ${this.#file.path} ended after ${length} of ${size} bytes`)
    }
  }

  /** Whether the end of a body may be joined to the bytes so far: something must tell whether they are of the same file. */
  #canGoOn(): boolean {
    const { etag, size = Number.POSITIVE_INFINITY } = this.#file
    return this.#incomplete.length <= size && (isChecksum(etag) || this.#source !== undefined)
  }

  #rangeHeaders(): Record<string, string> {
    const { length } = this.#incomplete
    if (length === 0) return {}
    // A checksum judges the whole in the end; without one, the server must say that it is still the same file.
    const condition = isChecksum(this.#file.etag) ? undefined : this.#source
    return { range: `bytes=${length}-`, ...(condition !== undefined && { 'if-range': condition }) }
  }

  /** Looks whether an answer is the file from where the bytes so far end, and starts over where it is the file from its start. */
  async #accept(answer: HubAnswer): Promise<void> {
    const { status, headers, host } = answer
    if (status === 416) {
      await this.#startOver()
      throw new PassingError(`${host}: ${this.#file.path} ends before the bytes that were kept of it`, {
        waitSeconds: 0,
      })
    }
    await checkStatus(answer, { connection: this.#options.connection, ...this.#file })
    this.#checkSame(answer)
    const from = this.#incomplete.length
    if (status === 206 && rangeStart(headers) === from && !isEncoded(headers)) this.#isPieced ||= from > 0
    else if (from > 0) {
      await this.#startOver()
      // A range that was not asked for: the next request asks for all.
      if (status === 206) throw new PassingError(`${host}: sent another part of ${this.#file.path}`, { waitSeconds: 0 })
    } else if (status !== 200) throw this.#wrong(`was answered with HTTP ${status}`)
    const tag = headers.get('etag')
    this.#source = tag?.startsWith('"') ? tag : undefined
    this.#checkLength(answer)
  }

  /** A whole file must be as long as it should be; a part may be less than was asked for, but not more. */
  #checkLength({ status, headers }: HubAnswer): void {
    const announced = isEncoded(headers) ? null : headers.get('content-length')
    const { size } = this.#file
    if (announced === null || size === undefined) return
    const length = this.#incomplete.length + Number(announced)
    if (length > size || (length < size && status === 200)) throw this.#wrong(`is announced with ${length} bytes`)
  }

  /** @throws ChangedFileError where the server now has another file */
  #checkSame(answer: HubAnswer): void {
    const now = factsOfAnswer(answer)
    const { etag, path, isListed } = this.#file
    // What the list says is judged by the content alone: a mirror's own tags may be others.
    if (isListed || now === undefined || now.etag === etag) return
    throw new ChangedFileError(
      `${answer.host}: ${path} has changed while it was downloaded; run the command again`,
      now,
    )
  }

  async #take(chunk: Uint8Array, gotOn: () => void): Promise<void> {
    const { size } = this.#file
    if (size !== undefined && this.#incomplete.length + chunk.length > size) throw this.#wrong('is longer')
    await this.#incomplete.append(chunk)
    if (this.#incomplete.length > this.#most) {
      this.#most = this.#incomplete.length
      gotOn()
    }
    this.#report()
  }

  async #startOver(): Promise<void> {
    await this.#incomplete.startOver()
    this.#isPieced = false
    this.#source = undefined
  }

  #report(): void {
    this.#options.onBytes?.(this.#incomplete.length, this.#file.size)
  }

  #wrong(how: string): WrongFileError {
    const { model, path, etag, size } = this.#file
    const expected = [
      size === undefined ? undefined : `${size} bytes`,
      isChecksum(etag) ? `checksum ${etag}` : undefined,
    ]
    const what = expected.filter((part) => part !== undefined).join(' and ')
    return new WrongFileError(
      `${formatModelName(model)}: ${path} ${how}, expected ${what || 'another answer'}; nothing of it was kept, run the command again`,
    )
  }
}

/** The first byte that a partial answer holds. */
function rangeStart(headers: Headers): number | undefined {
  const start = /^bytes (\d+)-\d+\/(?:\d+|\*)$/.exec(headers.get('content-range') ?? '')?.[1]
  return start === undefined ? undefined : Number(start)
}
