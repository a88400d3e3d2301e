import { resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build, type Rolldown } from 'vite'
import { beforeAll, describe, expect, it } from 'vitest'
import { root } from './imports.js'

/** What a page loads that trains a GPT and generates with it, in bytes, ONNX Runtime left out. */
interface Bundle {
  readonly minified: number
  readonly gzipped: number
  /** Packages that it contains. */
  readonly packages: readonly string[]
}

/** About 15 % above what it was when this was written: what makes it grow beyond that should be worth it. */
const ceiling = { minified: 98_000, gzipped: 34_000 }

async function bundle(entry: string): Promise<Bundle> {
  const built = await build({
    configFile: false,
    root,
    logLevel: 'error',
    resolve: { alias: { '#engine': resolve(root, 'src/runtime/engine-web.ts') } },
    build: {
      write: false,
      // Without this polyfill, which Vite adds to pages, only Heddle is measured.
      modulePreload: false,
      rolldownOptions: { input: resolve(root, entry), external: [/^onnxruntime-/], preserveEntrySignatures: 'strict' },
    },
  })
  const chunks = chunksOf(built)
  const code = chunks.map((chunk) => chunk.code).join('')
  const modules = chunks.flatMap((chunk) => chunk.moduleIds)
  const packages = modules.flatMap((id) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1] ?? [])
  return { minified: Buffer.byteLength(code), gzipped: gzipSync(code).length, packages: [...new Set(packages)].sort() }
}

function chunksOf(built: Awaited<ReturnType<typeof build>>): Rolldown.OutputChunk[] {
  const results = Array.isArray(built) ? built : 'output' in built ? [built] : []
  return results.flatMap(({ output }) => output.filter((file) => file.type === 'chunk'))
}

describe('the core as a page loads it', () => {
  let page: Bundle
  let whole: Bundle

  beforeAll(async () => {
    page = await bundle('test/browser/training-run.ts')
    whole = await bundle('src/browser.ts')
    for (const [name, { minified, gzipped }] of Object.entries({ page, whole })) {
      console.log(`${name}: ${minified} bytes minified, ${gzipped} gzipped`)
    }
  })

  it('stays small', () => {
    // Something is there: an empty bundle would be small, too.
    expect(page.minified).toBeGreaterThan(30_000)
    expect(page.minified).toBeLessThan(ceiling.minified)
    expect(page.gzipped).toBeLessThan(ceiling.gzipped)
  })

  it('contains no package that the page does not use', () => {
    expect(page.packages).toEqual(['pbf'])
    expect(whole.packages).toEqual(['@huggingface/tokenizers', 'pbf', 'zod'])
  })
})
