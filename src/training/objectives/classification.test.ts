import { describe, expect, it } from 'vitest'
import { classificationMetrics, multiLabelMetrics, regressionMetrics } from '../../metrics/index.js'
import { classifierFeeds, classifierGraph } from '../../models/classifier.js'
import {
  BertForSequenceClassification,
  type ClassificationProblem,
  GPTForSequenceClassification,
} from '../../models/index.js'
import { initialize } from '../../nn/index.js'
import { compile, float32, ProgramCache } from '../../runtime/index.js'
import { evaluateObjective, Trainer } from '../trainer.js'
import { Classification, classificationFigures, type LabelledSequence, problemOf } from './classification.js'
import { ExampleObjective } from './examples.js'

const config = { vocabularySize: 12, contextLength: 8, layers: 1, heads: 2, width: 8, deviation: 0.3 }

/** Sequences of random tokens whose label is whether token 3 comes before token 4. */
function examples(count: number) {
  return Array.from({ length: count }, (_, i) => {
    const rest = Array.from({ length: i % 5 }, (_, j) => 5 + ((i * 7 + j * 3) % 7))
    const label = i % 2
    return { ids: label === 1 ? [3, ...rest, 4] : [4, ...rest, 3], target: label }
  })
}

describe('Classification', () => {
  it('computes each row as if it were alone, whatever is padded behind it', async () => {
    const model = new GPTForSequenceClassification(config, ['a', 'b', 'c'])
    initialize(model.parameters(), 1)
    const { inputs, logits } = classifierGraph(model)
    const program = await compile({ inputs, outputs: { logits } })
    const sequences = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10]].map((ids) => ({ ids }))
    const together = float32((await program.run(classifierFeeds(model, sequences))).logits)
    for (const [row, sequence] of sequences.entries()) {
      const alone = float32((await program.run(classifierFeeds(model, [sequence]))).logits)
      for (let i = 0; i < 3; i++) expect(together[row * 3 + i]).toBeCloseTo(alone[i], 5)
    }
    await program.dispose()
  })

  it('learns the order of two tokens', async () => {
    const model = new GPTForSequenceClassification(config, ['no', 'yes'])
    initialize(model.parameters(), 1)
    const objective = new ExampleObjective(new Classification(model), {
      train: examples(64),
      validation: examples(17),
      batchSize: 8,
      seed: 2,
    })
    const options = { betas: [0.9, 0.99], weightDecay: 0, clip: 1, accumulate: 1, seed: 0 } as const
    const trainer = new Trainer(model.parameters(), objective, options)
    expect((await trainer.evaluate())?.loss).toBeGreaterThan(0.5)
    for (let step = 0; step < 60; step++) await trainer.step(1e-2)
    expect((await trainer.evaluate())?.loss).toBeLessThan(0.05)
    trainer.dispose()
  })

  it('shows every example once an epoch, in batches of similar length', () => {
    const train = examples(23)
    const model = new GPTForSequenceClassification(config, ['no', 'yes'])
    const objective = new ExampleObjective(new Classification(model), {
      train,
      validation: [],
      batchSize: 4,
      seed: 2,
    })
    const batches = Array.from({ length: objective.batchesPerEpoch }, (_, i) => objective.trainingBatch(i))
    expect(batches.reduce((sum, batch) => sum + batch.predictions, 0)).toBe(23)
    const tokens = batches.flatMap(({ feeds }) => [...('data' in feeds.ids ? feeds.ids.data : feeds.ids)])
    const real = train.reduce((sum, { ids }) => sum + ids.length, 0)
    expect(tokens.length - real).toBeLessThan(real / 4)
  })
})

/** A BERT of three labels whose logits are far from zero. */
function bertWith(problem: ClassificationProblem): BertForSequenceClassification {
  const model = new BertForSequenceClassification({ ...config, deviation: 1 }, ['a', 'b', 'c'], problem)
  initialize(model.parameters(), 4)
  return model
}

/** The loss of a batch and the logits that it is computed from, a row for each example. */
async function lossAndLogits(task: Classification, batch: readonly LabelledSequence[]) {
  const { inputs, loss, outputs = {} } = task.graph()
  const program = await compile({ inputs, outputs: { logits: outputs.logits, loss } })
  const results = await program.run(task.feeds(batch))
  await program.dispose()
  const logits = [...float32(results.logits)]
  const width = logits.length / batch.length
  const rows = batch.map((_, i) => logits.slice(i * width, (i + 1) * width))
  return { loss: float32(results.loss)[0], rows }
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const crossEntropy = (logits: readonly number[], target: number) =>
  Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - logits[target]

describe('the loss of a classification', () => {
  const sequences = [[3, 1, 4, 1, 5], [9, 2], [6, 5, 3, 5, 8, 9], [7]].map((ids) => ({ ids }))

  it('is the mean of −log P(label)', async () => {
    const batch = sequences.map((sequence, i) => ({ ...sequence, target: i % 3 }))
    const task = new Classification(bertWith('single_label_classification'))
    const { loss, rows } = await lossAndLogits(task, batch)
    expect(loss).toBeCloseTo(meanOf(rows.map((row, i) => crossEntropy(row, i % 3))), 5)
    expect(task.predictions(batch)).toBe(4)
  })

  it("weighs examples by their label's weight, and a batch by the weights of all of them", async () => {
    const batch = sequences.map((sequence, i) => ({ ...sequence, target: i % 3 }))
    const weights = [0.5, 3, 1.25]
    const task = new Classification(bertWith('single_label_classification'), weights)
    const { loss, rows } = await lossAndLogits(task, batch)
    const total = 2 * weights[0] + weights[1] + weights[2]
    const sum = rows.reduce((all, row, i) => all + weights[i % 3] * crossEntropy(row, i % 3), 0)
    expect(loss).toBeCloseTo(sum / total, 5)
    expect(task.predictions(batch)).toBeCloseTo(total, 10)
  })

  it('is the mean of the binary cross-entropies where several labels can apply', async () => {
    const targets = [
      [1, 0, 1],
      [0, 0, 0],
      [1, 1, 1],
      [0, 1, 0],
    ]
    const batch = sequences.map((sequence, i) => ({ ...sequence, target: targets[i] }))
    const { loss, rows } = await lossAndLogits(new Classification(bertWith('multi_label_classification')), batch)
    const losses = rows.flatMap((row, i) =>
      row.map((logit, j) => {
        const probability = 1 / (1 + Math.exp(-logit))
        return -Math.log(targets[i][j] === 1 ? probability : 1 - probability)
      }),
    )
    expect(loss).toBeCloseTo(meanOf(losses), 5)
  })

  it('does not overflow where a label is out of the question', async () => {
    const model = bertWith('multi_label_classification')
    const { bias } = model.classifier
    bias?.data?.set([200, -200, 0])
    const batch = [{ ids: [3], target: [0, 1, 0] }]
    const { loss, rows } = await lossAndLogits(new Classification(model), batch)
    const [[sure, never, open]] = rows
    expect(loss).toBeCloseTo((sure - never + Math.log(1 + Math.exp(open))) / 3, 3)
  })

  it('is the mean squared error of a regression', async () => {
    const batch = sequences.map((sequence, i) => ({ ...sequence, target: [i - 0.5, 2 * i, -i] }))
    const { loss, rows } = await lossAndLogits(new Classification(bertWith('regression')), batch)
    const errors = rows.flatMap((row, i) => row.map((value, j) => (value - batch[i].target[j]) ** 2))
    expect(Math.abs(loss / meanOf(errors) - 1)).toBeLessThan(1e-5)
  })

  it('of a GPT is that of one label', () => {
    expect(problemOf(new GPTForSequenceClassification(config, ['a', 'b']))).toBe('single_label_classification')
  })
})

describe('what is measured of a classification', () => {
  const logits = Float32Array.of(0.1, -2, 3, 5, 4, -1, -0.5, 0.2, 0.1, 1, 1.5, 0)

  it('depends on the problem', () => {
    expect(classificationFigures('single_label_classification', [2, 1, 1, 0], logits)).toEqual(
      classificationMetrics([2, 1, 1, 0], [2, 0, 1, 1], 3),
    )
    const sets = [
      [1, 0, 1],
      [0, 0, 0],
      [0, 1, 0],
      [1, 1, 1],
    ]
    expect(classificationFigures('multi_label_classification', sets, logits)).toEqual(
      multiLabelMetrics(
        [[0, 2], [], [1], [0, 1, 2]],
        [
          [0, 2],
          [0, 1],
          [1, 2],
          [0, 1],
        ],
        3,
      ),
    )
    const numbers = [0.5, 1, -2, 3]
    expect(
      classificationFigures(
        'regression',
        numbers.map((value) => [value]),
        logits.subarray(2, 6),
      ),
    ).toEqual(regressionMetrics(numbers, [3, 5, 4, -1]))
  })

  it('belongs to the examples in their order, though they are run by length', async () => {
    const model = bertWith('single_label_classification')
    const validation = Array.from({ length: 23 }, (_, i) => ({
      ids: Array.from({ length: 1 + ((i * 5) % 8) }, (_, j) => (i + 3 * j) % 12),
      target: i % 3,
    }))
    const task = new Classification(model)
    const options = { train: validation, validation, batchSize: 4, seed: 1 }
    const programs: Parameters<typeof evaluateObjective>[1] = new ProgramCache(1)
    const found = await evaluateObjective(new ExampleObjective(task, options), programs)
    programs.dispose()
    const { rows, loss } = await lossAndLogits(task, validation)
    const predicted = rows.map((row) => row.indexOf(Math.max(...row)))
    expect(found.metrics).toEqual(
      classificationMetrics(
        validation.map(({ target }) => target),
        predicted,
        3,
      ),
    )
    expect(found.loss).toBeCloseTo(loss, 5)
    expect(found.predictions).toBe(23)
  })
})
