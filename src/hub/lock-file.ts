import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { errorCode } from './files.js'

const schema = z.object({ process: z.int().positive(), host: z.string() })

/** The process that holds a lock. */
export type LockOwner = z.infer<typeof schema>

/** Says that a lock is not needed any more. */
export type Unlock = () => void

/**
 * Locks what a file stands for, unless another process has. A lock whose process has died (killed, power lost) on this
 * machine is taken over.
 *
 * @param path the lock's file, which exists as long as it is locked
 * @returns the function that unlocks, or who holds the lock
 */
export function takeLock(path: string): Unlock | LockOwner {
  const content = JSON.stringify({ process: process.pid, host: hostname(), id: randomUUID() })
  for (let attempt = 0; ; attempt++) {
    try {
      createWhole(path, content)
      return () => {
        if (readQuietly(path) === content) rmSync(path, { force: true })
      }
    } catch (error) {
      if (errorCode(error) !== 'EEXIST' || attempt === 3) throw error
    }
    const owner = ownerOf(path)
    if (owner !== undefined && isAlive(owner)) return owner
    rmSync(path, { force: true })
  }
}

/** How {@link waitForLock} waits. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined
  /** Hears once that another process holds the lock. */
  readonly onWait?: (() => void) | undefined
  /** After how many seconds a lock that shows no life is taken over (default 30). */
  readonly staleSeconds?: number
}

/**
 * Locks what a file stands for as soon as no other process does. The holder renews its lock all the time: one that does not,
 * because it died on another machine, loses it.
 *
 * @throws the signal's reason where it is aborted
 */
export async function waitForLock(path: string, options: WaitOptions = {}): Promise<Unlock> {
  const { signal, onWait, staleSeconds = 30 } = options
  let seen: { readonly changed: number | undefined; readonly since: number } | undefined
  for (;;) {
    const lock = takeLock(path)
    if (typeof lock === 'function') return keepAlive(path, lock, staleSeconds)
    if (seen === undefined) onWait?.()
    const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs
    if (seen?.changed !== changed || seen === undefined) seen = { changed, since: performance.now() }
    else if (performance.now() - seen.since > staleSeconds * 1000) rmSync(path, { force: true })
    await sleep(100, undefined, { signal })
  }
}

function keepAlive(path: string, unlock: Unlock, staleSeconds: number): Unlock {
  const renew = () => {
    try {
      utimesSync(path, new Date(), new Date())
    } catch {
      // Somebody has taken it for dead: two then do the same work, each in full.
    }
  }
  const timer = setInterval(renew, staleSeconds * 200).unref()
  return () => {
    clearInterval(timer)
    unlock()
  }
}

/** Makes a file that is never seen empty: whoever reads a lock that is being taken must not think that nobody holds it. */
function createWhole(path: string, content: string): void {
  const aside = `${path}.${randomUUID().slice(0, 8)}.tmp`
  try {
    writeFileSync(aside, content, { flag: 'wx' })
    linkSync(aside, path)
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK'].includes(errorCode(error) ?? '')) throw error
    // A file system without links.
    writeFileSync(path, content, { flag: 'wx' })
  } finally {
    rmSync(aside, { force: true })
  }
}

/** Who holds a lock; nobody where the file is gone or was never finished. */
function ownerOf(path: string): LockOwner | undefined {
  try {
    return schema.parse(JSON.parse(readQuietly(path) ?? ''))
  } catch {
    return undefined
  }
}

function readQuietly(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Whether a lock's process still runs; of another machine's nobody here can tell, so it counts as running. */
function isAlive({ process: id, host }: LockOwner): boolean {
  if (host !== hostname()) return true
  try {
    return process.kill(id, 0)
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}
