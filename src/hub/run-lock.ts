import { join } from 'node:path'
import { UsageError } from '../errors.js'
import { takeLock } from './lock-file.js'

const fileName = 'run.lock'

/**
 * Locks a training run's directory against a second trainer.
 *
 * A lock whose process has died (killed, power lost) on this machine is taken over.
 *
 * @returns the function that unlocks it
 * @throws UsageError where another process is training there
 */
export function lockRun(directory: string): () => void {
  const lock = takeLock(join(directory, fileName))
  if (typeof lock === 'function') return lock
  throw new UsageError(
    `${directory}: process ${lock.process} on ${lock.host} is training here; wait for it, choose another --out, or delete ${fileName} if it is gone`,
  )
}
