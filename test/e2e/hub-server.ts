import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

/** Something that goes wrong with the requests it fits. */
export interface Fault {
  /** A part of the path; `/cdn/` is where large files are. */
  readonly path: string
  readonly method?: 'GET' | 'HEAD'
  /** How often it happens (default 1). */
  readonly times?: number
  /** Answer with this instead. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Cut the connection after this many bytes of the body. */
  readonly reset?: number
  /** End the body well-formed after this many bytes, its length not announced. */
  readonly end?: number
  /** Send nothing more after this many bytes. */
  readonly stall?: number
  /** Send the whole file though a part was asked for. */
  readonly noRange?: boolean
  /** Other bytes than the file's. */
  readonly content?: Uint8Array
  /** Milliseconds between pieces of 1 KiB. */
  readonly slow?: number
}

/** A request that the server has got. */
export interface SeenRequest {
  readonly server: 'hub' | 'cdn'
  readonly method: string
  readonly path: string
  readonly authorization: string | undefined
  readonly range: string | undefined
  readonly ifRange: string | undefined
}

/** The files of a repository at one commit. */
type Files = Map<string, Uint8Array>

interface Repository {
  readonly commits: Map<string, Files>
  readonly refs: Map<string, string>
  token?: string | undefined
  isGated: boolean
}

/** What a path asks for. */
interface Asked {
  readonly repository?: string | undefined
  readonly kind?: string | undefined
  readonly revision?: string | undefined
  readonly file?: string | undefined
}

const notFound: [number, string] = [404, 'RevisionNotFound']

/** How a {@link HubServer} differs from the hub. */
export interface HubServerOptions {
  /** Put before every path, as mirrors do. */
  readonly prefix?: string
  /** Leave lengths and checksums out of lists, as some mirrors do. */
  readonly bareLists?: boolean
  /** Files of more bytes than this are stored elsewhere, by their sha256 (default 1000). */
  readonly largeFrom?: number
}

/** A server on this machine that speaks the hub's protocol for models, and a second one where large files are. */
export class HubServer {
  /** What `HF_ENDPOINT` is set to. */
  url = ''
  readonly seen: SeenRequest[] = []
  readonly #repositories = new Map<string, Repository>()
  readonly #faults: { fault: Fault; left: number }[] = []
  readonly #options: HubServerOptions
  readonly #hub: Server
  readonly #cdn: Server

  private constructor(options: HubServerOptions) {
    this.#options = options
    this.#hub = createServer((request, response) => this.#answer('hub', request, response))
    this.#cdn = createServer((request, response) => this.#answer('cdn', request, response))
  }

  static async start(options: HubServerOptions = {}): Promise<HubServer> {
    const server = new HubServer(options)
    for (const part of [server.#hub, server.#cdn]) {
      await new Promise<void>((resolve) => part.listen(0, '127.0.0.1', resolve))
    }
    server.url = `http://127.0.0.1:${portOf(server.#hub)}${options.prefix ?? ''}`
    return server
  }

  async close(): Promise<void> {
    for (const part of [this.#hub, this.#cdn]) {
      part.closeAllConnections()
      await new Promise((resolve) => part.close(resolve))
    }
  }

  /** Adds a commit and points a branch or tag to it; returns the commit. */
  commit(name: string, files: Readonly<Record<string, string | Uint8Array>>, revision = 'main'): string {
    const repository = this.#repository(name)
    const content = new Map(Object.entries(files).map(([path, data]) => [path, Buffer.from(data)]))
    const commit = digest('sha1', JSON.stringify([name, revision, repository.commits.size]))
    repository.commits.set(commit, content)
    repository.refs.set(revision, commit)
    return commit
  }

  /** Adds the files of a folder. */
  commitFolder(name: string, folder: string, revision?: string): string {
    const paths = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile())
    return this.commit(
      name,
      Object.fromEntries(paths.map((entry) => [entry.name, readFileSync(join(folder, entry.name))])),
      revision,
    )
  }

  /** Replaces a file of a commit, which the hub itself never does. */
  replace(name: string, commit: string, path: string, data: string | Uint8Array): void {
    this.#repository(name).commits.get(commit)?.set(path, Buffer.from(data))
  }

  /** Lets a model be read only with a token, and only after consent where it is gated. */
  protect(name: string, token: string, isGated = false): void {
    Object.assign(this.#repository(name), { token, isGated })
  }

  /** Lets something go wrong. */
  fail(fault: Fault): void {
    this.#faults.push({ fault, left: fault.times ?? 1 })
  }

  /** The requests for bytes of a file. */
  downloads(part: string): SeenRequest[] {
    return this.seen.filter(({ method, path }) => method === 'GET' && path.includes(part))
  }

  #repository(name: string): Repository {
    const made = { commits: new Map(), refs: new Map(), isGated: false }
    const repository = this.#repositories.get(name) ?? made
    this.#repositories.set(name, repository)
    return repository
  }

  #answer(server: 'hub' | 'cdn', request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', headers } = request
    const path = decodeURIComponent(new URL(url, 'http://host').pathname)
    const { authorization, range } = headers
    this.seen.push({ server, method, path, authorization, range, ifRange: conditionOf(request) })
    const fault = this.#faultOf(method, path)
    if (fault?.status !== undefined) {
      response.writeHead(fault.status, fault.headers).end(fault.body)
      return
    }
    if (server === 'cdn') this.#sendStored(path, request, response, fault)
    else this.#answerOn(this.#parse(path), request, response, fault)
  }

  #parse(path: string): Asked {
    const { prefix = '' } = this.#options
    if (!path.startsWith(`${prefix}/`)) return {}
    const [, repository, kind, revision, file] =
      /^\/(?:api\/models\/)?([^/]+\/[^/]+)(?:\/(revision|tree|resolve)\/(refs\/pr\/\d+|[^/]+)(?:\/(.*))?)?$/.exec(
        path.slice(prefix.length),
      ) ?? []
    return { repository, kind, revision, file }
  }

  #answerOn(
    { repository: name = '', kind = 'revision', revision = 'main', file = '' }: Asked,
    request: IncomingMessage,
    response: ServerResponse,
    fault: Fault | undefined,
  ): void {
    const { refs, commits } = this.#repository(name)
    const commit = refs.get(revision) ?? revision
    const files = commits.get(commit)
    const content = files?.get(file)
    const refusal = this.#refusal(name, request, files)
    if (refusal !== undefined || files === undefined) refuse(response, ...(refusal ?? notFound))
    else if (kind === 'tree') sendJson(response, this.#tree(files), fault)
    else if (kind === 'revision') sendJson(response, this.#list(commit, files), fault)
    else if (content === undefined) refuse(response, 404, 'EntryNotFound', { 'x-repo-commit': commit })
    else if (this.#isLarge(content)) {
      const facts = { 'x-linked-etag': `"${digest('sha256', content)}"`, 'x-linked-size': String(content.length) }
      const location = `http://localhost:${portOf(this.#cdn)}/cdn/${commit}/${name}/${file}?signature=a%2Fb`
      response.writeHead(302, { 'x-repo-commit': commit, ...facts, location }).end()
    } else {
      const facts = { 'x-repo-commit': commit, etag: `"${gitSha1(content)}"` }
      send(content, request, response, { facts, fault })
    }
  }

  #refusal(name: string, { headers }: IncomingMessage, files: Files | undefined): [number, string] | undefined {
    const { token, isGated, commits } = this.#repository(name)
    if (commits.size === 0) return [401, 'RepoNotFound']
    if (token !== undefined && headers.authorization !== `Bearer ${token}`) {
      return [401, isGated ? 'GatedRepo' : 'RepoNotFound']
    }
    return files === undefined ? notFound : undefined
  }

  #sendStored(path: string, request: IncomingMessage, response: ServerResponse, fault: Fault | undefined): void {
    const [, commit = '', name = '', file = ''] = /^\/cdn\/([^/]+)\/([^/]+\/[^/]+)\/(.*)$/.exec(path) ?? []
    const content = this.#repositories.get(name)?.commits.get(commit)?.get(file)
    // Object stores have tags of their own.
    if (content === undefined) refuse(response, 403, 'AccessDenied')
    else send(content, request, response, { facts: { etag: `"${digest('md5', content)}-1"` }, fault })
  }

  #list(commit: string, files: Files): object {
    const siblings = [...files].map(([rfilename, content]) => {
      if (this.#options.bareLists) return { rfilename }
      const { length: size } = content
      const lfs = this.#isLarge(content) && { lfs: { sha256: digest('sha256', content), size, pointerSize: 134 } }
      return { rfilename, size, blobId: lfs ? digest('sha1', rfilename) : gitSha1(content), ...lfs }
    })
    return { _id: '1', id: 'x/y', modelId: 'x/y', sha: commit, private: false, tags: [], downloads: 0, siblings }
  }

  #tree(files: Files): object[] {
    return [...files].map(([path, content]) => {
      const { length: size } = content
      const lfs = this.#isLarge(content) && { lfs: { oid: digest('sha256', content), size, pointerSize: 134 } }
      return { type: 'file', path, size, oid: lfs ? digest('sha1', path) : gitSha1(content), ...lfs }
    })
  }

  #isLarge({ length }: Uint8Array): boolean {
    return length > (this.#options.largeFrom ?? 1000)
  }

  #faultOf(method: string, path: string): Fault | undefined {
    const found = this.#faults.find(
      ({ fault, left }) => left > 0 && path.includes(fault.path) && (fault.method ?? method) === method,
    )
    if (found !== undefined) found.left--
    return found?.fault
  }
}

/** Git's checksum of a file. */
export function gitSha1(content: Uint8Array): string {
  return digest('sha1', Buffer.concat([Buffer.from(`blob ${content.length}\0`), content]))
}

/** A checksum in hexadecimal digits. */
export function digest(algorithm: 'sha1' | 'sha256' | 'md5', content: string | Uint8Array): string {
  return createHash(algorithm).update(content).digest('hex')
}

/** Bytes that look random, the same every time, and compress badly. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length)
  let state = seed
  for (let i = 0; i < length; i++) {
    state = (state * 48271) % 2147483647
    bytes[i] = state & 255
  }
  return bytes
}

function send(
  original: Uint8Array,
  request: IncomingMessage,
  response: ServerResponse,
  { facts, fault = { path: '' } }: { facts: Record<string, string>; fault?: Fault | undefined },
): void {
  const { method, headers } = request
  const content = fault.content ?? original
  const asked = fault.noRange ? null : /^bytes=(\d+)-$/.exec(headers.range ?? '')
  const condition = conditionOf(request)
  const isSame = condition === undefined || condition === facts.etag
  const from = asked && isSame ? Number(asked[1]) : 0
  if (from > 0 && from >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end()
    return
  }
  const body = content.subarray(from)
  const range = { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }
  const length = fault.end === undefined ? { 'content-length': String(body.length) } : {}
  response.writeHead(from > 0 ? 206 : 200, { ...facts, ...fault.headers, ...length, ...(from > 0 && range) })
  if (method === 'HEAD') response.end()
  else if (fault.slow !== undefined) sendSlowly(response, body, fault.slow)
  else sendPart(response, body, fault)
}

function conditionOf({ headers }: IncomingMessage): string | undefined {
  return [headers['if-range'] ?? []].flat()[0]
}

function sendPart(response: ServerResponse, body: Uint8Array, { end, reset, stall }: Fault): void {
  const cut = end ?? reset ?? stall
  if (cut === undefined) response.end(body)
  else if (end !== undefined) response.end(body.subarray(0, end))
  else if (reset !== undefined) response.write(body.subarray(0, cut), () => response.socket?.destroy())
  else response.write(body.subarray(0, cut))
}

function sendSlowly(response: ServerResponse, body: Uint8Array, pause: number): void {
  let sent = 0
  const timer = setInterval(() => {
    if (response.destroyed || sent >= body.length) {
      clearInterval(timer)
      response.end()
      return
    }
    response.write(body.subarray(sent, sent + 1024))
    sent += 1024
  }, pause)
}

function sendJson(response: ServerResponse, value: unknown, fault: Fault = { path: '' }): void {
  const body = Buffer.from(JSON.stringify(value))
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(body.length) })
  sendPart(response, body, fault)
}

function refuse(response: ServerResponse, status: number, code: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'x-error-code': code, 'x-error-message': code, ...headers }).end()
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
