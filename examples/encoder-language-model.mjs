// @ts-check
/**
 * The language model that many tutorials call "the Transformer": its encoder alone, under a causal mask. 10,000 words,
 * 6 layers of width 512 with 8 heads, and input that has positions first: 30 positions × 64 sequences.
 *
 *     node examples/encoder-language-model.mjs [FILE [STEPS]]
 *
 * Without a FILE it learns the words of this repository's README.
 */
import { readFileSync } from 'node:fs'
import {
  constant,
  Embedding,
  initialize,
  input,
  Linear,
  Mask,
  Module,
  operations,
  PaddedLayout,
  Trainer,
  TransformerEncoder,
  transformerBase,
} from 'heddle'

const [file = 'README.md', stepCount = '3'] = process.argv.slice(2)
const [length, batch, vocabularySize] = [30, 64, 10_000]
const config = { ...transformerBase(), vocabularySize, contextLength: length } // width 512, 8 heads, 6 layers, inner 2048

class LanguageModel extends Module {
  encoder = new TransformerEncoder(config, new Embedding(vocabularySize, config.width))
  decoder = new Linear(config.width, vocabularySize)

  /** @param {import('heddle').Tensor} ids int64 [T, B] → logits [T, B, V] */
  forward(ids) {
    const rows = ids.transpose([1, 0]).reshape([-1]) // [B·T]
    const positions = operations.range({ limit: length }).expand([batch, length]).reshape([-1]) // [B·T]
    const layout = new PaddedLayout(constant(Array(batch * length).fill(1), [batch, length], 'bool'))
    const hidden = this.encoder.forward({ ids: rows, positions, segments: rows, layout }, Mask.causal(length)) // [B·T, C]
    return this.decoder.forward(hidden).reshape([batch, length, vocabularySize]).transpose([1, 0, 2]) // [T, B, V]
  }
}

// The text as numbers of words, the most frequent ones; 0 stands for all others.
const words = readFileSync(file, 'utf8').match(/\p{L}+|[^\s\p{L}]/gu) ?? []
const counts = new Map()
for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
const frequent = [...counts].sort((a, b) => b[1] - a[1]).slice(0, vocabularySize - 1)
const idOf = new Map(frequent.map(([word], i) => [word, i + 1]))
const ids = words.map((word) => BigInt(idOf.get(word) ?? 0))

/** Ids at [T, B], each column a part of the text of its own. @param {number} first of the first column */
const columns = (first) =>
  BigInt64Array.from({ length: length * batch }, (_, i) => {
    const [position, column] = [Math.floor(i / batch), i % batch]
    return ids[(first + Math.floor((column * ids.length) / batch) + position) % ids.length]
  })

const model = new LanguageModel()
initialize(model.parameters(), 1)
const objective = {
  loss() {
    const inputs = { ids: input('ids', 'int64', [length, batch]), next: input('next', 'int64', [length, batch]) }
    const logits = model.forward(inputs.ids)
    console.log(`logits ${logits.shape.join(' × ')}`)
    return { inputs, loss: operations.crossEntropy(logits, inputs.next) }
  },
  trainingBatch: (/** @type {number} */ step) => ({
    shape: [length, batch],
    feeds: { ids: columns(step * length), next: columns(step * length + 1) },
    examples: batch,
    predictions: batch * length,
  }),
  evaluationBatches: () => [],
}
const trainer = new Trainer(model.parameters(), objective, {
  betas: [0.9, 0.98],
  weightDecay: 0,
  clip: 1,
  accumulate: 1,
  seed: 1,
})
for (let step = 1; step <= Number(stepCount); step++) {
  const { loss } = await trainer.step(5e-4)
  console.log(`step ${step}  loss ${loss.toFixed(3)}`)
}
trainer.dispose()
