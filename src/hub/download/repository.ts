import { z } from 'zod'
import { CheckpointError, NetworkError } from '../../errors.js'
import { type HubAnswer, type HubConnection, PassingError, waitOf } from './connection.js'
import { checkListedNames, commitPattern, formatModelName, isBlobName, type ModelName } from './names.js'

/** What is known of a file before it is downloaded. */
export interface FileFacts {
  /** The hub's entity tag, which is the blob's name in the cache: for large files their sha256, else git's sha1. */
  readonly etag: string
  /** Bytes; undefined where the server does not say. */
  readonly size: number | undefined
}

/** A file of a repository. */
export interface ListedFile {
  readonly path: string
  /** Where the list says it. */
  readonly facts: FileFacts | undefined
}

/** The files of a repository at one commit. */
export interface RepositoryListing {
  readonly commit: string
  readonly files: readonly ListedFile[]
}

const size = z.int().nonnegative()
const schema = z.object({
  sha: z.string().regex(commitPattern),
  siblings: z.array(z.looseObject({ rfilename: z.string().min(1) })),
})
const large = z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size })
const small = z.object({ blobId: z.string().regex(/^[0-9a-f]{40}$/), size, lfs: z.null().optional() })

/**
 * Asks the hub for the commit that a revision stands for, and for its files.
 *
 * @throws CheckpointError where the model or revision is not there or not for this user; NetworkError for other failures
 */
export function listRepository(connection: HubConnection, model: ModelName): Promise<RepositoryListing> {
  const path = `/api/models/${model.repository}/revision/${encodeURIComponent(model.revision)}?blobs=true`
  return connection.retrying(async () => {
    const answer = await connection.request('GET', path)
    await checkStatus(answer, { connection, model })
    return parseListing(await connection.readJson(answer), `${answer.host}: ${formatModelName(model)}`)
  })
}

/**
 * Reads the hub's answer on a model.
 *
 * @param where whose answer it is, for messages
 * @throws NetworkError where it is not such an answer; CheckpointError where it names files that no repository can hold
 */
export function parseListing(answer: unknown, where: string): RepositoryListing {
  const result = schema.safeParse(answer)
  if (!result.success) {
    const [{ path, message }] = result.error.issues
    throw new NetworkError(`${where}: not the answer of a hub ('${path.join('.')}': ${message}); check HF_ENDPOINT`)
  }
  const { sha, siblings } = result.data
  checkListedNames(
    siblings.map(({ rfilename }) => rfilename),
    where,
  )
  return { commit: sha, files: siblings.map((file) => ({ path: file.rfilename, facts: factsOf(file) })) }
}

/**
 * Asks for what the list of files does not say, which mirrors may leave out.
 *
 * @throws CheckpointError where the file is not there; NetworkError where the server does not say what it has
 */
export function askForFacts(connection: HubConnection, file: FileRequest): Promise<FileFacts> {
  return connection.retrying(async () => {
    const answer = await connection.request('HEAD', filePath(file))
    await checkStatus(answer, { connection, ...file })
    const facts = factsOfAnswer(answer)
    if (facts !== undefined) return facts
    throw new NetworkError(`${answer.host}: ${file.path}: expected an ETag of the file; check HF_ENDPOINT`)
  })
}

/** A file of a model at a commit. */
export interface FileRequest {
  readonly model: ModelName
  readonly commit: string
  readonly path: string
}

/** Where the hub has a file. */
export function filePath({ model, commit, path }: FileRequest): string {
  return `/${model.repository}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
}

/** What an answer says of its file; undefined where it does not say which file it is. */
export function factsOfAnswer({ status, headers, facts }: HubAnswer): FileFacts | undefined {
  const etag = (facts.get('x-linked-etag') ?? facts.get('etag') ?? '').replace(/^W\//, '').replaceAll('"', '')
  if (!isBlobName(etag)) return undefined
  const isRedirect = status >= 300 && status < 400
  const length = facts.get('x-linked-size') ?? (isRedirect || isEncoded(headers) ? null : headers.get('content-length'))
  return { etag, size: length !== null && /^\d{1,15}$/.test(length) ? Number(length) : undefined }
}

/** Whether a body is compressed, so that its length is not the file's. */
export function isEncoded(headers: Headers): boolean {
  return (headers.get('content-encoding') ?? 'identity') !== 'identity'
}

/** What was asked for, for messages. */
interface Asked {
  readonly connection: HubConnection
  readonly model: ModelName
  readonly path?: string
}

/**
 * Turns an answer that is not a good one into an error.
 *
 * @throws PassingError where the server is busy or broken; CheckpointError for what is not there or not for this user;
 * NetworkError for the rest
 */
export async function checkStatus(answer: HubAnswer, { connection, model, path }: Asked): Promise<void> {
  const { status, headers, host } = answer
  if (status < 400) return
  await answer.cancel()
  const what = path === undefined ? formatModelName(model) : `${formatModelName(model)}: ${path}`
  if ([408, 425, 429].includes(status) || (status >= 500 && status !== 501)) {
    throw new PassingError(`${host}: HTTP ${status} for ${what}`, { waitSeconds: waitOf(headers) })
  }
  const code = headers.get('x-error-code') ?? ''
  // Where the bytes are kept nothing is known of models: what it refuses is no fault of the name.
  if (host !== connection.host) throw new NetworkError(`${host}: HTTP ${status} for ${what}; try again`)
  const known = explanations({ connection, model, path })
  if (Object.hasOwn(known, code)) throw new CheckpointError(known[code])
  if (status === 401 && connection.hasToken) {
    throw new CheckpointError(`${what}: ${host} does not accept the token; check HF_TOKEN, or sign in again`)
  }
  if (status === 401 || status === 403 || status === 404) {
    throw new CheckpointError(
      path === undefined ? known.RepoNotFound : `${what}: ${host} has no such file (HTTP ${status})`,
    )
  }
  throw new NetworkError(`${host}: HTTP ${status} for ${what}; check HF_ENDPOINT`)
}

/** What the hub's error codes mean for the user. */
function explanations({ connection, model, path }: Asked): Record<string, string> {
  const { repository, revision } = model
  const { endpoint, host, hasToken } = connection
  const token = hasToken ? 'your token may not read it' : 'a private one needs HF_TOKEN'
  const page = `${endpoint}/${repository}`
  return {
    RepoNotFound: `${repository}: ${host} has no model of this name, or ${token}`,
    GatedRepo: `${repository}: its owner asks for consent; agree on ${page} and set ${hasToken ? 'a token of that account' : 'HF_TOKEN'}`,
    RevisionNotFound: `${repository}: ${host} has no revision '${revision}' of this model; see ${page}/tree/main`,
    EntryNotFound: `${repository}: there is no file ${path ?? ''} in revision '${revision}'; see ${page}/tree/main`,
    DisabledRepo: `${repository}: ${host} has disabled this model`,
  }
}

/** What the list says of a file; nothing where it does not say all of it. */
function factsOf(file: Readonly<Record<string, unknown>>): FileFacts | undefined {
  const stored = large.safeParse(file.lfs).data
  if (stored !== undefined) return { etag: stored.sha256, size: stored.size }
  const own = small.safeParse(file).data
  return own && { etag: own.blobId, size: own.size }
}
