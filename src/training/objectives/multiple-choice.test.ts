import { describe, expect, it } from 'vitest'
import { encoderFeeds, encoderInputs } from '../../models/encoder.js'
import { BertForMultipleChoice } from '../../models/index.js'
import { initialize } from '../../nn/index.js'
import { compile, float32 } from '../../runtime/index.js'
import { Trainer } from '../trainer.js'
import { ExampleObjective } from './examples.js'
import { type ChoiceExample, MultipleChoice } from './multiple-choice.js'

function makeModel(): BertForMultipleChoice {
  const sizes = { vocabularySize: 12, contextLength: 16, layers: 1, heads: 2, width: 16, dropout: 0, deviation: 0.3 }
  const model = new BertForMultipleChoice(sizes)
  initialize(model.parameters(), 1)
  return model
}

/** The right choice is the one with the prompt's token again; some examples have three choices, some two. */
function example(i: number): ChoiceExample {
  const prompt = 4 + (i % 6)
  const count = i % 3 === 0 ? 2 : 3
  const target = (i * 5) % count
  const choices = Array.from({ length: count }, (_, j) => {
    const token = j === target ? prompt : 4 + ((prompt - 4 + 1 + j) % 6)
    return { ids: [1, prompt, 2, 10, token, 2], segments: [0, 0, 0, 1, 1, 1] }
  })
  return { choices, target }
}

describe('MultipleChoice', () => {
  it('has the cross-entropy over the choices that there are as its loss', async () => {
    const model = makeModel()
    const examples = [example(0), example(1), example(2)]
    const task = new MultipleChoice(model, 3)
    const { inputs, loss } = task.graph()
    const program = await compile({ inputs, outputs: { loss } })
    const batch = float32((await program.run(task.feeds(examples))).loss)[0]
    // Each choice alone, without fillers or neighbours.
    const { inputs: alone, input } = encoderInputs()
    const score = await compile({ inputs: alone, outputs: { score: model.forward(input, 1) } })
    let total = 0
    for (const { choices, target } of examples) {
      const scores: number[] = []
      for (const choice of choices) scores.push(float32((await score.run(encoderFeeds([choice]))).score)[0])
      total += Math.log(scores.reduce((sum, each) => sum + Math.exp(each), 0)) - scores[target]
    }
    expect(batch).toBeCloseTo(total / 3, 5)
    await Promise.all([program.dispose(), score.dispose()])
  })

  it('learns which choice repeats the prompt', async () => {
    const model = makeModel()
    const objective = new ExampleObjective(new MultipleChoice(model, 3), {
      train: Array.from({ length: 60 }, (_, i) => example(i)),
      validation: Array.from({ length: 30 }, (_, i) => example(i + 7)),
      batchSize: 10,
      seed: 1,
    })
    const options = { betas: [0.9, 0.99], weightDecay: 0, clip: 1, accumulate: 1, seed: 0 } as const
    const trainer = new Trainer(model.parameters(), objective, options)
    const before = await trainer.evaluate()
    for (let step = 0; step < 150; step++) await trainer.step(3e-3)
    const after = await trainer.evaluate()
    trainer.dispose()
    expect(before?.metrics?.accuracy).toBeLessThan(0.8)
    expect(after?.loss).toBeLessThan(0.1)
    expect(after?.metrics).toEqual({ accuracy: 1 })
  })
})
