import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { beamSearch, greedy } from '../../src/generation/strategies.js'
import { BertForSequenceClassification } from '../../src/models/index.js'
import { attentionMap } from '../../src/tasks/attention-map.js'
import { evaluateTranslation } from '../../src/tasks/evaluate-texts.js'
import { saveEncoder, tinyEncoder } from '../../src/tasks/text-classifier.testing.js'
import { TextToText } from '../../src/tasks/text-to-text.js'
import { saveRewriter } from '../../src/tasks/text-to-text.testing.js'
import { heddle, heddleJson, program, temporaryFolder } from './command.js'

interface Line {
  source: string
  text: string
  candidates: { text: string; score?: number }[]
}

const at = temporaryFolder()
const { directory } = await saveRewriter()
const lines = ['abc', '', '我们 a', 'g', `${'ab'.repeat(20)}`]
writeFileSync(at('source.txt'), `${lines.join('\n')}\n`)
writeFileSync(at('target.txt'), `${lines.map((line) => line.slice(0, 3) || 'x').join('\n')}\n`)
const command = (name: string, ...more: string[]) => [name, '--model', directory, ...more]

describe('heddle translate and summarize', () => {
  it('print a line for each line of a file, and none of what there is no text of', async () => {
    const writer = await TextToText.load(directory)
    const expected = (await writer.write(lines)).map(({ text }, i) => (lines[i] === '' ? '' : text))
    const results = await Promise.all(
      ['translate', 'summarize'].map((name) => heddle(...command(name, '--from', at('source.txt')))),
    )
    for (const { code, stdout, stderr } of results) {
      expect(code).toBe(0)
      expect(stdout).toBe(`${expected.join('\n')}\n`)
      expect(stderr).toContain('source.txt: line 5: longer than the 16 tokens that are looked at, and cut')
    }
  })

  it('print the best candidates with --json', async () => {
    const writer = await TextToText.load(directory)
    const strategy = beamSearch({ beams: 3, returnSequences: 2, lengthPenalty: 0.5 })
    const [expected] = await writer.write(['abc'], { strategy, maxNewTokens: 5 })
    const options = [
      '--text',
      'abc',
      '--beams',
      '3',
      '--n-best',
      '2',
      '--length-penalty',
      '0.5',
      '--max-new-tokens',
      '5',
    ]
    const found = await heddleJson<Line>(...command('translate', ...options))
    expect(found).toMatchObject({ source: 'abc', text: expected.text })
    expect(found.candidates.map(({ text }) => text)).toEqual(expected.candidates.map(({ text }) => text))
    expect(found.candidates[1].score).toBeCloseTo(expected.candidates[1].score!, 5)
  })

  it('answer a line of standard input before the next one comes', async () => {
    const child = spawn(process.execPath, [program, ...command('translate', '--beams', '1')])
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const writer = await TextToText.load(directory)
    for (const text of ['g', 'abc']) {
      child.stdin.write(`${text}\n`)
      const [expected] = await writer.write([text], { strategy: greedy() })
      expect(await answers.next()).toEqual({ done: false, value: expected.text })
    }
    child.stdin.end()
    expect(await once(child, 'close')).toEqual([0, null])
  })

  it('say what is wrong', async () => {
    saveEncoder(at('bert'), new BertForSequenceClassification(tinyEncoder, ['a', 'b']))
    const [kind, both, missing] = await Promise.all([
      heddle('translate', '--model', at('bert'), '--text', 'a'),
      heddle(...command('translate', '--text', 'a', '--from', at('source.txt'))),
      heddle(...command('translate', '--from', at('nothing.txt'))),
    ])
    expect(kind.code).toBe(3)
    expect(kind.stderr).toContain('translate needs an encoder–decoder, this is a BertForSequenceClassification')
    expect(both.code).toBe(2)
    expect(both.stderr).toContain('give --text or --from, not both')
    expect(missing.code).toBe(3)
    expect(missing.stderr).toContain('nothing.txt')
  })
})

describe('heddle eval --task translation', () => {
  const files = ['source.txt', 'target.txt'].map((name) => at(name))

  it('measures what the library does', async () => {
    const expected = await evaluateTranslation(directory, files, { tokenize: 'char', strategy: greedy() })
    const options = ['--task', 'translation', '--data', files.join(','), '--tokenize', 'char', '--beams', '1']
    const { code, stdout, stderr } = await heddle(...command('eval', ...options, '--json'))
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(expected)))
    // The empty line has no translation.
    expect(expected.examples).toBe(lines.length - 1)
    expect(stderr).toContain('source.txt:2: the source is empty and the pair is left out')
  })

  it('prints how the figures were computed', async () => {
    const { stdout } = await heddle(...command('eval', '--task', 'translation', '--data', files.join(',')))
    expect(stdout).toMatch(/^bleu [\d.]+, chrf [\d.]+, ter [\d.]+ over 4 examples, 1 of them too long and cut\n/)
    expect(stdout).toContain('|tok:13a|smooth:exp|')
  })
})

describe('heddle plot attention', () => {
  it('draws the weights and prints them with --json', async () => {
    const options = ['--source', 'abc', '--target', 'de', '--layer', '1', '--head', '0', '--out', at('map.svg')]
    const found = await heddleJson<object>('plot', 'attention', '--model', directory, ...options)
    const expected = await attentionMap(directory, { source: 'abc', target: 'de', layer: 1, head: 0 })
    expect(found).toEqual({ out: at('map.svg'), ...JSON.parse(JSON.stringify(expected)) })
    const opacities = [...readFileSync(at('map.svg'), 'utf8').matchAll(/fill-opacity="([\d.]+)"/g)]
    expect(opacities.map(([, opacity]) => Number(opacity))).toEqual(
      expected.weights.flat().map((weight) => Number(weight.toFixed(3))),
    )
  })

  it('shows what a model attends to that reads one text', async () => {
    saveEncoder(at('encoder'), new BertForSequenceClassification(tinyEncoder, ['a', 'b']))
    const found = await heddleJson<{ rows: string[]; weights: number[][] }>(
      ...['plot', 'attention', '--model', at('encoder'), '--text', 'the room', '--out', at('encoder.svg')],
    )
    expect(found.rows).toEqual(['[CLS]', 'the', 'room', '[SEP]'])
    for (const row of found.weights) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5)
  })
})
