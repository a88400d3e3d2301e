import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as operations from '../../src/graph/operations/index.js'
import type { Cases } from './case.js'
import { checkOperation } from './check.js'
import { compositeCases } from './composite.cases.js'
import { differences, objective } from './differences.js'
import { Draw } from './draw.js'
import { elementwiseCases } from './elementwise.cases.js'
import { matrixCases } from './matrix.cases.js'
import { shapingCases } from './shaping.cases.js'

/** The compiler asks for every exported operation here, and the last test does. */
const cases = { ...elementwiseCases, ...matrixCases, ...shapingCases } satisfies Record<keyof typeof operations, Cases>

describe('operations against naive implementations in doubles and their finite differences', () => {
  it.each(Object.entries<Cases>({ ...cases, ...compositeCases }))('%s', async (_name, drawCase) => {
    await fc.assert(
      fc.asyncProperty(fc.gen(), async (generate) => {
        const draw = new Draw(generate)
        const operationCase = drawCase(draw)
        const { inputs, build, reference, unused = [], tolerance } = operationCase
        const outputs = [reference(...inputs)].flat()
        const outputGradients = outputs.map(({ shape }, i) => (unused.includes(i) ? undefined : draw.floats(shape)))
        const f = objective(operationCase, outputGradients)
        const inputGradients = inputs.map(({ dtype }, i) => (dtype === 'float32' ? differences(f, inputs, i) : null))
        await checkOperation({ inputs, build, outputGradients }, { outputs, inputGradients }, tolerance)
      }),
      { seed: 2017, numRuns: 25 },
    )
  })

  it('has cases for every operation', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(operations).sort())
  })
})
