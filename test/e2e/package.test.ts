import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, type TestContext } from 'vitest'
import {
  type Outcome,
  parseOnlyLine,
  root,
  start,
  type TrainOutput,
  temporaryFolder,
  writeTinyTraining,
} from './command.js'

const at = temporaryFolder()
const project = at('project')
const description: { exports: Record<string, unknown> } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** What `npm pack` says about the package that it makes. */
let pack: { filename: string; files: { path: string }[] }
/** How the installation of the package into an empty project ended. */
let install: Outcome

const npm = (cwd: string, ...args: string[]) =>
  start('npm', args, { cwd, env: { ONNXRUNTIME_NODE_INSTALL: 'skip', npm_config_update_notifier: 'false' } }).ended

beforeAll(async () => {
  // dist/ is built already: no second build by the lifecycle scripts.
  const packed = await npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', at())
  expect(packed.code, packed.stderr).toBe(0)
  pack = JSON.parse(packed.stdout)[0]
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'empty', private: true, type: 'module' }))
  const options = ['--prefer-offline', '--no-audit', '--no-fund', '--fetch-retries=1']
  install = await npm(project, 'install', at(pack.filename), ...options)
}, 600_000)

/** Fails where the installation failed, and skips where it did because there is no network. */
function needInstallation(context: TestContext): void {
  const offline = /ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH/.exec(install.stderr)
  context.skip(install.code !== 0 && offline !== null, `the package registry cannot be reached: ${offline}`)
  expect(install.code, install.stderr).toBe(0)
}

describe('npm pack', () => {
  it('holds the program, the library with its types and the recipes, and nothing else', () => {
    const paths = pack.files.map(({ path }) => path)
    const strange = paths.filter(
      (path) => !/^(package\.json|README.*\.md|LICENSE|bin\/.*\.js|recipes\/.*\.yaml|dist\/.*)$/.test(path),
    )
    expect(strange).toEqual([])
    const isBuilt = (path: string) => existsSync(join(root, path.replace(/^dist\/(.*)(\.d\.ts|\.js)$/, 'src/$1.ts')))
    const foreign = paths.filter((path) => path.startsWith('dist/') && !isBuilt(path))
    expect(foreign, 'dist/ holds files without a source: remove it and build again').toEqual([])
    expect(paths.filter((path) => /\.(test|testing)\.|fixtures|e2e/.test(path))).toEqual([])
    expect(paths).toEqual(expect.arrayContaining(['bin/heddle.js', 'dist/index.js', 'dist/index.d.ts', 'package.json']))
  })
})

describe('the package in an empty project', () => {
  it('trains and generates with npx heddle', async (context) => {
    needInstallation(context)
    const { recipeFile } = writeTinyTraining((name) => join(project, name))
    const options = ['--set', 'train.steps=3', '--out', 'runs/first', '--json']
    const trained = await npm(project, 'exec', '--offline', '--', 'heddle', 'train', recipeFile, ...options)
    expect(parseOnlyLine<TrainOutput>(trained)).toMatchObject({ steps: 3, checkpoint: 'runs/first/checkpoint-3' })
    const heddle = join(project, 'node_modules/.bin/heddle')
    const prompt = ['--prompt', 'the', '--max-new-tokens', '5', '--json']
    const generated = await start(heddle, ['generate', '--model', 'runs/first', ...prompt], { cwd: project }).ended
    expect(parseOnlyLine<{ ids: number[] }>(generated).ids).toHaveLength(5)
  })

  it('trains and generates with the library', async (context) => {
    needInstallation(context)
    const { recipeFile } = writeTinyTraining((name) => join(project, name))
    writeFileSync(
      join(project, 'main.js'),
      `import { readFileSync } from 'node:fs'
       import { parseRecipe, runRecipe, TextGenerator } from 'heddle'
       const recipe = parseRecipe(readFileSync(${JSON.stringify(recipeFile)}, 'utf8'), 'recipe.yaml', ['train.steps=3'])
       const { checkpoint } = await runRecipe({ recipe, directory: 'runs/second' })
       const writer = await TextGenerator.load(checkpoint)
       const [{ ids }] = await writer.complete('the', { maxNewTokens: 5 })
       await writer.dispose()
       console.log(JSON.stringify({ checkpoint, ids }))`,
    )
    const outcome = await start(process.execPath, ['main.js'], { cwd: project }).ended
    const { checkpoint, ids } = parseOnlyLine<{ checkpoint: string; ids: number[] }>(outcome)
    expect(checkpoint).toBe('runs/second/checkpoint-3')
    expect(ids).toHaveLength(5)
  })

  it('exports every part, with its types', async (context) => {
    needInstallation(context)
    const parts = Object.keys(description.exports).filter((part) => part !== './package.json')
    const names = parts.map((part) => part.replace(/^\./, 'heddle'))
    writeFileSync(
      join(project, 'parts.js'),
      `const parts = {}
       for (const name of ${JSON.stringify(names)}) parts[name] = Object.keys(await import(name)).length
       console.log(JSON.stringify(parts))`,
    )
    const outcome = await start(process.execPath, ['parts.js'], { cwd: project }).ended
    const counts = parseOnlyLine<Record<string, number>>(outcome)
    expect(Object.entries(counts).filter(([, count]) => count === 0)).toEqual([])

    const imports = names.map(
      (name, i) => `import * as part${i} from '${name}'\nexport type Part${i} = keyof typeof part${i}`,
    )
    writeFileSync(
      join(project, 'types.ts'),
      `${imports.join('\n')}
       import { GPT, greedy, TextGenerator } from 'heddle'
       const writer: TextGenerator = await TextGenerator.load('runs/first')
       export const text: string | undefined = (await writer.complete('the', { strategy: greedy() }))[0].text
       export const model = new GPT({ vocabularySize: 5, contextLength: 4, layers: 1, heads: 1, width: 8 })
       // @ts-expect-error: a type that did not resolve would be any, and accept this.
       export const wrong: number = writer
       // @ts-expect-error: as above.
       new GPT({ vocabularySize: 'five' })\n`,
    )
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2023']
    const { stdout } = spawnSync(process.execPath, [tsc, ...options, 'types.ts'], { cwd: project, encoding: 'utf8' })
    expect(stdout).toBe('')
  })
})
