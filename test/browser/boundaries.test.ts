import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import * as browser from '../../src/browser.js'
import * as data from '../../src/data/index.js'
import * as library from '../../src/index.js'
import { importsOf, packageName, root } from './imports.js'

/** What is written for browsers too: nothing of it, however indirectly, may need Node. */
const coreFolders = ['graph', 'autodiff', 'runtime', 'nn', 'models', 'generation', 'metrics', 'training/optimizers']
const coreFiles = ['trainer', 'fit', 'gradient-programs', 'schedules'].map((name) => `src/training/${name}.ts`)
const dataFiles = ['windows', 'tag-scheme', 'tag-decoding', 'length-batches'].map((name) => `src/data/${name}.ts`)
const corePackages = ['onnxruntime-common', 'onnxruntime-web', 'pbf']
const browserPackages = [...corePackages, '@huggingface/tokenizers', 'zod']

function sourcesOf(folder: string): string[] {
  const names = readdirSync(resolve(root, folder), { recursive: true, encoding: 'utf8' })
  const sources = names.filter((name) => name.endsWith('.ts') && !/\.(test|testing)\.ts$/.test(name))
  return sources.map((name) => `${folder}/${name}`)
}

/** Imported packages that are not allowed, with who imports them. */
function strangers(entries: readonly string[], allowed: readonly string[]): string[] {
  const { packages } = importsOf(entries)
  const found = [...packages].filter(([specifier]) => !allowed.includes(packageName(specifier)))
  return found.map(([specifier, file]) => `${file} imports ${specifier}`)
}

describe('what runs in a browser tab', () => {
  it('sees the imports of Node where there are some', () => {
    const { packages } = importsOf(['src/index.ts'])
    expect([...packages.keys()]).toEqual(expect.arrayContaining(['node:fs', 'tokenizers', 'onnxruntime-web/wasm']))
  })

  it('is the core, which imports neither Node nor native packages', () => {
    const folders = coreFolders.flatMap((folder) => sourcesOf(`src/${folder}`))
    const core = [...folders, ...coreFiles, ...dataFiles].filter((file) => file !== 'src/runtime/engine-node.ts')
    expect(core).toContain('src/graph/operations/matmul.ts')
    expect(strangers(core, corePackages)).toEqual([])
  })

  it('is every objective, which also reads texts', () => {
    expect(strangers(sourcesOf('src/training/objectives'), browserPackages)).toEqual([])
  })

  it('is all of the browser entry', () => {
    expect(strangers(['src/browser.ts'], browserPackages)).toEqual([])
  })

  it('type-checks without the types of Node', () => {
    const options: ts.CompilerOptions = {
      target: ts.ScriptTarget.ES2023,
      lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
      module: ts.ModuleKind.NodeNext,
      types: [],
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      paths: { '#engine': [resolve(root, 'src/runtime/engine-web.ts')] },
    }
    const program = ts.createProgram([resolve(root, 'src/browser.ts')], options)
    const sources = program.getSourceFiles().map(({ fileName }) => fileName)
    expect(sources.filter((file) => file.includes('@types/node'))).toEqual([])
    const host = {
      getCanonicalFileName: (name: string) => name,
      getCurrentDirectory: () => root,
      getNewLine: () => '\n',
    }
    expect(ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), host)).toBe('')
  })

  it('is a part of the main entry and of heddle/data, under the same names', () => {
    const main: Record<string, unknown> = { ...library, ...data }
    const differing = Object.entries(browser).filter(([name, value]) => name in main && main[name] !== value)
    expect(differing).toEqual([])
    const missing = Object.keys(browser).filter((name) => !(name in main))
    expect(missing).toEqual([])
  })
})
