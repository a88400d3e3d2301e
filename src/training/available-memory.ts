import { freemem, totalmem } from 'node:os'

/**
 * Bytes that this process can still get: what the system can free up, within the limit of its container.
 *
 * Outside Linux the system does not say what it could free up; then all of its memory counts.
 */
export function availableMemory(): number {
  const free = process.platform === 'linux' ? freemem() : totalmem()
  // Without a limit this is 0, undefined, or a number far above any machine's memory.
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY
  return Math.min(free, limit - process.memoryUsage.rss())
}
