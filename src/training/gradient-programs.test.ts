import { describe, expect, it } from 'vitest'
import { distance, norm } from '../../test/parity/fixtures.js'
import { gradients, toDense } from '../autodiff/index.js'
import type { GPT } from '../models/index.js'
import { compile, float32, ParameterMemory } from '../runtime/index.js'
import { GradientPrograms } from './gradient-programs.js'
import { causalLoss } from './objectives/causal-lm.js'
import type { Batch } from './objectives/objective.js'
import { tinyBatch, tinyModel, tinyObjective } from './tiny.testing.js'

const random = { seed: 1, step: 0 }

/** The programs of a model, and a function that runs them and copies the gradients from the memory. */
function makePrograms(model: GPT, accumulate = 1, { tracked = false } = {}) {
  const parameters = model.parameters()
  const lengths = Object.entries(parameters).map(([name, { size, shape }]) => ({
    name,
    length: size,
    rows: tracked && shape.length > 1 ? shape[0] : undefined,
  }))
  const memory = new ParameterMemory(lengths, { trainable: true })
  const programs = new GradientPrograms(tinyObjective(model, 4), parameters, memory, { accumulate })
  const run = async (...batches: Batch[]) => {
    const loss = await programs.run(batches, random)
    return { loss, gradients: new Map([...memory].map(({ name, gradient }) => [name, [...gradient]])) }
  }
  return { programs, run, memory }
}

/** Loss and dense gradients as plain outputs of one program, with no memory that anything is written into. */
async function plainGradients(model: GPT, batch: Batch) {
  const { inputs, loss } = causalLoss(model, batch.shape)
  const found = Object.entries(gradients(loss, model.parameters()))
  const outputs = { loss, ...Object.fromEntries(found.map(([name, gradient]) => [name, toDense(gradient)])) }
  const program = await compile({ inputs, outputs })
  const values: Record<string, Parameters<typeof float32>[0]> = await program.run(batch.feeds)
  await program.dispose()
  return {
    loss: float32(values.loss)[0],
    gradients: new Map(found.map(([name]) => [name, [...float32(values[name])]])),
  }
}

/** Compares by ‖a − b‖ / (‖b‖ + 10⁻³ · ‖all b‖). */
function expectEqual(found: Map<string, number[]>, expected: Map<string, number[]>): void {
  expect([...found.keys()]).toEqual([...expected.keys()])
  const whole = Math.hypot(...[...expected.values()].map(norm))
  for (const [name, values] of expected) {
    expect(distance(found.get(name)!, values) / (norm(values) + 1e-3 * whole), name).toBeLessThan(1e-5)
  }
}

describe.each([true, false])('GradientPrograms, tied head: %s', (tiedHead) => {
  it('leaves in the memory what plain programs compute, whatever was there and whatever the shape', async () => {
    const model = tinyModel({ tiedHead, bias: true })
    const { programs, run } = makePrograms(model)
    for (const batch of [tinyBatch(0, 4), tinyBatch(50, 2), tinyBatch(4, 4)]) {
      const [found, expected] = [await run(batch), await plainGradients(model, batch)]
      expect(found.loss).toBeCloseTo(expected.loss, 6)
      expectEqual(found.gradients, expected.gradients)
    }
    programs.dispose()
  })

  it('leaves the same where it tracks the rows of tables', async () => {
    const model = tinyModel({ tiedHead, bias: true })
    const [plain, tracked] = [makePrograms(model), makePrograms(model, 1, { tracked: true })]
    for (const batch of [tinyBatch(0, 4), tinyBatch(50, 2), tinyBatch(4, 4)]) {
      expect(await tracked.run(batch)).toEqual(await plain.run(batch))
    }
    const isTracking = [...tracked.memory].filter(({ rows }) => rows?.isTracking).map(({ name }) => name)
    // A head that is tied to the table gives it a dense gradient; the positions are looked up as a whole.
    expect(isTracking).toEqual(tiedHead ? [] : ['transformer.wte.weight'])
    for (const { programs } of [plain, tracked]) programs.dispose()
  })

  it('accumulates the mean over the predictions of batches of different sizes', async () => {
    const model = tinyModel({ tiedHead })
    const batches = [tinyBatch(0, 4), tinyBatch(4, 1), tinyBatch(5, 3)]
    const shares = [4 / 8, 1 / 8, 3 / 8]
    const { programs, run } = makePrograms(model, 3)
    const found = await run(...batches)
    const parts: Awaited<ReturnType<typeof plainGradients>>[] = []
    for (const batch of batches) parts.push(await plainGradients(model, batch))
    expect(found.loss).toBeCloseTo(
      parts.reduce((sum, { loss }, i) => sum + shares[i] * loss, 0),
      6,
    )
    const mean = [...parts[0].gradients].map(([name, values]): [string, number[]] => {
      const weighted = (i: number) => parts.reduce((sum, part, j) => sum + shares[j] * part.gradients.get(name)![i], 0)
      return [name, values.map((_, i) => weighted(i))]
    })
    expectEqual(found.gradients, new Map(mean))
    expectEqual((await run(...batches)).gradients, new Map(mean))
    programs.dispose()
  })

  it('draws other dropout masks for every batch of a step and for every step', async () => {
    const { programs, run } = makePrograms(tinyModel({ tiedHead, dropout: 0.4 }), 2)
    const batch = tinyBatch(0, 4)
    const [one, other] = [tinyBatch(0, 4), tinyBatch(0, 4)]
    const twice = await run(batch, batch)
    expect(await run(one, other)).toEqual(twice)
    const losses = new Set<number>()
    for (let step = 0; step < 3; step++) losses.add(await programs.run([batch, batch], { seed: 1, step }))
    expect(losses.size).toBe(3)
    programs.dispose()
    const single = makePrograms(tinyModel({ tiedHead, dropout: 0.4 }))
    const { loss } = await single.run(batch)
    expect(loss).not.toBeCloseTo(twice.loss, 4)
    single.programs.dispose()
  })
})
