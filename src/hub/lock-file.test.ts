import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { takeLock, type Unlock, waitForLock } from './lock-file.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-lock-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const path = join(folder, 'a.lock')
beforeEach(() => rmSync(path, { force: true }))

function taken(lock: ReturnType<typeof takeLock>): Unlock {
  if (typeof lock === 'function') return lock
  throw new Error(`held by ${lock.process}`)
}

describe('takeLock', () => {
  it('is held by one at a time, and says by whom', () => {
    const unlock = taken(takeLock(path))
    expect(takeLock(path)).toEqual({ process: process.pid, host: hostname() })
    unlock()
    expect(readdirSync(folder)).toEqual([])
    taken(takeLock(path))()
  })

  it('is taken over where its process is gone or it was never written', () => {
    // No process has this number.
    for (const content of [JSON.stringify({ process: 2 ** 30, host: hostname() }), '', '{"process": -1}']) {
      writeFileSync(path, content)
      taken(takeLock(path))()
    }
    writeFileSync(path, JSON.stringify({ process: 1, host: 'elsewhere' }))
    expect(takeLock(path)).toEqual({ process: 1, host: 'elsewhere' })
  })

  it('is only unlocked by who holds it', () => {
    const unlock = taken(takeLock(path))
    const other = JSON.stringify({ process: process.pid, host: hostname(), id: 'other' })
    writeFileSync(path, other)
    unlock()
    expect(readFileSync(path, 'utf8')).toBe(other)
  })
})

describe('waitForLock', () => {
  it('waits as long as the holder shows life', async () => {
    const unlock = await waitForLock(path, { staleSeconds: 0.3 })
    const order: string[] = []
    const second = waitForLock(path, { staleSeconds: 0.3, onWait: () => order.push('waits') }).then((free) => {
      order.push('has it')
      free()
    })
    await sleep(700)
    order.push('is given')
    unlock()
    await second
    expect(order).toEqual(['waits', 'is given', 'has it'])
    expect(existsSync(path)).toBe(false)
  })

  it('takes over what shows no life, as after a crash on another machine', async () => {
    writeFileSync(path, JSON.stringify({ process: 1, host: 'elsewhere' }))
    utimesSync(path, 1e9, 1e9)
    const unlock = await waitForLock(path, { staleSeconds: 0.2 })
    unlock()
  })

  it('is stopped by a signal', async () => {
    writeFileSync(path, JSON.stringify({ process: 1, host: 'elsewhere' }))
    await expect(waitForLock(path, { signal: AbortSignal.timeout(50) })).rejects.toThrow(/abort/i)
  })
})
