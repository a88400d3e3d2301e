import { existsSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { CheckpointError, HeddleError } from '../../errors.js'
import { makeFolder, weightMap } from '../files.js'
import { fetchBlob, type WantedFile } from './blob.js'
import { incompletePath, isWhole, ModelCache } from './cache.js'
import { absentFiles, type Choice, chooseFiles, chooseShards, type Wanted } from './choose-files.js'
import { type ConnectionOptions, HubConnection } from './connection.js'
import { commitPattern, formatModelName, type ModelName, requireModelName } from './names.js'
import { askForFacts, listRepository, type RepositoryListing } from './repository.js'
import { type HubSettings, hubSettings } from './settings.js'

/** How far the download of a file is. */
export interface DownloadProgress {
  readonly file: string
  /** Bytes so far, with those of an earlier download. */
  readonly received: number
  /** Bytes in all; undefined where the server does not say. */
  readonly size: number | undefined
  /** Whether the file is checked and in its place. */
  readonly done: boolean
}

/** How a model is downloaded. */
export interface PullOptions extends Wanted, ConnectionOptions {
  /** A branch, a tag or a commit, where the name does not say one (default `main`). */
  readonly revision?: string | undefined
  /** Where from and to, instead of what the environment variables say. */
  readonly settings?: Partial<HubSettings>
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined
}

/** A model in the cache. */
export interface PulledModel {
  /** `OWNER/NAME`. */
  readonly model: string
  readonly revision: string
  /** The commit that the revision stands for. */
  readonly commit: string
  /** The snapshot's folder: a checkpoint. */
  readonly directory: string
  /** The files that were asked for, and those of them that came over the network. */
  readonly files: readonly string[]
  readonly downloaded: readonly string[]
}

/** Files that are downloaded at once. */
const atOnce = 4

/**
 * Downloads a model from the Hugging Face hub, or a mirror, into the cache that Python's huggingface_hub shares: what is
 * missing of its safetensors or one `.gguf`, configuration and tokenizer. Files are checked against the hub's checksums; what
 * an interruption leaves is gone on with. Nothing is asked for where `HF_HUB_OFFLINE` is set, or the cache has the commit.
 *
 * @param name `OWNER/NAME` or `OWNER/NAME@REVISION`
 * @throws UsageError for another name; CheckpointError where the model, revision or file is not there, not for this user,
 * only a pickle, or damaged; NetworkError where a server cannot be reached or fails; HeddleError where the disk is full
 */
export async function pullModel(name: string, options: PullOptions = {}): Promise<PulledModel> {
  const model = requireModelName(name, options.revision)
  const settings = { ...hubSettings(), ...options.settings }
  const cache = new ModelCache(settings, model.repository)
  const kept = keptModel(cache, model, options)
  if (kept !== undefined && (settings.offline || commitPattern.test(model.revision))) return kept
  if (settings.offline) {
    throw new CheckpointError(
      `${formatModelName(model)}: not in the cache ${settings.cacheDirectory}, and HF_HUB_OFFLINE forbids to download it`,
    )
  }
  return new Pull(model, cache, settings, options).run()
}

/** What the cache has of a model, where that is all that is wanted. */
function keptModel(cache: ModelCache, model: ModelName, { file, parts }: Wanted): PulledModel | undefined {
  const commit = cache.commitOf(model.revision)
  if (commit === undefined) return undefined
  const directory = cache.snapshotPath(commit)
  const isKept =
    file === undefined ? cache.find(model, parts) !== undefined : existsSync(cache.snapshotFile(commit, file))
  if (!isKept) return undefined
  return { model: model.repository, revision: model.revision, commit, directory, files: [], downloaded: [] }
}

/** One download of a model. */
class Pull {
  readonly #model: ModelName
  readonly #cache: ModelCache
  readonly #settings: HubSettings
  readonly #options: PullOptions
  readonly #connection: HubConnection
  /** Ends everything: as the user wants it, or because a part has failed. */
  readonly #stop = new AbortController()
  /** Entity tags by file, of what is to be in the snapshot. */
  readonly #etags = new Map<string, string>()
  readonly #running = new Map<string, Promise<string>>()
  readonly #downloaded: string[] = []

  constructor(model: ModelName, cache: ModelCache, settings: HubSettings, options: PullOptions) {
    this.#model = model
    this.#cache = cache
    this.#settings = settings
    this.#options = options
    this.#connection = new HubConnection(settings, { ...options, signal: this.#stop.signal })
  }

  async run(): Promise<PulledModel> {
    const { signal } = this.#options
    const stop = () => this.#stop.abort()
    signal?.addEventListener('abort', stop)
    if (signal?.aborted) stop()
    try {
      return await this.#pull()
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }

  async #pull(): Promise<PulledModel> {
    const where = formatModelName(this.#model)
    const listing = await listRepository(this.#connection, this.#model)
    const names = listing.files.map(({ path }) => path)
    const choice = chooseFiles(names, where, this.#options)
    const first = [...choice.small, ...(choice.index === undefined ? [] : [choice.index])]
    await this.#fetch(first, listing)
    const weights = [...choice.weights, ...chooseShards(this.#shards(choice, listing.commit), names, where)]
    await this.#fetch(weights, listing)
    await this.#finish(listing.commit, names)
    return {
      model: this.#model.repository,
      revision: this.#model.revision,
      commit: listing.commit,
      directory: this.#cache.snapshotPath(listing.commit),
      files: [...first, ...weights],
      downloaded: this.#downloaded,
    }
  }

  #shards({ index }: Choice, commit: string): string[] {
    if (index === undefined) return []
    const etag = this.#etags.get(index)
    const path = etag === undefined ? this.#cache.snapshotFile(commit, index) : this.#cache.blobPath(etag)
    return weightMap(path).map(([, shard]) => shard)
  }

  /** Downloads the blobs of files that the snapshot has not. */
  async #fetch(paths: readonly string[], { commit, files }: RepositoryListing): Promise<void> {
    const listed = new Map(files.map(({ path, facts }) => [path, facts]))
    const missing: WantedFile[] = []
    await this.#forEach(paths, async (path) => {
      const facts = listed.get(path)
      if (await isWhole(this.#cache.snapshotFile(commit, path), facts?.size)) return
      const request = { model: this.#model, commit, path }
      const isListed = facts !== undefined
      missing.push({ ...request, ...(facts ?? (await askForFacts(this.#connection, request))), isListed })
    })
    await this.#checkSpace(missing)
    await this.#forEach(missing, (file) => this.#fetchOne(file))
  }

  async #fetchOne(file: WantedFile): Promise<void> {
    const { onMessage, onProgress } = this.#options
    let last: Omit<DownloadProgress, 'done'> | undefined
    const onBytes = (received: number, size: number | undefined) => {
      last = { file: file.path, received, size }
      onProgress?.({ ...last, done: false })
    }
    const options = { connection: this.#connection, cache: this.#cache, signal: this.#stop.signal, onMessage, onBytes }
    // Files may be alike.
    const etag = this.#running.get(file.etag) ?? fetchBlob(file, options)
    this.#running.set(file.etag, etag)
    this.#etags.set(file.path, await etag)
    if (last === undefined) return
    this.#downloaded.push(file.path)
    onProgress?.({ ...last, done: true })
  }

  /** Does something for each item, several at once; after a failure, which is thrown, nothing is under way any more. */
  async #forEach<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
    const queue = [...items]
    const failures: unknown[] = []
    const worker = async () => {
      for (let item = queue.shift(); item !== undefined && failures.length === 0; item = queue.shift()) {
        try {
          await work(item)
        } catch (error) {
          failures.push(error)
          this.#stop.abort()
        }
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    if (failures.length > 0) throw failures[0]
  }

  /** @throws HeddleError where the disk has no room for what is to come */
  async #checkSpace(files: readonly WantedFile[]): Promise<void> {
    if (files.length === 0) return
    const { cacheDirectory } = this.#settings
    makeFolder(cacheDirectory)
    let needed = 0
    for (const { etag, size = 0 } of files) {
      const blob = this.#cache.blobPath(etag)
      if (await isWhole(blob, size)) continue
      const kept = statSync(incompletePath(blob), { throwIfNoEntry: false })?.size ?? 0
      needed += Math.max(0, size - kept)
    }
    const { bavail, bsize, blocks } = await statfs(cacheDirectory)
    const free = bavail * bsize
    if (blocks === 0 || free >= needed) return
    const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
    throw new HeddleError(
      `${cacheDirectory}: ${formatModelName(this.#model)} needs ${megabytes(needed)} more, ${megabytes(free)} are free; free some or set HF_HUB_CACHE to another disk`,
    )
  }

  /** Shows the files in the snapshot, the weights last, so that one with weights is whole; then says what the revision is. */
  async #finish(commit: string, names: readonly string[]): Promise<void> {
    for (const [path, etag] of this.#etags) await this.#cache.addToSnapshot(commit, path, etag)
    await this.#cache.writeAbsent(commit, absentFiles(names))
    if (this.#model.revision !== commit) this.#cache.writeCommit(this.#model.revision, commit)
  }
}
