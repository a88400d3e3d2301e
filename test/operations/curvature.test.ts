import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gradients, toDense } from '../../src/autodiff/index.js'
import { input, type Tensor } from '../../src/graph/index.js'
import { compile, float32 } from '../../src/runtime/index.js'
import type { NdArray, Sample } from './array.js'
import type { Cases, OperationCase } from './case.js'
import { arrayOf } from './check.js'
import { compositeCases } from './composite.cases.js'
import { curvature, objective } from './differences.js'
import { Draw } from './draw.js'
import { elementwiseCases } from './elementwise.cases.js'
import { matrixCases } from './matrix.cases.js'
import { shapingCases } from './shaping.cases.js'

/** Operations without gradients of gradients. */
const excluded = {
  abs: 'the sign in its derivative has none itself',
  cast: 'its output need not be float',
  ...Object.fromEntries(
    [
      'equal',
      'greater',
      'less',
      'lessOrEqual',
      'and',
      'or',
      'not',
      'argMax',
      'oneHot',
      'sign',
      'fill',
      'range',
      'size',
    ].map((name) => [name, 'it has no gradient']),
  ),
}

/** uᵀ·H·v by differentiating (∇φ)·v once more, φ being Σ output · outputGradient. */
async function ourCurvature(
  { inputs, build }: OperationCase,
  outputGradients: readonly (Sample | undefined)[],
  [u, v]: readonly [Sample[], Sample[]],
): Promise<number> {
  const feeds: Record<string, Sample> = {}
  const leaf = (name: string, sample: Sample): Tensor => {
    feeds[name] = sample
    return input(name, sample.dtype, sample.shape)
  }
  const inner = (name: string, left: readonly Tensor[], right: readonly (Sample | undefined)[]): Tensor => {
    const terms = left.flatMap((a, i) => {
      const b = right[i]
      return a.isFloat && b !== undefined ? [a.mul(leaf(`${name}${i}`, b)).sum()] : []
    })
    return terms.reduce((a, b) => a.add(b))
  }
  const leaves = inputs.map((sample, i) => leaf(`input${i}`, sample))
  const floats = leaves.filter((tensor) => tensor.isFloat)
  const along = (directions: readonly Sample[]) => directions.filter((_, i) => leaves[i].isFloat)
  const φ = inner('output', [build(...leaves)].flat(), outputGradients)
  const slope = inner('v', gradients(φ, floats).map(toDense), along(v))
  const value = inner('u', gradients(slope, floats).map(toDense), along(u))
  const program = await compile({ outputs: { value }, threads: 1 })
  const needed = [...program.inputs.keys()].map((name) => [name, arrayOf(feeds[name])] as const)
  const result = await program.run(Object.fromEntries(needed))
  await program.dispose()
  return float32(result.value)[0]
}

/** A random direction for a float input, zeros for others. */
function direction(draw: Draw, { dtype, shape }: Sample): Sample {
  const drawn = draw.floats(shape)
  return dtype === 'float32' ? drawn : { ...drawn, data: drawn.data.fill(0) }
}

describe('gradients of gradients against second differences', () => {
  const cases: Readonly<Record<string, Cases>> = {
    ...elementwiseCases,
    ...matrixCases,
    ...shapingCases,
    ...compositeCases,
  }
  const smooth = Object.entries(cases).filter(([name]) => !(name in excluded))

  it.each(smooth)('%s', async (_name, drawCase) => {
    await fc.assert(
      fc.asyncProperty(fc.gen(), async (generate) => {
        const draw = new Draw(generate)
        const operationCase = drawCase(draw)
        const { inputs, unused = [] } = operationCase
        const outputs: NdArray[] = [operationCase.reference(...inputs)].flat()
        const outputGradients = outputs.map(({ shape }, i) => (unused.includes(i) ? undefined : draw.floats(shape)))
        const [u, v] = [0, 1].map(() => inputs.map((sample) => direction(draw, sample)))
        const expected = curvature(objective(operationCase, outputGradients), inputs, [u, v])
        const actual = await ourCurvature(operationCase, outputGradients, [u, v])
        expect(Math.abs(actual - expected)).toBeLessThan(2e-4 * Math.max(Math.abs(expected), 1))
      }),
      { seed: 1986, numRuns: 8 },
    )
  })
})
