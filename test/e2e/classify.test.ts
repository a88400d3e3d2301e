import { writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { BertForSequenceClassification } from '../../src/models/index.js'
import { type ClassificationResult, TextClassifier } from '../../src/tasks/text-classifier.js'
import { saveEncoder, tinyEncoder } from '../../src/tasks/text-classifier.testing.js'
import { heddle, heddleJson, program, start, temporaryFolder } from './command.js'

const at = temporaryFolder()
const labels = ['bad', 'good', 'so-so']
saveEncoder(at('single'), new BertForSequenceClassification(tinyEncoder, labels), { maxLength: 6 })
saveEncoder(at('several'), new BertForSequenceClassification(tinyEncoder, labels, 'multi_label_classification'))
saveEncoder(at('number'), new BertForSequenceClassification(tinyEncoder, ['LABEL_0'], 'regression'))
const lines = ['the room was clean .', '', 'dirty', '好 😀', 'small 坏']
writeFileSync(at('lines.txt'), `${lines.join('\n')}\n`)

/** What the library says of the lines. */
async function expectedOf(name: string, pair?: string): Promise<ClassificationResult[]> {
  const classifier = await TextClassifier.load(at(name))
  const results = await classifier.classify(lines.map((text) => ({ text, pair })))
  await classifier.dispose()
  return results
}

const args = (name: string, ...more: string[]) => ['classify', '--model', at(name), ...more]
const fromFile = ['--file', at('lines.txt')]

describe('heddle classify', () => {
  it('prints an object for each line of a file or of standard input', async () => {
    const command = [process.execPath, program, ...args('single', '--json')]
    const [file, input] = await Promise.all([
      heddle(...args('single', ...fromFile, '--json')),
      start('bash', ['-c', '"$@" < "$0"', at('lines.txt'), ...command]).ended,
    ])
    expect(file.code).toBe(0)
    const found = file.stdout.trimEnd().split('\n')
    expect(found.map((line) => JSON.parse(line))).toEqual(await expectedOf('single'))
    expect(file.stderr).toBe(
      `heddle: ${at('lines.txt')}: line 1: longer than the 6 tokens that are looked at, and cut\n`,
    )
    expect(input).toEqual({ ...file, stderr: file.stderr.replace(at('lines.txt'), 'standard input') })
  })

  it('prints label and probability for people, with the text where there are several', async () => {
    const [first, , third] = await expectedOf('single')
    const { stdout } = await heddle(...args('single', ...fromFile))
    expect(stdout.split('\n')[2]).toBe(`${third.label} ${third.score?.toFixed(4)}\tdirty`)
    const one = await heddle(...args('single', '--text', lines[0]))
    expect(one.stdout).toBe(`${first.label} ${first.score?.toFixed(4)}\n`)
    expect(one.stderr).toBe('heddle: the text: longer than the 6 tokens that are looked at, and cut\n')
  })

  it('reads a second text with each', async () => {
    const pairs = await expectedOf('several', 'the room')
    const [result, alone] = await Promise.all([
      heddleJson<ClassificationResult>(...args('several', '--text', 'dirty', '--pair', 'the room')),
      heddleJson<ClassificationResult>(...args('several', '--text', 'dirty')),
    ])
    for (const label of labels) expect(result.scores?.[label]).toBeCloseTo(pairs[2].scores?.[label] ?? 0, 5)
    expect(Math.abs((result.scores?.good ?? 0) - (alone.scores?.good ?? 0))).toBeGreaterThan(1e-3)
  })

  it('prints all labels that apply, or none, or a number', async () => {
    const several = await expectedOf('several')
    const shown = several.map(
      (result, i) =>
        `${result.labels?.map(({ label, score }) => `${label} ${score.toFixed(4)}`).join(', ') || 'no label'}\t${lines[i]}`,
    )
    const [sets, number] = await Promise.all([
      heddle(...args('several', ...fromFile)),
      heddleJson<ClassificationResult>(...args('number', '--text', 'dirty')),
    ])
    expect(sets).toEqual({ code: 0, stdout: `${shown.join('\n')}\n`, stderr: '' })
    expect(number).toEqual({ value: expect.closeTo((await expectedOf('number'))[2].value ?? 0, 5) })
  })

  it('is measured by heddle eval, which says how many texts were cut', async () => {
    const right = (await expectedOf('single')).map(({ label }, i) => (i === 2 ? 'so-so' : label))
    writeFileSync(at('labelled.csv'), `text,label\n${lines.map((line, i) => `${line},${right[i]}\n`).join('')}`)
    const command = ['eval', '--model', at('single'), '--task', 'classification', '--data', at('labelled.csv')]
    const { metrics, ...report } = await heddleJson<{ metrics: { accuracy: number } }>(...command)
    expect(report).toEqual({ examples: 5, cut: 1 })
    const { stdout } = await heddle(...command)
    expect(stdout).toMatch(/^accuracy \d\.\d{4}, .* over 5 examples, 1 of them too long and cut\n$/)
    expect(stdout).toContain(`accuracy ${metrics.accuracy.toFixed(4)}`)
    expect(metrics.accuracy).toBe((await expectedOf('single'))[2].label === 'so-so' ? 1 : 0.8)
  })

  it('says what is wrong in one line', async () => {
    const none = await heddle(...args('nowhere', '--text', 'x'))
    expect(none).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringMatching(/^heddle: .*no such directory.*\n$/),
    })
    const missing = await heddle(...args('single', '--file', at('no.txt')))
    expect(missing).toMatchObject({ code: 3, stderr: expect.stringMatching(/^heddle: cannot read .*no\.txt: .*\n$/) })
    const both = await heddle(...args('single', '--text', 'x', ...fromFile))
    expect(both).toMatchObject({ code: 2, stderr: expect.stringMatching(/cannot be used with option '--file/) })
  })
})
