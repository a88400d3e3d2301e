import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ConfigError } from '../../errors.js'
import { T5, Transformer } from '../../models/index.js'
import type { Feed } from '../../runtime/index.js'
import { saveTokenizer } from '../../tokenizers/save.js'
import { build, type Ingredients } from '../build.js'
import type { Batch } from '../objectives/objective.js'
import { parseRecipe } from '../recipe.js'
import { Trainer } from '../trainer.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-denoising-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Documents of a few sentences, parted by blank lines. */
const documents = Array.from({ length: 40 }, (_, i) =>
  ['the old ship sailed.', 'a whale sang far away.', 'the blue sea grew calm.', `it was day ${i % 7}.`].slice(i % 3),
)
const file = join(folder, 'text.txt')
writeFileSync(file, documents.map((sentences) => sentences.join('\n')).join('\n\n'))

const small = ['layers=1', 'heads=2', 'width=16', 'contextLength=48', 'dropout=0'].map((size) => `model.${size}`)

function buildWith(...sets: string[]) {
  const given = ['objective=denoising', `data.train=${file}`, 'train.batchSize=4', ...small]
  return build({ recipe: parseRecipe('', 'test', [...given, ...sets]) })
}

/** The texts of a batch: what the encoder reads, what the decoder reads and what it is to write. */
function textsOf({ tokenizer }: Ingredients, { feeds }: Batch) {
  const numbers = (feed: Feed) => Array.from('shape' in feed ? feed.data : feed, Number)
  const texts = (ids: number[]) => tokenizer.decode(ids).split('</s>').slice(0, -1)
  const tokens = numbers(feeds.tokens)
  return { sources: texts(tokens.slice(0, tokens.length / 4)), targets: texts(numbers(feeds.targets)) }
}

/** A source with what the target says of each sentinel in place of it. */
function restored(source: string, target: string): string {
  const parts = new Map([...target.matchAll(/(<extra_id_\d+>)([^<]*)/g)].map(([, sentinel, text]) => [sentinel, text]))
  return source.replace(/<extra_id_\d+>/g, (sentinel) => parts.get(sentinel) ?? '?')
}

const allText = documents.map((sentences) => sentences.join('')).join('')

describe('denoising in a recipe', () => {
  it('makes a Transformer that restores spans of texts that fill its context', async () => {
    const ingredients = await buildWith('data.packing=false')
    expect(ingredients.model).toBeInstanceOf(Transformer)
    expect(ingredients.size.unit).toBe('tokens')
    for (const index of [0, 7]) {
      const { sources, targets } = textsOf(ingredients, ingredients.objective.trainingBatch(index))
      expect(sources.length).toBe(4)
      for (const [i, source] of sources.entries()) {
        expect(source).toMatch(/<extra_id_0>/)
        expect(targets[i]).toMatch(/^<extra_id_0>.*<extra_id_\d+>$/)
        expect(allText).toContain(restored(source, targets[i]))
      }
    }
  })

  it('damages texts anew in every epoch, and those that validate always alike', async () => {
    const [first, second] = [await buildWith(), await buildWith()]
    const texts = (batch: Batch) => textsOf(first, batch)
    const { objective } = first
    expect(texts(second.objective.trainingBatch(3))).toEqual(texts(objective.trainingBatch(3)))
    const seen = new Set(Array.from({ length: 60 }, (_, i) => texts(objective.trainingBatch(i)).sources).flat())
    expect(seen.size).toBeGreaterThan(200)
    const validated = () => [...objective.evaluationBatches()].map(texts)
    expect(validated()).toEqual(validated())
    expect(validated().length).toBeGreaterThan(0)
    const other = await buildWith('train.seed=2')
    expect(textsOf(other, other.objective.trainingBatch(0))).not.toEqual(texts(objective.trainingBatch(0)))
  })

  it('fills the context with sources, whose texts were longer', async () => {
    const ingredients = await buildWith('model.contextLength=100')
    const lengths = Array.from({ length: 20 }, (_, i) => ingredients.objective.trainingBatch(i)).map(({ feeds }) => {
      const { grid } = feeds
      return 'shape' in grid ? Number(grid.shape[1]) : 0
    })
    expect(Math.max(...lengths)).toBeLessThanOrEqual(100)
    expect(Math.max(...lengths)).toBeGreaterThan(85)
  })

  it('makes a BART, whose targets are whole documents', async () => {
    const sets = ['denoising.type=bart', 'model.type=bart', 'model.contextLength=120']
    const ingredients = await buildWith(...sets)
    const { sources, targets } = textsOf(ingredients, ingredients.objective.trainingBatch(0))
    const whole = documents.map((sentences) => sentences.join(''))
    for (const [i, target] of targets.entries()) {
      expect(whole).toContain(target)
      expect(sources[i]).toMatch(/<mask>/)
      expect(sources[i].replaceAll('<mask>', '').length).toBe(target.length - Math.round(0.3 * target.length))
    }
    const plain = await buildWith(...sets, 'denoising.permuteSentences=false', 'denoising.share=0.1')
    const kept = textsOf(plain, plain.objective.trainingBatch(0))
    for (const [i, source] of kept.sources.entries()) {
      const pattern = source
        .split('<mask>')
        .map((part) => part.replace(/[.]/g, '\\.'))
        .join('.*')
      expect(kept.targets[i]).toMatch(new RegExp(`^${pattern}$`))
    }
  })

  it('makes a T5 that learns to restore', async () => {
    const sizes = ['model.type=t5', 'model.headWidth=16', 'model.width=32', 'model.heads=2']
    const { model, objective } = await buildWith(
      ...sizes,
      'tokenizer={type: unigram, vocabularySize: 200}',
      'train.batchSize=8',
      `data.validation=${file}`,
    )
    expect(model).toBeInstanceOf(T5)
    const options = { betas: [0.9, 0.98], weightDecay: 0, clip: 1, accumulate: 1, seed: 1 } as const
    const trainer = new Trainer(model.parameters(), objective, options)
    const before = await trainer.evaluate()
    for (let step = 0; step < 200; step++) await trainer.step(5e-3 * Math.min(1, (step + 1) / 30))
    const after = await trainer.evaluate()
    expect(after?.loss).toBeLessThan(0.25 * (before?.loss ?? 0))
    expect(after?.metrics?.tokenAccuracy).toBeGreaterThan(0.6)
    trainer.dispose()
  })

  it('refuses tokenizers without what it needs, and contexts without room', async () => {
    const { tokenizer } = await buildWith()
    saveTokenizer(folder, tokenizer)
    await expect(buildWith(`tokenizer={from: ${folder}}`, 'denoising.type=bart')).rejects.toThrow(/needs a mask token/)
    await expect(buildWith('model.contextLength=2')).rejects.toThrow(ConfigError)
  })
})
