import { sameShape } from '../dimension.js'
import { defineOperationWithOutputs, expectShape } from '../operation.js'
import type { Tensor } from '../tensor.js'
import { where } from './comparison.js'
import { scatterElements } from './indexing.js'

/** How {@link crossEntropy} counts. */
export interface CrossEntropyOptions {
  /** Positions with this target have loss 0 and no gradient (default −100, as in PyTorch). */
  readonly ignoreIndex?: number
  /** ε of Szegedy et al. 2016, §7: the target gets 1 − ε, the rest ε, spread evenly over all classes (default 0). */
  readonly labelSmoothing?: number
}

/** [loss per position [...], log-probabilities [..., V]]. */
const softmaxCrossEntropy = defineOperationWithOutputs<
  [logits: Tensor, targets: Tensor],
  Required<CrossEntropyOptions>
>({
  name: 'SoftmaxCrossEntropyLoss',
  type: ([logits, targets]) => {
    const fits = targets.dtype === 'int64' && sameShape(targets.shape, logits.shape.slice(0, -1))
    expectShape(fits, 'SoftmaxCrossEntropyLoss', [logits, targets], 'logits [..., V] and int64 targets [...]')
    return [{ dtype: logits.dtype, shape: targets.shape }, logits]
  },
  // The logarithm is taken inside a max-shifted log-softmax: that of a softmax would underflow.
  lower: (graph, [logits, targets], { ignoreIndex, labelSmoothing }) => {
    const int64 = (value: number) => graph.constant(BigInt64Array.of(BigInt(value)), [], 'int64')
    const float32 = (value: number) => graph.constant(Float32Array.of(value), [], 'float32')
    const last = graph.constant(BigInt64Array.of(-1n), [1], 'int64')
    const ignored = graph.node('Equal', [targets, int64(ignoreIndex)])
    const safe = graph.node('Where', [ignored, int64(0), targets])
    const logProbabilities = graph.node('LogSoftmax', [logits], { axis: -1 })
    const picked = graph.node('GatherElements', [logProbabilities, graph.node('Unsqueeze', [safe, last])], { axis: -1 })
    let score = graph.node('Squeeze', [picked, last])
    if (labelSmoothing > 0) {
      const mean = graph.node('ReduceMean', [logProbabilities, last], { keepdims: 0 })
      const target = graph.node('Mul', [score, float32(1 - labelSmoothing)])
      score = graph.node('Add', [target, graph.node('Mul', [mean, float32(labelSmoothing)])])
    }
    return [graph.node('Where', [ignored, float32(0), graph.node('Neg', [score])]), logProbabilities]
  },
  gradient: ([logits, targets], [_loss, logProbabilities], [dLoss, dLogProbabilities], options) => {
    const softmax = logProbabilities.exp()
    const parts: Tensor[] = []
    if (dLoss) parts.push(lossGradient({ logits, targets, softmax, dLoss }, options))
    // The gradient below uses the probabilities, so that gradients of gradients come through them.
    if (dLogProbabilities) parts.push(dLogProbabilities.sub(softmax.mul(dLogProbabilities.sum([-1], true))))
    return [parts.reduce((a, b) => a.add(b)), null]
  },
})

/** d loss / d logits = softmax − q, with q the (smoothed) target distribution. */
function lossGradient(
  { logits, targets, softmax, dLoss }: Record<'logits' | 'targets' | 'softmax' | 'dLoss', Tensor>,
  { ignoreIndex, labelSmoothing }: Required<CrossEntropyOptions>,
): Tensor {
  const ignored = targets.equal(ignoreIndex)
  const weight = where(ignored, dLoss.constantLike(0), dLoss).unsqueeze(-1) // [..., 1]
  const target = where(ignored, targets.constantLike(0), targets).unsqueeze(-1) // [..., 1]
  const everywhere = labelSmoothing > 0 ? softmax.sub(smoothShare(logits, labelSmoothing)) : softmax
  const onTarget = weight.mul(labelSmoothing - 1)
  return scatterElements(everywhere.mul(weight), target, onTarget, { axis: -1, reduction: 'add' })
}

/**
 * −log softmax(logits)[target] at each position.
 *
 * @param logits [..., V]
 * @param targets int64 [...], each in [0, V) or the ignored index
 * @returns [...]
 */
export function crossEntropyPerPosition(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { ignoreIndex = -100, labelSmoothing = 0 } = options
  return softmaxCrossEntropy(logits, targets, { ignoreIndex, labelSmoothing })[0]
}

/**
 * The mean of −log softmax(logits)[target] over the positions that are not ignored.
 *
 * @param logits [..., V]
 * @param targets int64 [...], each in [0, V) or the ignored index
 * @returns a tensor of rank 0; not a number where every position is ignored
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { ignoreIndex = -100 } = options
  const count = targets.equal(ignoreIndex).not().cast(logits.dtype).sum()
  return crossEntropyPerPosition(logits, targets, options).sum().div(count)
}

/** ε/V, what label smoothing takes from every class's probability in the gradient. */
function smoothShare(logits: Tensor, labelSmoothing: number): Tensor | number {
  const classes = logits.shape[logits.rank - 1]
  if (typeof classes === 'number') return labelSmoothing / classes
  return logits.constantLike(labelSmoothing).div(logits.sizeOf([-1]))
}
