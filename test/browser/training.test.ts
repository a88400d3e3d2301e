import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findChromium, launchChromium } from './chromium.js'
import { serve } from './static-server.js'
import { type TrainingRun, trainAndGenerate } from './training-run.js'

const executable = findChromium()
if (executable === undefined) console.warn('test/browser: no Chromium on the PATH or in CHROMIUM_PATH: skipped')

describe.skipIf(executable === undefined)('Heddle in a browser tab', () => {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-page-'))
  const complaints: string[] = []
  const requests: string[] = []
  let browser: Browser
  let server: Server
  let page: Page
  let origin: string

  beforeAll(async () => {
    const configFile = fileURLToPath(new URL('vite.config.ts', import.meta.url))
    await build({
      configFile,
      logLevel: 'error',
      build: { outDir: folder, emptyOutDir: true, reportCompressedSize: false },
    })
    const served = await serve(folder)
    server = served.server
    origin = served.address
    browser = await launchChromium(executable!)
    page = await browser.newPage()
    page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`))
    page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`))
    page.on('request', (request) => requests.push(request.url()))
    await page.goto(origin)
  })

  afterAll(async () => {
    await browser?.close()
    server?.close()
    rmSync(folder, { recursive: true })
  })

  it('trains and generates as in Node, from its own files only', async () => {
    const inNode = await trainAndGenerate()
    const inPage = await page.evaluate<TrainingRun>('page.train()')
    console.log(
      `ms a step: ${inNode.millisecondsPerStep.toFixed(2)} in Node, ${inPage.millisecondsPerStep.toFixed(2)} in the page`,
    )
    expect(inNode.losses).toHaveLength(50)
    expect(inNode.losses[49]).toBeLessThan(0.5 * inNode.losses[0])
    expect(largestDifference(inPage.losses, inNode.losses)).toBeLessThan(1e-4)
    expect(inPage.validationLoss).toBeCloseTo(inNode.validationLoss!, 4)
    expect(inNode.generated).toHaveLength(20)
    expect(inPage.generated).toEqual(inNode.generated)
    expect(complaints).toEqual([])
    expect(requests.filter((url) => !url.startsWith(origin))).toEqual([])
  })

  it('is cross-origin isolated, so that the engine may have threads', async () => {
    expect(await page.evaluate('crossOriginIsolated')).toBe(true)
  })

  it('can be stopped by a message while it trains', async () => {
    const { losses } = await page.evaluate<TrainingRun>('page.train(2000, 10)')
    expect(losses.length).toBeGreaterThanOrEqual(10)
    expect(losses.length).toBeLessThan(1000)
  })
})

function largestDifference(found: readonly number[], expected: readonly number[]): number {
  return Math.max(...expected.map((value, i) => Math.abs(value - (found[i] ?? Number.NaN))))
}
