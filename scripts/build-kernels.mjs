/**
 * Compiles kernels/ (AssemblyScript) to one WebAssembly module and writes it, as base64, to
 * src/runtime/kernels.generated.ts: a module that Node, browsers and bundlers import with no fetch and no file access.
 * The file is rewritten only when its content changes.
 *
 *     node scripts/build-kernels.mjs
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

const SOURCES = fileURLToPath(new URL('../kernels/', import.meta.url))
const TARGET = fileURLToPath(new URL('../src/runtime/kernels.generated.ts', import.meta.url))

const OPTIONS = [
  ...['--outFile', 'kernels.wasm'],
  ...['--runtime', 'stub', '--noAssert', '--use', 'abort='],
  ...['--importMemory', '--noExportMemory', '--enable', 'simd'],
  ...['--optimizeLevel', '3', '--shrinkLevel', '0', '--converge'],
]

/** The compiled module; prints the compiler's messages and ends the process with 1 where it does not compile. */
async function compile() {
  let bytes = new Uint8Array()
  const { error, stderr } = await asc.main(['index.ts', ...OPTIONS], {
    readFile: (name) => {
      if (!readdirSync(SOURCES).includes(name)) return null
      return readFileSync(SOURCES + name, 'utf8')
    },
    writeFile: (_name, contents) => {
      bytes = contents
    },
    listFiles: () => [],
  })
  if (error) {
    console.error(`build-kernels: kernels/ did not compile: ${error.message}\n${stderr}`)
    process.exit(1)
  }
  return bytes
}

function source(bytes) {
  const base64 = Buffer.from(bytes).toString('base64')
  return [
    '// Made by scripts/build-kernels.mjs from kernels/: do not edit.',
    '',
    `/** The WebAssembly module of the kernels, ${bytes.length} bytes, as base64. */`,
    `export const KERNELS_BASE64 =\n  '${base64}'`,
    '',
  ].join('\n')
}

function readIfPresent(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

const bytes = await compile()
const text = source(bytes)
const changed = readIfPresent(TARGET) !== text
if (changed) writeFileSync(TARGET, text)
console.log(
  `build-kernels: src/runtime/kernels.generated.ts ${changed ? 'written' : 'is up to date'} (${bytes.length} bytes)`,
)
