import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { CheckpointError, DataError, UsageError } from '../errors.js'
import { beamSearch, greedy } from '../generation/strategies.js'
import { saveModel } from '../hub/checkpoint.js'
import { summarizationMetrics, translationMetrics } from '../metrics/index.js'
import { BertModel, pairFeeds, pairInputs } from '../models/index.js'
import { initialize } from '../nn/index.js'
import { compile, float32 } from '../runtime/index.js'
import { attentionMap } from './attention-map.js'
import { drawAttention } from './draw-attention.js'
import { evaluateSummarization, evaluateTranslation } from './evaluate-texts.js'
import { TextToText } from './text-to-text.js'
import { greedily, saveRewriter } from './text-to-text.testing.js'

const made = await saveRewriter()
const folder = mkdtempSync(join(tmpdir(), 'heddle-texts-'))
const directories = [made.directory, folder]
afterAll(() => directories.forEach((path) => void rmSync(path, { recursive: true })))

async function saved(files: Readonly<Record<string, object>>): Promise<string> {
  const { directory } = await saveRewriter(files)
  directories.push(directory)
  return directory
}

const { decoderStartTokenId: start, eosTokenId: end = Number.NaN } = made.model.config
const { inputs, ...pair } = pairInputs()
const program = await compile({ inputs, outputs: { logits: made.model.forward(pair.source, pair.target) } })

async function lastLogits(source: number[], target: number[]): Promise<Float32Array> {
  const { logits } = await program.run(pairFeeds([{ source: { ids: source }, target: { ids: target } }]))
  return float32(logits).subarray(-made.tokenizer.vocabularySize)
}

const texts = ['abc', '我们', 'g', 'a b. fed cab', 'dd']

describe('texts from texts', () => {
  it('are what the model finds likeliest, in the order of the texts, whatever their lengths', async () => {
    const writer = await TextToText.load(made.directory)
    const found = await writer.write(texts, { strategy: greedy(), maxNewTokens: 9 })
    for (const [i, text] of texts.entries()) {
      const { ids } = await made.tokenizer.encode(text, { addSpecialTokens: false })
      const source = [...ids, end]
      const expected = await greedily((target) => lastLogits(source, target), { start, end, limit: 9 })
      expect(found[i].ids).toEqual(expected)
      expect(found[i].text).toBe(made.tokenizer.decode(expected, { skipSpecialTokens: true }))
    }
    expect(new Set(found.map(({ text }) => text)).size).toBeGreaterThan(1)
    await writer.dispose()
  })

  it('are searched with 4 beams where nobody says how, and as generation_config.json says where that does', async () => {
    const [writer, other] = [
      await TextToText.load(made.directory),
      await TextToText.load(
        await saved({ 'generation_config.json': { num_beams: 2, max_length: 6, length_penalty: 2 } }),
      ),
    ]
    const explicit = { strategy: beamSearch({ beams: 4 }) }
    expect(await writer.write(texts)).toEqual(await writer.write(texts, explicit))
    const expected = await writer.write(texts, {
      strategy: beamSearch({ beams: 2, lengthPenalty: 2 }),
      maxNewTokens: 5,
    })
    expect(await other.write(texts)).toEqual(expected)
    expect(await writer.write(texts)).not.toEqual(expected)
  })

  it('come with the other candidates of the search, by falling score', async () => {
    const writer = await TextToText.load(made.directory)
    const [{ text, candidates }] = await writer.write(['abc'], {
      strategy: beamSearch({ beams: 3, returnSequences: 3 }),
    })
    expect(candidates).toHaveLength(3)
    expect(candidates[0].text).toBe(text)
    const scores = candidates.map(({ score }) => score!)
    expect(scores).toEqual([...scores].sort((a, b) => b - a))
  })

  it('are made of the beginning of what is too long, and who asks hears of it', async () => {
    const writer = await TextToText.load(made.directory)
    const cut: object[] = []
    const long = 'abcdefg'.repeat(4)
    const [found, expected] = await writer.write([long, long.slice(0, 15)], { onCut: (each) => cut.push(each) })
    expect(found).toEqual(expected)
    expect(cut).toEqual([{ index: 0, removed: 13 }])
  })

  it('are read as in the training: in lower case, behind a prefix', async () => {
    const writer = await TextToText.load(await saved({ 'data.json': { lowercase: true, prefix: 'a: ' } }))
    const plain = await TextToText.load(made.directory)
    const [found] = await writer.write(['ABC'])
    const [expected] = await plain.write(['a: abc'])
    expect(found).toEqual(expected)
  })

  it('need an encoder–decoder', async () => {
    const model = new BertModel({ vocabularySize: 9, contextLength: 8, layers: 1, heads: 1, width: 4 })
    initialize(model.parameters(), 1)
    saveModel(join(folder, 'bert'), model)
    const loading = TextToText.load(join(folder, 'bert'), { what: 'translate' })
    await expect(loading).rejects.toThrow(CheckpointError)
    await expect(loading).rejects.toThrow('translate needs an encoder–decoder, this is a BertModel')
  })
})

describe('evaluation of texts', () => {
  const write = (name: string, lines: readonly string[]) => {
    writeFileSync(join(folder, name), lines.map((line) => `${line}\n`).join(''))
    return join(folder, name)
  }

  it('compares what the model writes with the references, text by text', async () => {
    const writer = await TextToText.load(made.directory)
    const written = (await writer.write(texts)).map(({ text }) => text)
    const references = written.map((text, i) => (i === 1 || text.trim() === '' ? '们们' : text))
    const files = [write('source', texts), write('target', references)]
    const report = await evaluateTranslation(made.directory, files, { tokenize: 'char' })
    const { signatures, ...metrics } = translationMetrics(written, references, { tokenize: 'char' })
    expect(report).toEqual({ examples: texts.length, cut: 0, metrics, signatures })
    expect(metrics.chrf).toBeGreaterThan(40)
    const { metrics: rouge } = await evaluateSummarization(made.directory, files)
    const expected = summarizationMetrics(written, references, { stem: true })
    expect(rouge.rouge1).toBeCloseTo(100 * expected.rouge1, 9)
    expect(rouge.rougeL).toBeCloseTo(100 * expected.rougeL, 9)
  })

  it('lower-cases references where the training did, unless told not to', async () => {
    const directory = await saved({ 'data.json': { lowercase: true } })
    const writer = await TextToText.load(directory)
    const written = (await writer.write(texts)).map(({ text }) => text.toUpperCase() || 'EMPTY')
    const files = [write('source', texts), write('upper', written)]
    const lower = await evaluateTranslation(directory, files, { tokenize: 'char' })
    const cased = await evaluateTranslation(directory, files, { tokenize: 'char', cased: true })
    expect(lower.metrics.chrf).toBeGreaterThan(cased.metrics.chrf + 20)
  })

  it('says how long files of different lengths are', async () => {
    const files = [write('three', ['a', 'b', 'c']), write('two', ['a', 'b'])]
    const evaluating = evaluateTranslation(made.directory, files)
    await expect(evaluating).rejects.toThrow(DataError)
    await expect(evaluating).rejects.toThrow(/three has 3 lines, .*two has 2 lines/)
  })

  it('needs pairs that the training held out, where those are asked for', async () => {
    const files = [write('source', texts), write('target', texts)]
    await expect(evaluateTranslation(made.directory, files, { heldOut: true })).rejects.toThrow(UsageError)
  })
})

describe('attention', () => {
  it('is a row for each token that is written, of weights that add up to 1', async () => {
    const map = await attentionMap(made.directory, { source: 'abc', target: 'de' })
    expect(map).toMatchObject({ rows: ['d', 'e', '</s>'], columns: ['a', 'b', 'c', '</s>'], layer: 0, head: 'mean' })
    for (const row of map.weights) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5)
    const heads = await Promise.all(
      [0, 1].map((head) => attentionMap(made.directory, { source: 'abc', target: 'de', head })),
    )
    expect(map.weights[1][2]).toBeCloseTo((heads[0].weights[1][2] + heads[1].weights[1][2]) / 2, 6)
    const own = await attentionMap(made.directory, { source: 'abc' })
    const writer = await TextToText.load(made.directory)
    expect(own.rows).toHaveLength((await writer.write(['abc']))[0].ids.length)
  })

  it('is of a layer and head that exist', async () => {
    const source = 'a'
    await expect(attentionMap(made.directory, { source, layer: 2 })).rejects.toThrow('the model has layers 0 to 1')
    await expect(attentionMap(made.directory, { source, head: 7 })).rejects.toThrow('a layer has heads 0 to 1')
  })

  it('is drawn as squares that are as dark as the weights, with the tokens as text', () => {
    const weights = [
      [0.25, 0.75],
      [1, 0],
    ]
    const svg = drawAttention({ rows: ['<b>', ' '], columns: ['&', '我'], weights, layer: 1, head: 0 })
    const dark = [...svg.matchAll(/fill-opacity="([\d.]+)"/g)].map(([, opacity]) => Number(opacity))
    expect(dark).toEqual(weights.flat())
    for (const text of ['&lt;b&gt;', '␣', '&amp;', '我', 'layer 1, head 0']) expect(svg).toContain(`>${text}</text>`)
  })
})
