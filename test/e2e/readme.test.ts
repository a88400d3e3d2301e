import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseRecipe } from '../../src/training/recipe.js'
import { type Outcome, program, root, start, temporaryFolder } from './command.js'
import { python } from './python.js'

// The documents as tests. CONTRIBUTING.md, "Tests", says what the writer of a document has to know.

/** What is written and what is run instead, to be done in seconds. */
const reductions: readonly [written: string, run: string][] = [
  ['data.train=FILE', 'data.train=FILE train.steps=4 train.evaluateEvery=2'],
  ['data.train=LABELS.csv', 'data.train=LABELS.csv train.steps=2'],
  ['data.train=ANSWERS.jsonl', 'data.train=ANSWERS.jsonl train.steps=2'],
  ['data.train=TAGS.conll', 'data.train=TAGS.conll train.steps=2'],
  ['data.train=QUESTIONS.json', 'data.train=QUESTIONS.json train.steps=2'],
  [
    'data.train=[SOURCE.txt,TARGET.txt]',
    'data.train=[SOURCE.txt,TARGET.txt] train.steps=2 tokenizer.vocabularySize=300',
  ],
  ['data.train=tickets.csv train.epochs=20', 'data.train=tickets.csv train.epochs=1'],
  ['checkpoint-2000', 'checkpoint-4'],
  ['step <= 500', 'step <= 2'],
  ['FILE 300', 'FILE 2'],
]

/** A fenced block of a document. */
interface Block {
  readonly language: string
  readonly code: string
  /** Where it begins. */
  readonly line: number
  readonly isRun: boolean
}

const at = temporaryFolder()
const read = (name: string) => readFileSync(join(root, name), 'utf8')
const english = read('README.md')
const chinese = read('README.zh-CN.md')
const blocks = blocksOf(english)
const commands = blocks.filter(({ language, isRun }) => isRun && ['sh', 'ts', 'python'].includes(language))
const examples = readdirSync(join(root, 'examples'))

/** Makes a project that depends on Heddle, with the text that FILE stands for. */
function makeProject(): void {
  mkdirSync(at('node_modules', '.bin'), { recursive: true })
  symlinkSync(root, at('node_modules', 'heddle'), 'junction')
  symlinkSync(program, at('node_modules', '.bin', 'heddle'))
  for (const folder of ['recipes', 'examples']) cpSync(join(root, folder), at(folder), { recursive: true })
  writeFileSync(at('package.json'), '{ "type": "module" }')
  writeFileSync(at('text.txt'), english)
  const numbers = Array.from({ length: 20 }, (_, i) => i)
  writeFileSync(
    at('LABELS.csv'),
    `text,label\n${numbers.map((i) => `number ${i},${i % 2 === 0 ? 'even' : 'odd'}\n`).join('')}`,
  )
  const answers = numbers.map((i) => ({ prompt: `${i} + 1 = `, completion: `${i + 1}` }))
  writeFileSync(at('ANSWERS.jsonl'), answers.map((answer) => `${JSON.stringify(answer)}\n`).join(''))
  const sentence = ['Ada B-person', 'Lovelace I-person', 'lived O', 'in O', 'London B-location', '. O']
  writeFileSync(at('TAGS.conll'), `${sentence.join('\n')}\n\n`.repeat(20))
  const qas = [{ id: '1', question: 'Who wrote it?', answers: [{ text: 'Ada', answer_start: 0 }] }]
  const paragraphs = [{ context: 'Ada wrote it.', qas }]
  writeFileSync(at('QUESTIONS.json'), JSON.stringify({ version: '1.1', data: numbers.map(() => ({ paragraphs })) }))
  const tickets = 'text,label\n"My card, again.",billing\nWhere is it?,shipping\nI cannot log in!,account\n'
  writeFileSync(at('tickets.csv'), tickets + tickets.slice(tickets.indexOf('\n') + 1).repeat(19))
  writeFileSync(at('tickets-test.csv'), tickets)
  writeFileSync(at('SOURCE.txt'), 'Ein Hund läuft.\nZwei Hunde laufen durch den Schnee.\n'.repeat(10))
  writeFileSync(at('TARGET.txt'), 'A dog runs.\nTwo dogs run through the snow.\n'.repeat(10))
  writeFileSync(at('inbox.txt'), 'Where is my order?\nHello.\n')
  for (const { code, line } of ofLanguage('ts')) writeFileSync(at(`line-${line}.ts`), reduced(code))
  writeFileSync(at('operation.ts'), operationProgram())
}

/** Compiles the TypeScript of the documents and checks the types of the examples. */
function compileProject(): Promise<Outcome> {
  const compilerOptions = {
    ...{ target: 'es2023', lib: ['es2023', 'dom'], module: 'nodenext', strict: true, skipLibCheck: true },
    ...{ types: ['node'], typeRoots: [join(root, 'node_modules/@types')] },
    ...{ allowJs: true, checkJs: true, outDir: 'built', rootDir: '.' },
  }
  writeFileSync(at('tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts', 'examples'] }))
  return start(process.execPath, [join(root, 'node_modules/typescript/bin/tsc')], { cwd: at() }).ended
}

function run(file: string, ...args: string[]): Promise<Outcome> {
  const PATH = [at('node_modules', '.bin'), process.env.PATH].join(delimiter)
  const env = { PATH, OMP_WAIT_POLICY: 'PASSIVE', CUDA_VISIBLE_DEVICES: '', HF_HUB_OFFLINE: '1' }
  return start(file, args, { cwd: at(), env }).ended
}

/** Runs a program that must succeed, and returns the lines that it prints. */
async function linesOf(file: string, ...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await run(file, ...args)
  expect(code, stderr).toBe(0)
  return stdout.replace(/\n$/, '').split('\n')
}

describe('README.md', () => {
  let compiled: Outcome

  beforeAll(async () => {
    makeProject()
    compiled = await compileProject()
  })

  it('has the numbers that are made smaller here', () => {
    expect(reductions.filter(([written]) => !english.includes(written))).toEqual([])
  })

  it('has no errors of types, in its blocks, in the examples and in the operation of CONTRIBUTING.md', () => {
    expect(compiled).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  for (const { language, line, code } of commands) {
    // Without the reference libraries Python has nothing to run; python.ts looks for them.
    it.skipIf(language === 'python' && python === undefined)(`works: ${language}, line ${line}`, async () => {
      if (language === 'sh') expect(await linesOf('sh', '-e', '-c', reduced(code))).not.toEqual([''])
      else if (language === 'python') expect((await linesOf(`${python}`, '-c', reduced(code)))[0]).toMatch(/^ROMEO:/)
      else {
        const printed = await linesOf(process.execPath, at('built', `line-${line}.js`))
        const promised = [...code.matchAll(/\/\/ → (.*)$/gm)].map(([, text]) => text)
        if (promised.length > 0) expect(printed).toEqual(promised)
      }
    })
  }

  it('leaves the runs that it speaks of', () => {
    for (const [name, steps] of [
      ['shakespeare', 4],
      ['fine-tuned', 4],
    ]) {
      const state = JSON.parse(readFileSync(at('runs', `${name}`, 'run.json'), 'utf8'))
      expect(state).toMatchObject({ status: 'finished', last: `checkpoint-${steps}`, result: { steps } })
    }
    for (const file of ['config.json', 'model.safetensors', 'tokenizer.json']) {
      expect(existsSync(at('runs', 'shakespeare', 'checkpoint-4', file)), file).toBe(true)
      expect(existsSync(at('runs', 'mine', file)), file).toBe(true)
    }
  })

  it('links to files that exist', () => {
    const files = linksOf(english).filter((target) => !target.startsWith('https:'))
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([])
  })

  it('shows the recipe that is in recipes/', () => {
    const [shown] = ofLanguage('yaml')
    const sets = ['data.train=FILE']
    const stored = parseRecipe(read('recipes/shakespeare-char.yaml'), 'shakespeare-char.yaml', sets)
    expect(parseRecipe(shown.code, 'README.md')).toEqual(stored)
  })

  it('names exactly the folders of src/, and other folders that exist', () => {
    const named = foldersOf(english)
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([])
    const files = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    )
    const folders = files.map(({ parentPath }) => `${parentPath.slice(root.length).replaceAll('\\', '/')}/`)
    expect(named.filter((path) => path.startsWith('src/')).sort()).toEqual([...new Set(folders)].sort())
  })

  it('shows how to run every example', () => {
    const shown = ofLanguage('sh').flatMap(({ code }) => [...code.matchAll(/examples\/(\S+)/g)])
    expect(shown.map(([, name]) => name).sort()).toEqual([...examples].sort())
  })
})

describe('README.zh-CN.md', () => {
  it('has the headings, links and blocks of README.md', () => {
    expect(outline(chinese)).toEqual(outline(english))
    expect(linksOf(chinese)).toEqual(linksOf(english))
    expect(blocksOf(chinese).map(untranslated)).toEqual(blocks.map(untranslated))
  })
})

describe('examples', () => {
  it("gradients-of-anything makes Newton's steps, which the derivatives written by hand make too", async () => {
    let [x, y] = [-1.2, 1]
    for (const line of await linesOf(process.execPath, 'examples/gradients-of-anything.mjs')) {
      const [found, expected] = [line.match(/-?\d+\.\d{6}/g)?.map(Number) ?? [], [x, y]]
      for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 3)
      const [gx, gy] = [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)]
      const [a, b, c] = [2 - 400 * (y - 3 * x * x), -400 * x, 200]
      ;[x, y] = [x - (c * gx - b * gy) / (a * c - b * b), y - (a * gy - b * gx) / (a * c - b * b)]
    }
    expect([x, y]).toEqual([expect.closeTo(1, 6), expect.closeTo(1, 6)])
  })

  it('encoder-language-model gives logits of every position and sequence, and learns', async () => {
    const lines = await linesOf(process.execPath, 'examples/encoder-language-model.mjs', 'text.txt', '3')
    expect(lines[0]).toBe('logits 30 × 64 × 10000')
    const losses = lines.slice(1).map((line) => Number(/loss (\d+\.\d+)/.exec(line)?.[1]))
    expect(losses).toHaveLength(3)
    expect(losses[0]).toBeGreaterThan(Math.log(10_000) - 1)
    expect(losses[2]).toBeLessThan(losses[0] - 1)
  })

  it('look-inside draws attention that sees itself and what came before, for every token', async () => {
    const text = 'a word'
    const lines = await linesOf(process.execPath, 'examples/look-inside.mjs', 'runs/shakespeare', text, '0')
    expect(lines[0]).toBe('Attention of layer 0, heads 0 to 3')
    for (const i of [...text].keys()) {
      const row = lines[i + 1].slice(9)
      const maps = [0, 1, 2, 3].map((head) => row.slice(head * (text.length + 2)).slice(0, text.length))
      for (const map of maps) expect(map.trimEnd()).toMatch(new RegExp(`^[·░▒▓█]{${i + 1}}$`))
    }
    expect(lines.filter((line) => line.startsWith('layer '))).toHaveLength(4)
  })

  it('generate-strategies writes what the command line writes', async () => {
    const options = [
      '--model',
      'runs/shakespeare',
      '--prompt',
      'The ',
      '--max-new-tokens',
      '60',
      '--strategy',
      'greedy',
    ]
    const expected = await linesOf('heddle', 'generate', ...options)
    const lines = await linesOf(process.execPath, 'examples/generate-strategies.mjs', 'runs/shakespeare', 'The ')
    const sections = lines.join('\n').split('\n— ')
    expect(sections).toHaveLength(1 + 6)
    expect(sections[1]).toBe(`greedy: always the likeliest token\nThe ${expected.join('\n')}\n`)
    expect(sections[6].split('log probability per token')).toHaveLength(1 + 2)
  })
})

describe('CONTRIBUTING.md', () => {
  it('shows an operation that computes what it says, with its gradient', async () => {
    const lines = await linesOf(process.execPath, at('built', 'operation.js'))
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      [1, 3, 6, 4, 9, 15],
      [6, 5, 3, 15, 11, 6],
    ])
  })
})

/** The definition of CONTRIBUTING.md's operation, used on numbers whose running sums are easy to check. */
function operationProgram(): string {
  const definition = blocksOf(read('CONTRIBUTING.md')).find(({ code }) => code.includes('defineOperation('))?.code
  return `
    import { constant, defineOperation, evaluate, gradients, normalizeAxis, toDense } from 'heddle'
    import type { Operator, Tensor, TensorValue } from 'heddle'
    ${definition}
    const x = constant([1, 2, 3, 4, 5, 6], [2, 3])
    const y = cumulativeSum(x, { axis: -1 })
    const [slope] = gradients(y, [x], { outputGradient: constant([1, 2, 3, 4, 5, 6], [2, 3]) })
    const print = (value: TensorValue) => console.log(JSON.stringify(Array.from(value.data, Number)))
    print(await evaluate(y))
    print(await evaluate(toDense(slope)))`
}

function ofLanguage(language: string): Block[] {
  return blocks.filter((block) => block.language === language && block.isRun)
}

/** The fenced blocks of a document, without the indentation of a list around them. */
function blocksOf(markdown: string): Block[] {
  const fence = /^(<!-- not run: [^\n]+ -->\n\n)?^( *)```(\w+)\n(.*?)^ *```$/gms
  return [...markdown.matchAll(fence)].map(({ 0: whole, 1: mark, 2: indent, 3: language, 4: code, index }) => {
    const before = markdown.slice(0, index + whole.indexOf('```'))
    const dedented = code.replaceAll(new RegExp(`^${indent}`, 'gm'), '')
    return { language, code: dedented, line: before.split('\n').length, isRun: mark === undefined }
  })
}

/** A block as it is run: with a file for FILE, and less of everything. */
function reduced(code: string): string {
  const smaller = reductions.reduce((text, [written, run]) => text.replaceAll(written, run), code)
  return smaller.replaceAll(/\bFILE\b/g, 'text.txt')
}

/** What of a block is the same in every language: all but comments and descriptions. */
function untranslated({ language, code, isRun }: Block) {
  const comment = language === 'text' ? / {2,}\S.*$/gm : language === 'ts' ? / *\/\/(?! →).*$/gm : / *#.*$/gm
  // The indentation of a table of files is no gap before a description.
  const plain = language === 'text' ? code.replaceAll(/(\/) {2,}.*$/gm, '$1') : code.replaceAll(comment, '')
  return { language, code: plain, isRun }
}

/** The folders that a document's table of files names, e.g. `src/graph/`. */
function foldersOf(markdown: string): string[] {
  const table = blocksOf(markdown).find(({ language }) => language === 'text')?.code ?? ''
  const parents: string[] = []
  return table.split('\n').flatMap((line) => {
    if (line === '') return []
    const [, indent, name] = /^( *)([\w-]+\/) {2,}\S/.exec(line) ?? []
    if (name === undefined) throw new Error(`table of files: expected a folder and what is in it, got "${line}"`)
    parents.splice(indent.length / 2)
    parents.push(name)
    return parents.join('')
  })
}

/** The levels of a document's headings. */
function outline(markdown: string): number[] {
  const text = markdown.replaceAll(/^```.*?^```$/gms, '')
  return [...text.matchAll(/^(#+) /gm)].map(([, marks]) => marks.length)
}

/** The targets of a document's links, but for those to its other language. */
function linksOf(markdown: string): string[] {
  const targets = [...markdown.matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target)
  return targets.filter((target) => !target.startsWith('README'))
}
