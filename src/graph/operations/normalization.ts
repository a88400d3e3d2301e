import { normalizeAxis } from '../dimension.js'
import { float } from '../lowering.js'
import { defineOperation, defineOperationWithOutputs, expectShape, type Operator, onnx } from '../operation.js'
import type { Tensor } from '../tensor.js'
import { sumTo } from './broadcast.js'
import { reduceMean, reduceSum } from './reduction.js'
import { rowProduct } from './row-product.js'

/** e^xᵢ / Σⱼ e^xⱼ along an axis. x [..., n, ...] → the same shape. */
export const softmax: Operator<[x: Tensor], { axis: number }> = defineOperation({
  name: 'Softmax',
  type: ([x]) => x,
  lower: onnx('Softmax', ({ axis }) => ({ axis })),
  // dx = (dy − Σ dy·y)·y
  gradient: (_x, y, dy, { axis }) => {
    const isLast = normalizeAxis(axis, y.rank, 'Softmax') === y.rank - 1
    const sum = isLast ? rowProduct(y, dy) : reduceSum(y.mul(dy), { axes: [axis], keepDimensions: true })
    return [dy.sub(sum).mul(y)]
  },
})

/** xᵢ − log Σⱼ e^xⱼ along an axis, computed without overflow. x [..., n, ...] → the same shape. */
export const logSoftmax: Operator<[x: Tensor], { axis: number }> = defineOperation({
  name: 'LogSoftmax',
  type: ([x]) => x,
  lower: onnx('LogSoftmax', ({ axis }) => ({ axis })),
  // dx = dy − eʸ Σ dy
  gradient: (_x, y, dy, { axis }) => [dy.sub(y.exp().mul(reduceSum(dy, { axes: [axis], keepDimensions: true })))],
})

/** Layer normalization with the statistics that its gradient needs: [y, mean, 1/σ]. */
const layerNormalization = defineOperationWithOutputs<
  [x: Tensor, weight: Tensor, bias: Tensor | undefined],
  { epsilon: number }
>({
  name: 'LayerNormalization',
  type: ([x, weight, bias]) => {
    const width = x.shape[x.rank - 1]
    const fits = [weight, bias].every((p) => p === undefined || (p.rank === 1 && p.shape[0] === width))
    expectShape(fits, 'LayerNormalization', [x, weight, bias], `weight and bias of size ${width}`)
    const statistics = { dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] }
    return [x, statistics, statistics]
  },
  lower: (graph, inputs, { epsilon }) =>
    graph.nodes(3, 'LayerNormalization', inputs, { axis: -1, epsilon: float(epsilon) }),
  // With x̂ = (x − mean)/σ and g = dy·weight: dx = (g − mean(g) − x̂·mean(g·x̂))/σ
  gradient: ([x, weight, bias], [y, mean, inverseDeviation], [outputGradient, ...statisticsGradients]) => {
    const dy = outputGradient ?? y.constantLike(0).expand(y.shape)
    const normalized = x.sub(mean).mul(inverseDeviation)
    const scaled = dy.mul(normalized)
    const g = dy.mul(weight)
    const last = { axes: [-1], keepDimensions: true }
    const projection = normalized.mul(reduceMean(g.mul(normalized), last))
    let dx = g.sub(reduceMean(g, last)).sub(projection).mul(inverseDeviation)
    // Gradients use the statistics, so that gradients of gradients come through them: ∂mean/∂x = 1/C, ∂(1/σ)/∂x = −x̂/(C·σ²)
    const [dMean, dInverse] = statisticsGradients.map((gradient) => gradient?.div(x.sizeOf([-1])))
    if (dMean) dx = dx.add(dMean)
    if (dInverse) dx = dx.sub(normalized.mul(dInverse.mul(inverseDeviation).mul(inverseDeviation)))
    return [dx, sumTo(scaled, weight.shape), bias ? sumTo(dy, bias.shape) : null]
  },
})

/**
 * Layer normalization, (x − mean)/√(variance + ε)·weight + bias over the last axis (Ba et al. 2016, §3).
 *
 * @param x [..., C]
 * @param weight [C]
 * @param bias [C], or undefined
 * @returns [..., C]
 */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor | undefined, options: { epsilon: number }): Tensor {
  return layerNormalization(x, weight, bias, options)[0]
}

/** Root mean square normalization with the statistic that its gradient needs: [y, 1/rms]. */
const rootMeanSquareNormalization = defineOperationWithOutputs<[x: Tensor, weight: Tensor], { epsilon: number }>({
  name: 'SimplifiedLayerNormalization',
  type: ([x, weight]) => {
    const width = x.shape[x.rank - 1]
    const fits = weight.rank === 1 && weight.shape[0] === width
    expectShape(fits, 'SimplifiedLayerNormalization', [x, weight], `a weight of size ${width}`)
    return [x, { dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] }]
  },
  lower: (graph, inputs, { epsilon }) =>
    graph.nodes(2, 'SimplifiedLayerNormalization', inputs, { axis: -1, epsilon: float(epsilon) }),
  // With x̂ = x/rms and g = dy·weight: dx = (g − x̂·mean(g·x̂))/rms, and g·x̂ = dy·y
  gradient: ([x, weight], [y, inverse], [outputGradient, dInverse]) => {
    const dy = outputGradient ?? y.constantLike(0).expand(y.shape)
    const normalized = x.mul(inverse)
    const projection = normalized.mul(reduceMean(dy.mul(y), { axes: [-1], keepDimensions: true }))
    let dx = dy.mul(weight).sub(projection).mul(inverse)
    // Gradients use the statistic, so that gradients of gradients come through it: ∂(1/rms)/∂x = −x̂/(C·rms²)
    if (dInverse)
      dx = dx.sub(
        normalized.mul(
          dInverse
            .div(x.sizeOf([-1]))
            .mul(inverse)
            .mul(inverse),
        ),
      )
    return [dx, sumTo(dy.mul(normalized), weight.shape)]
  },
})

/**
 * Root mean square normalization, x/√(mean(x²) + ε)·weight over the last axis (Zhang & Sennrich 2019, §3).
 *
 * @param x [..., C]
 * @param weight [C]
 * @returns [..., C]
 */
export function rmsNorm(x: Tensor, weight: Tensor, options: { epsilon: number }): Tensor {
  return rootMeanSquareNormalization(x, weight, options)[0]
}
