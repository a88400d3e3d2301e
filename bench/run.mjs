/**
 * Runs a benchmark by its name; without a name it lists them.
 *
 *     npm run bench -- training --help
 *
 * The benchmarks are TypeScript. They are translated here, without type checks, to dist/bench/ and run from there by
 * plain Node, so that no compiler sits in a process whose memory is measured. What they measure is the built package.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const BUILT = join(ROOT, 'dist', 'index.js')
const TARGET = join(ROOT, 'dist', 'bench')

const BENCHMARKS = {
  training: 'training steps of a GPT and of a Transformer, next to PyTorch, TensorFlow.js and jax-js',
  tokenizers: 'training tokenizers and encoding with them, next to Hugging Face',
  encode: 'sentences to vectors, next to transformers.js and PyTorch',
  finetune: 'fine-tuning steps of a sentence classifier, next to PyTorch',
  translate: 'translation by beam search, next to PyTorch and CTranslate2',
  growth: 'how time and memory of a Transformer grow with length',
}

const USAGE = `usage: npm run bench -- NAME [options]    (NAME --help lists the options)

${Object.entries(BENCHMARKS)
  .map(([name, description]) => `  ${name.padEnd(12)}${description}`)
  .join('\n')}`

/** The paths of the TypeScript sources below a folder, relative to it; tests, declarations and packages are left out. */
function sources(folder) {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.ts') && !/node_modules|\.(d|test|testing)\.ts$/.test(name))
}

/** Translates bench/ to dist/bench/. Files appear whole, for runs at the same time. */
async function translate() {
  const { default: ts } = await import('typescript')
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true }
  for (const name of sources(join(ROOT, 'bench'))) {
    const text = readFileSync(join(ROOT, 'bench', name), 'utf8')
    const { outputText } = ts.transpileModule(text, { compilerOptions: options, fileName: name })
    const target = join(TARGET, name.replace(/\.ts$/, '.js'))
    if (existsSync(target) && readFileSync(target, 'utf8') === outputText) continue
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(`${target}.${process.pid}`, outputText)
    renameSync(`${target}.${process.pid}`, target)
  }
}

/** A source that was changed after the package was built: what is measured would not be what is read. */
function newerSource() {
  const built = statSync(BUILT).mtimeMs
  return sources(join(ROOT, 'src')).find((name) => statSync(join(ROOT, 'src', name)).mtimeMs > built)
}

function fail(message) {
  console.error(message)
  process.exit(2)
}

const [name, ...args] = process.argv.slice(2)
if (name === undefined || name === '--help') {
  console.log(USAGE)
  process.exit(0)
}
if (!Object.hasOwn(BENCHMARKS, name)) fail(`bench: there is no benchmark '${name}'\n${USAGE}`)
if (!existsSync(BUILT)) fail('bench: the package is not built (dist/ is missing): run "npm run build" first')
const changed = newerSource()
if (changed !== undefined) {
  console.error(
    `bench: src/${changed} is newer than dist/, which is what is measured: run "npm run build" to measure it`,
  )
}
await translate()
const { run } = await import(new URL(`../dist/bench/${name}.js`, import.meta.url).href)
process.exitCode = await run(args)
