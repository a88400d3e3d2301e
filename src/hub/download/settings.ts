import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Where models come from and where they are kept: what Python's huggingface_hub takes from the same variables. */
export interface HubSettings {
  /** The folder with `models--OWNER--NAME`: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else `~/.cache/huggingface/hub`. */
  readonly cacheDirectory: string
  /** Address of the hub or of a mirror, without a slash at its end: `HF_ENDPOINT`. */
  readonly endpoint: string
  /** What private and gated models ask for: `HF_TOKEN`, else what `hf auth login` has written. */
  readonly token: string | undefined
  /** Whether nothing may be asked for over the network: `HF_HUB_OFFLINE`. */
  readonly offline: boolean
  /** Whether snapshots may be links to blobs, else copies: `HF_HUB_DISABLE_SYMLINKS`. */
  readonly symlinks: boolean
  /** Seconds that a server has to begin its answer: `HF_HUB_ETAG_TIMEOUT`, by default 30. */
  readonly answerSeconds: number
  /** Seconds that may pass without a byte of a file: `HF_HUB_DOWNLOAD_TIMEOUT`, by default 30. */
  readonly stallSeconds: number
}

/** The hub itself, which may be reached through a mirror. */
export const publicEndpoint = 'https://huggingface.co'

/**
 * Reads the settings that huggingface_hub's variables stand for.
 *
 * @param environment the environment variables
 */
export function hubSettings(environment: Environment = process.env): HubSettings {
  const path = (name: string) => expand(environment[name], environment)
  const home = path('HF_HOME') ?? join(path('XDG_CACHE_HOME') ?? join(homedir(), '.cache'), 'huggingface')
  return {
    cacheDirectory: path('HF_HUB_CACHE') ?? path('HUGGINGFACE_HUB_CACHE') ?? join(home, 'hub'),
    endpoint: (environment.HF_ENDPOINT || publicEndpoint).replace(/\/+$/, ''),
    token: readToken(environment, path('HF_TOKEN_PATH') ?? join(home, 'token')),
    offline: isTrue(environment.HF_HUB_OFFLINE || environment.TRANSFORMERS_OFFLINE),
    symlinks: !isTrue(environment.HF_HUB_DISABLE_SYMLINKS),
    answerSeconds: seconds(environment.HF_HUB_ETAG_TIMEOUT),
    stallSeconds: seconds(environment.HF_HUB_DOWNLOAD_TIMEOUT),
  }
}

function readToken(environment: Environment, path: string): string | undefined {
  if (isTrue(environment.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined
  const given = (environment.HF_TOKEN || environment.HUGGING_FACE_HUB_TOKEN)?.trim()
  if (given) return given
  try {
    return readFileSync(path, 'utf8').trim() || undefined
  } catch {
    // Public models need none, and for others the server's answer says that it is missing.
    return undefined
  }
}

/** A path with `~`, `$NAME` and `${NAME}` replaced, which no shell has done for a variable of a service or container. */
function expand(path: string | undefined, environment: Environment): string | undefined {
  if (!path) return undefined
  const known = path.replace(/\$(?:(\w+)|\{(\w+)\})/g, (text, plain, braced) => environment[plain ?? braced] ?? text)
  return known === '~' || known.startsWith('~/') ? join(homedir(), known.slice(1)) : known
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && ['1', 'ON', 'YES', 'TRUE'].includes(value.toUpperCase())
}

function seconds(value: string | undefined): number {
  const given = Number(value)
  return given > 0 && Number.isFinite(given) ? given : 30
}
