import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { UsageError } from '../errors.js'

const fileName = 'run.lock'

const schema = z.object({ process: z.int().positive(), host: z.string() })

/**
 * Locks a training run's directory against a second trainer.
 *
 * A lock whose process has died (killed, power lost) on this machine is taken over.
 *
 * @returns the function that unlocks it
 * @throws UsageError where another process is training there
 */
export function lockRun(directory: string): () => void {
  const path = join(directory, fileName)
  const content = JSON.stringify({ process: process.pid, host: hostname() })
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(path, content, { flag: 'wx' })
      return () => rmSync(path, { force: true })
    } catch (error) {
      if (!isExisting(error) || attempt === 3) throw error
    }
    const owner = ownerOf(path)
    if (owner !== undefined && isAlive(owner)) {
      throw new UsageError(
        `${directory}: process ${owner.process} on ${owner.host} is training here; wait for it, choose another --out, or delete ${fileName} if it is gone`,
      )
    }
    rmSync(path, { force: true })
  }
}

/** Who holds a lock; nobody where the file is gone or was never finished. */
function ownerOf(path: string): z.infer<typeof schema> | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return undefined
  }
}

/** Whether a lock's process still runs; of another machine's nobody here can tell, so it counts as running. */
function isAlive({ process: id, host }: z.infer<typeof schema>): boolean {
  if (host !== hostname()) return true
  try {
    return process.kill(id, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

function isExisting(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST'
}
