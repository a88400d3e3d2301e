import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { drawCharts } from '../../bench/chart.js'

const program = fileURLToPath(new URL('../../bench/run.mjs', import.meta.url))
const isBuilt = existsSync(new URL('../../dist/index.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'))
afterAll(() => rmSync(folder, { recursive: true }))

function bench(args: readonly string[]) {
  return spawnSync(process.execPath, [program, 'growth', ...args], { encoding: 'utf8' })
}

/** The places of the points of each curve of an SVG, [curve][point][x, y]. */
function curvesOf(svg: string): number[][][] {
  const lines = [...svg.matchAll(/<polyline points="([^"]+)"/g)]
  return lines.map(([, points]) => points.split(' ').map((point) => point.split(',').map(Number)))
}

describe('charts', () => {
  it('have points where their values belong, on axes from 0', () => {
    const points = [
      { x: 1, y: 2 },
      { x: 2, y: 4 },
      { x: 4, y: 8 },
    ]
    const svg = drawCharts([{ title: 'growth', axis: 'length', points }])
    const [[[x1, y1], [x2, y2], [x3, y3]]] = curvesOf(svg)
    expect(x3 - x2).toBeCloseTo(2 * (x2 - x1), 0)
    // Higher on the page is less, and twice the value is twice as high above the line of 0.
    expect(y2 - y3).toBeCloseTo(2 * (y1 - y2), 0)
    const [zero] = [...svg.matchAll(/<text x="[\d.]+" y="([\d.]+)"[^>]*>0<\/text>/g)].map(([, y]) => Number(y))
    expect(zero - y1).toBeCloseTo(y1 - y2, 0)
    for (const text of ['growth', 'length', '2', '4', '8']) expect(svg).toContain(`>${text}</text>`)
  })

  it('leave out labels that have no room', () => {
    const points = [1, 2, 1000].map((x) => ({ x, y: x }))
    const svg = drawCharts([{ title: 'growth', axis: 'length', points }])
    expect(svg).toContain('>1000</text>')
    expect(svg).not.toContain('>1</text>')
    expect(curvesOf(svg)[0]).toHaveLength(3)
  })
})

describe.runIf(isBuilt)('bench growth', () => {
  it('measures steps, memory and tokens for each length, and draws them', () => {
    const file = join(folder, 'growth.svg')
    const { status, stdout, stderr } = bench(['--quick', '--json', '--svg', file])
    expect(status, stderr).toBe(0)
    const { training, decoding, quick, steps } = JSON.parse(stdout)
    expect({ quick, steps }).toEqual({ quick: true, steps: 2 })
    expect(training.map(({ length, pairs }: Record<string, number>) => [length, pairs])).toEqual([
      [64, 4],
      [128, 2],
      [256, 1],
    ])
    expect(decoding.map(({ position }: Record<string, number>) => position)).toEqual([64, 128, 256])
    for (const { median, tokensPerSecond, peakMemory } of training) {
      expect(tokensPerSecond).toBeCloseTo(512 / median, 3)
      expect(peakMemory).toBeGreaterThan(2 ** 20)
    }
    for (const { mean } of decoding) expect(mean).toBeGreaterThan(0)
    expect(curvesOf(readFileSync(file, 'utf8')).map(({ length }) => length)).toEqual([3, 3, 3])
  })

  it('prints tables', () => {
    const { stdout } = bench(['--quick'])
    expect(stdout).toMatch(/^128 +2 +\d+\.\d +\d+\.\d +\d+ +\d+$/m)
    expect(stdout).toMatch(/^256 +\d+\.\d\d$/m)
  })

  it.each([
    [['--steps', '0'], "--steps must be a whole number of 1 or more, got '0'"],
    [['--svg', '/no/such/folder/a.svg'], '--svg: there is no folder /no/such/folder'],
    [['--nope'], "'--nope'"],
  ])('refuses %j', (args, message) => {
    const { status, stderr } = bench(args)
    expect(status).toBe(2)
    expect(stderr).toContain(message)
  })
})
