import { setTimeout as sleep } from 'node:timers/promises'
import { HeddleError, NetworkError, UsageError } from '../../errors.js'
import { errorCode } from '../files.js'
import { type HubSettings, publicEndpoint } from './settings.js'

/** A failure that may pass: the same request is made again after a while. */
export class PassingError extends NetworkError {
  /** Seconds that the server asks to wait. */
  readonly waitSeconds: number | undefined

  constructor(message: string, options: ErrorOptions & { waitSeconds?: number | undefined } = {}) {
    super(message, options)
    this.waitSeconds = options.waitSeconds
  }
}

/** An answer whose headers have come and whose body is still to be read. */
export interface HubAnswer {
  readonly status: number
  /** Of the host that has answered in the end. */
  readonly headers: Headers
  /** What the hub itself said of the file, on the way or in the end. */
  readonly facts: Headers
  /** The host that has answered in the end. */
  readonly host: string
  /** The body in pieces. @throws PassingError where it is cut off */
  chunks(): AsyncGenerator<Uint8Array, void>
  /** Ends the answer without reading its body. */
  cancel(): Promise<void>
}

/** What a {@link HubConnection} is told beside where the hub is. */
export interface ConnectionOptions {
  /** Ends whatever is under way. */
  readonly signal?: AbortSignal | undefined
  /** Hears what goes wrong and is tried again. */
  readonly onMessage?: ((message: string) => void) | undefined
  /** Seconds between attempts; there is one more attempt than there are pauses (default 1, 2, 4, 8, 8). */
  readonly pauses?: readonly number[]
}

type Method = 'GET' | 'HEAD'

const maximumRedirects = 10
const maximumWait = 300
const maximumJson = 64 * 2 ** 20
/** What the hub says of a file, before it may send the client to where the bytes are. */
const factNames = ['etag', 'x-linked-etag', 'x-linked-size', 'x-repo-commit']
/** What it is like not to reach a server at all. */
const awayProblem = /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/
/** Failures of certificates, which do not pass. */
const certificateProblem = /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET)|ERR_TLS|ERR_SSL/

/** Requests to one hub: redirects that keep the token at home, time limits, and attempts again for what may pass. */
export class HubConnection {
  /** The hub's address and its host, for messages. */
  readonly endpoint: string
  readonly host: string
  /** Whether requests to the hub carry a token. */
  readonly hasToken: boolean
  readonly #settings: HubSettings
  readonly #options: ConnectionOptions
  /** Where the token may be sent to: the hub, or the mirror that the user has named. */
  readonly #trusted: ReadonlySet<string>
  #reached = false

  /** @throws UsageError where the settings are not an address and a token */
  constructor(settings: HubSettings, options: ConnectionOptions = {}) {
    const { protocol, host, origin, username } = parseEndpoint(settings.endpoint)
    if (!/^https?:$/.test(protocol) || username !== '') throw endpointError()
    if (settings.token !== undefined && !/^[\x21-\x7e]+$/.test(settings.token)) {
      throw new UsageError('HF_TOKEN: expected a token such as hf_…, got text that no header can hold; copy it again')
    }
    this.endpoint = settings.endpoint
    this.host = host
    this.hasToken = settings.token !== undefined
    this.#settings = settings
    this.#options = options
    this.#trusted = new Set([origin, publicEndpoint])
  }

  /**
   * Makes one request and follows where it leads. A HEAD request ends at the hub's own answer, where that names the file.
   *
   * @param path behind the endpoint, with a slash at its start
   * @throws PassingError for what may pass; NetworkError for other failures of the connection
   */
  async request(method: Method, path: string, headers: Readonly<Record<string, string>> = {}): Promise<HubAnswer> {
    const facts = new Headers()
    let url = new URL(this.#settings.endpoint + path)
    for (let redirects = 0; redirects <= maximumRedirects; redirects++) {
      const answer = await this.#send(method, url, headers)
      if (this.#trusted.has(url.origin)) collect(answer.headers, facts)
      const next = redirectOf(answer, url)
      const isKnown = facts.has('etag') || facts.has('x-linked-etag')
      if (next === undefined || (method === 'HEAD' && isKnown && !this.#trusted.has(next.origin))) {
        if (method === 'HEAD' && !isKnown) collect(answer.headers, facts)
        return { ...answer, facts }
      }
      await answer.cancel()
      url = next
    }
    throw new NetworkError(`${url.host}: more than ${maximumRedirects} redirects; check HF_ENDPOINT`)
  }

  /**
   * Does something again as long as it fails in a way that may pass.
   *
   * @param work calls the function that it is given whenever it got on, which makes earlier failures forgotten
   * @throws what the work threw last
   */
  async retrying<Result>(work: (gotOn: () => void) => Promise<Result>): Promise<Result> {
    const { pauses = [1, 2, 4, 8, 8], onMessage, signal } = this.#options
    for (let failures = 0; ; failures++) {
      const gotOn = () => {
        failures = 0
      }
      try {
        return await work(gotOn)
      } catch (error) {
        const wait = error instanceof PassingError ? (error.waitSeconds ?? pauses[failures]) : undefined
        if (wait === undefined || failures >= pauses.length || wait > maximumWait) throw error
        onMessage?.(`${error instanceof Error ? error.message : error}; trying again${wait ? ` in ${wait} s` : ''}`)
        await sleep(wait * 1000, undefined, { signal }).catch(() => {
          throw interrupted()
        })
      }
    }
  }

  /** The JSON of a good answer. @throws NetworkError where it is something else */
  async readJson(answer: HubAnswer): Promise<unknown> {
    const chunks: Uint8Array[] = []
    let length = 0
    for await (const chunk of answer.chunks()) {
      length += chunk.length
      if (length > maximumJson) throw new NetworkError(`${answer.host}: the answer is longer than 64 MiB`)
      chunks.push(chunk)
    }
    try {
      return JSON.parse(Buffer.concat(chunks).toString('utf8'))
    } catch (cause) {
      throw new NetworkError(`${answer.host}: expected JSON, got something else; is HF_ENDPOINT a hub?`, { cause })
    }
  }

  async #send(method: Method, url: URL, headers: Readonly<Record<string, string>>): Promise<Omit<HubAnswer, 'facts'>> {
    const { token, answerSeconds, stallSeconds } = this.#settings
    const { signal } = this.#options
    if (signal?.aborted) throw interrupted()
    const timer = new AbortController()
    const inTime = <Result>(work: Promise<Result>, seconds: number) =>
      limit(work, {
        seconds,
        timer,
        explain: (cause) => this.#explain(cause, url.host, timer.signal.aborted && seconds),
      })
    const response = await inTime(
      fetch(url, {
        method,
        redirect: 'manual',
        signal: signal ? AbortSignal.any([signal, timer.signal]) : timer.signal,
        headers: {
          'user-agent': `heddle; node/${process.versions.node}`,
          // Lengths and ranges are those of the file.
          'accept-encoding': 'identity',
          ...headers,
          ...(token !== undefined && this.#trusted.has(url.origin) && { authorization: `Bearer ${token}` }),
        },
      }),
      answerSeconds,
    )
    this.#reached = true
    const { status, headers: answered, body } = response
    const cancel = async () => body?.cancel().catch(() => {})
    const chunks = () => read(body, (work) => inTime(work, stallSeconds))
    return { status, headers: answered, host: url.host, chunks, cancel }
  }

  /** The error to throw for one of fetch. */
  #explain(cause: unknown, host: string, timedOut: number | false): Error {
    if (this.#options.signal?.aborted) return interrupted()
    if (timedOut) return new PassingError(`${host}: no answer for ${timedOut} s`, { cause })
    const reason = reasonOf(cause)
    const code = errorCode(reason)
    // Without a network, every command would else say so only after half a minute.
    const isAway = !this.#reached && awayProblem.test(code ?? '')
    if (isAway || code === undefined || certificateProblem.test(code)) {
      const why = code ?? (reason instanceof Error ? reason.message : String(reason))
      return new NetworkError(`${host}: cannot be reached (${why}); check the network and HF_ENDPOINT`, { cause })
    }
    return new PassingError(`${host}: the connection failed (${code})`, { cause })
  }
}

/** What a download ends with that was stopped from outside. */
export function interrupted(): HeddleError {
  return new HeddleError('interrupted; what was downloaded is kept, and the same command goes on from there')
}

/** Seconds that a server asks to wait before the next request: `Retry-After`, or the hub's `RateLimit: …;t=SECONDS`. */
export function waitOf(headers: Headers, now = Date.now()): number | undefined {
  const after = headers.get('retry-after')?.trim()
  if (after && /^\d+$/.test(after)) return Number(after)
  const date = Date.parse(after ?? '')
  if (!Number.isNaN(date)) return Math.max(0, Math.ceil((date - now) / 1000))
  const reset = /;\s*r=0\s*;\s*t=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]
  return reset === undefined ? undefined : Number(reset)
}

function parseEndpoint(endpoint: string): URL {
  try {
    return new URL(endpoint)
  } catch {
    throw endpointError()
  }
}

function endpointError(): UsageError {
  return new UsageError('HF_ENDPOINT: expected an address such as https://huggingface.co, without user and password')
}

function collect(from: Headers, to: Headers): void {
  for (const name of factNames) {
    const value = from.get(name)
    if (value !== null) to.set(name, value)
  }
}

/** Where an answer sends its reader. @throws NetworkError where that is no place to go */
function redirectOf({ status, headers }: Pick<HubAnswer, 'status' | 'headers'>, from: URL): URL | undefined {
  const location = headers.get('location')
  if (![301, 302, 303, 307, 308].includes(status) || location === null) return undefined
  let next: URL | undefined
  try {
    next = new URL(location, from)
  } catch {
    // Not an address.
  }
  const allowed = from.protocol === 'https:' ? ['https:'] : ['http:', 'https:']
  if (next !== undefined && allowed.includes(next.protocol) && next.username === '') return next
  throw new NetworkError(
    `${from.host}: redirects to where it is not safe to go (${JSON.stringify(location.slice(0, 80))})`,
  )
}

async function* read(
  body: ReadableStream<Uint8Array> | null,
  inTime: <Result>(work: Promise<Result>) => Promise<Result>,
): AsyncGenerator<Uint8Array, void> {
  if (body === null) return
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await inTime(reader.read())
      if (done) return
      yield value
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

/** Ends work that takes too long, and explains its failure. */
async function limit<Result>(
  work: Promise<Result>,
  { seconds, timer, explain }: { seconds: number; timer: AbortController; explain: (cause: unknown) => Error },
): Promise<Result> {
  const timeout = setTimeout(() => timer.abort(), seconds * 1000)
  try {
    return await work
  } catch (cause) {
    throw explain(cause)
  } finally {
    clearTimeout(timeout)
  }
}

/** What fetch hides behind "fetch failed" and "terminated". */
function reasonOf(error: unknown): unknown {
  let reason = error
  while (reason instanceof Error && reason.cause !== undefined && errorCode(reason) === undefined) reason = reason.cause
  // Several addresses were tried.
  return reason instanceof AggregateError && errorCode(reason) === undefined ? reason.errors[0] : reason
}
