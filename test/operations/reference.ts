import {
  at,
  broadcast,
  broadcastAt,
  count,
  fromFront,
  fromPositions,
  type NdArray,
  positions,
  withElement,
} from './array.js'

/**
 * Naive implementations in doubles, one loop per definition, of the operations whose oracle is not one expression:
 * nothing here shares code or formulas with the graph's operations or their gradients.
 */

/** The error function from its series of positive terms, 2/√π e^(−x²) Σ 2ⁿx^(2n+1)/(1·3·…·(2n+1)) (DLMF 7.6.2). */
export function erf(x: number): number {
  let term = x
  let sum = x
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

/** A function of the elements that lie along some axes, reduced to one number each. */
export function reduce(
  x: NdArray,
  { axes = x.shape.map((_, i) => i), keepDimensions = false }: { axes?: readonly number[]; keepDimensions?: boolean },
  f: (values: number[]) => number,
): NdArray {
  const reduced = axes.map((axis) => fromFront(axis, x.shape.length))
  const kept = x.shape.map((size, axis) => (reduced.includes(axis) ? 1 : size))
  const groups = new Map<string, number[]>()
  for (const position of positions(x.shape)) {
    const key = position.map((index, axis) => (reduced.includes(axis) ? 0 : index)).join()
    groups.set(key, [...(groups.get(key) ?? []), at(x, position)])
  }
  const { data } = fromPositions(kept, (position) => f(groups.get(position.join())!))
  return { shape: keepDimensions ? kept : x.shape.filter((_, axis) => !reduced.includes(axis)), data }
}

export const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0)

export const mean = (values: number[]): number => sum(values) / values.length

/** Swaps the last two axes. */
export function swapped(x: NdArray): NdArray {
  const axes = x.shape.map((_, axis) => axis)
  return transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2])
}

export function matmul(a: NdArray, b: NdArray): NdArray {
  const [m, inner] = a.shape.slice(-2)
  const n = b.shape[b.shape.length - 1]
  const stack = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2))
  return fromPositions([...stack, m, n], (position) => {
    const [i, j] = position.slice(-2)
    const above = position.slice(0, -2)
    let total = 0
    for (let k = 0; k < inner; k++) {
      const left = stackElement(a, above, i, k)
      total += left * stackElement(b, above, k, j)
    }
    return total
  })
}

function stackElement(x: NdArray, above: readonly number[], i: number, j: number): number {
  const own = above.slice(above.length - (x.shape.length - 2)).map((index, axis) => (x.shape[axis] === 1 ? 0 : index))
  return at(x, [...own, i, j])
}

/** log Σ e^x along an axis, kept. */
function logSumExp(x: NdArray, axis: number): NdArray {
  return reduce(x, { axes: [axis], keepDimensions: true }, (values) => Math.log(sum(values.map(Math.exp))))
}

export function logSoftmax(x: NdArray, axis: number): NdArray {
  const total = logSumExp(x, axis)
  return fromPositions(x.shape, (position) => at(x, position) - broadcastAt(total, position))
}

export function softmax(x: NdArray, axis: number): NdArray {
  const { shape, data } = logSoftmax(x, axis)
  return { shape, data: data.map(Math.exp) }
}

export function layerNorm(x: NdArray, weight: NdArray, bias: NdArray | undefined, epsilon: number): NdArray {
  const row = { axes: [-1], keepDimensions: true }
  const center = reduce(x, row, mean)
  const variance = reduce(x, row, (values) => mean(values.map((value) => (value - mean(values)) ** 2)))
  return fromPositions(x.shape, (position) => {
    const deviation = Math.sqrt(broadcastAt(variance, position) + epsilon)
    const normalized = (at(x, position) - broadcastAt(center, position)) / deviation
    return normalized * broadcastAt(weight, position) + (bias ? broadcastAt(bias, position) : 0)
  })
}

export function rmsNorm(x: NdArray, weight: NdArray, epsilon: number): NdArray {
  const square = reduce(x, { axes: [-1], keepDimensions: true }, (values) => mean(values.map((value) => value ** 2)))
  return fromPositions(
    x.shape,
    (position) =>
      (at(x, position) / Math.sqrt(broadcastAt(square, position) + epsilon)) * broadcastAt(weight, position),
  )
}

/** −Σ q log softmax(x) with q = (1 − ε)·[target] + ε/V, 0 at ignored targets. */
export function crossEntropyPerPosition(
  logits: NdArray,
  targets: NdArray,
  { ignoreIndex = -100, labelSmoothing = 0 }: { ignoreIndex?: number; labelSmoothing?: number },
): NdArray {
  const classes = logits.shape[logits.shape.length - 1]
  const logProbabilities = logSoftmax(logits, -1)
  return fromPositions(targets.shape, (position) => {
    const target = at(targets, position)
    if (target === ignoreIndex) return 0
    let loss = 0
    for (let i = 0; i < classes; i++) {
      const share = labelSmoothing / classes + (i === target ? 1 - labelSmoothing : 0)
      loss -= share * at(logProbabilities, [...position, i])
    }
    return loss
  })
}

export function crossEntropy(
  logits: NdArray,
  targets: NdArray,
  options: { ignoreIndex?: number; labelSmoothing?: number },
): NdArray {
  const counted = targets.data.filter((target) => target !== (options.ignoreIndex ?? -100)).length
  const total = sum([...crossEntropyPerPosition(logits, targets, options).data])
  return { shape: [], data: Float64Array.of(total / counted) }
}

export function gather(table: NdArray, ids: NdArray): NdArray {
  const row = table.shape.slice(1)
  return fromPositions([...ids.shape, ...row], (position) =>
    at(table, [at(ids, position.slice(0, ids.shape.length)), ...position.slice(ids.shape.length)]),
  )
}

export function gatherElements(x: NdArray, indices: NdArray, axis: number): NdArray {
  const along = fromFront(axis, x.shape.length)
  return fromPositions(indices.shape, (position) => at(x, withElement(position, along, at(indices, position))))
}

export function scatterElements(
  x: NdArray,
  indices: NdArray,
  updates: NdArray,
  { axis, reduction }: { axis: number; reduction: 'none' | 'add' },
): NdArray {
  const along = fromFront(axis, x.shape.length)
  const result = new Map(positions(x.shape).map((position) => [position.join(), at(x, position)]))
  for (const position of positions(indices.shape)) {
    const key = withElement(position, along, at(indices, position)).join()
    result.set(key, at(updates, position) + (reduction === 'add' ? result.get(key)! : 0))
  }
  return { shape: x.shape, data: Float64Array.from(result.values()) }
}

export function transpose(x: NdArray, permutation: readonly number[]): NdArray {
  return fromPositions(
    permutation.map((axis) => x.shape[axis]),
    (position) =>
      at(
        x,
        x.shape.map((_, axis) => position[permutation.indexOf(axis)]),
      ),
  )
}

export function concat(parts: readonly NdArray[], axis: number): NdArray {
  const along = fromFront(axis, parts[0].shape.length)
  const size = sum(parts.map(({ shape }) => shape[along]))
  return fromPositions(withElement(parts[0].shape, along, size), (position) => {
    let index = position[along]
    const part = parts.find(({ shape }) => {
      if (index < shape[along]) return true
      index -= shape[along]
      return false
    })!
    return at(part, withElement(position, along, index))
  })
}

/** The elements start … start + size − 1 along an axis, 0 outside of x. */
export function window(x: NdArray, axis: number, start: number, size: number): NdArray {
  const along = fromFront(axis, x.shape.length)
  return fromPositions(withElement(x.shape, along, size), (position) => {
    const index = position[along] + start
    return index >= 0 && index < x.shape[along] ? at(x, withElement(position, along, index)) : 0
  })
}

/** Sums over the positions that broadcasting made of each of a shape's. */
export function sumTo(x: NdArray, shape: readonly number[]): NdArray {
  const data = new Float64Array(count(shape))
  const numbers: NdArray = { shape, data: data.map((_, i) => i) }
  for (const position of positions(x.shape)) data[broadcastAt(numbers, position)] += at(x, position)
  return { shape, data }
}
