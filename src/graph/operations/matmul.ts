import { broadcastShapes, formatShape, type Shape, sameShape } from '../dimension.js'
import { float } from '../lowering.js'
import { defineOperation, expectShape, type Operator } from '../operation.js'
import type { Tensor } from '../tensor.js'
import { sumTo } from './broadcast.js'
import { conserveRowProduct } from './row-product.js'

/** Which operands are transposed (last two axes) and what the product is multiplied by. */
export interface MatMulOptions {
  readonly transposeA?: boolean
  readonly transposeB?: boolean
  /** A factor of the product, free of cost (default 1). */
  readonly scale?: number
}

/**
 * scale · A·B of the last two axes, broadcast over the others.
 *
 * @param a [..., M, K], or [..., K, M] with transposeA
 * @param b [..., K, N], or [..., N, K] with transposeB
 * @returns [..., M, N]
 */
export const matmul: Operator<[a: Tensor, b: Tensor], MatMulOptions> = defineOperation({
  name: 'MatMul',
  type: ([a, b], { transposeA, transposeB }) => {
    expectShape(a.rank >= 2 && b.rank >= 2 && a.dtype === b.dtype, 'MatMul', [a, b], 'two matrices or stacks of them')
    const [m, k] = matrixOf(a, transposeA)
    const [l, n] = matrixOf(b, transposeB)
    expectShape(k === l, 'MatMul', [a, b], `equal inner sizes, not ${k} and ${l}`)
    return { dtype: a.dtype, shape: [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2), 'MatMul'), m, n] }
  },
  lower: (graph, inputs, { transposeA = false, transposeB = false, scale = 1 }) => {
    if (!transposeA && !transposeB && scale === 1) return graph.node('MatMul', inputs)
    const attributes = { transA: Number(transposeA), transB: Number(transposeB), alpha: float(scale) }
    return graph.node('FusedMatMul', inputs, attributes, 'com.microsoft')
  },
  gradient: ([a, b], c, dc, options) => {
    const { transposeA = false, transposeB = false, scale } = options
    if (b.rank === 2 && a.rank > 2 && !transposeA) return flatGradient(a, b, dc, options)
    // dA = scale · dC·op(B)ᵀ and dB = scale · op(A)ᵀ·dC, each transposed where its operand was
    const da = transposeA
      ? matmul(b, dc, { transposeA: transposeB, transposeB: true, scale })
      : matmul(dc, b, { transposeB: !transposeB, scale })
    const db = transposeB
      ? matmul(dc, a, { transposeA: true, transposeB: transposeA, scale })
      : matmul(a, dc, { transposeA: !transposeA, scale })
    if (!transposeA) conserveRowProduct({ value: a, gradient: da }, { value: c, gradient: dc })
    return [sumTo(da, a.shape), sumTo(db, b.shape)]
  },
})

/** How {@link gemm} treats its operands. */
export interface GemmOptions {
  readonly transposeA?: boolean
  readonly transposeB?: boolean
  readonly scale?: number
}

/**
 * scale · A·B + C of matrices.
 *
 * @param a [M, K], or [K, M] with transposeA
 * @param b [K, N], or [N, K] with transposeB
 * @param c broadcastable to [M, N], e.g. a bias [N]
 * @returns [M, N]
 */
export const gemm: Operator<[a: Tensor, b: Tensor, c: Tensor | undefined], GemmOptions> = defineOperation({
  name: 'Gemm',
  type: ([a, b, c], { transposeA, transposeB }) => {
    expectShape(a.rank === 2 && b.rank === 2, 'Gemm', [a, b, c], 'two matrices')
    const [m, k] = matrixOf(a, transposeA)
    const [l, n] = matrixOf(b, transposeB)
    expectShape(k === l, 'Gemm', [a, b, c], `equal inner sizes, not ${k} and ${l}`)
    const fits = c === undefined || sameShape(broadcastShapes([m, n], c.shape, 'Gemm'), [m, n])
    expectShape(fits, 'Gemm', [a, b, c], `an addend that broadcasts to ${formatShape([m, n])}`)
    return { dtype: a.dtype, shape: [m, n] }
  },
  lower: (graph, inputs, { transposeA = false, transposeB = false, scale = 1 }) =>
    graph.node('Gemm', inputs, { transA: Number(transposeA), transB: Number(transposeB), alpha: float(scale) }),
  gradient: ([a, b, c], _y, dy, { transposeA = false, transposeB = false, scale }) => [
    transposeA
      ? gemm(b, dy, undefined, { transposeA: transposeB, transposeB: true, scale })
      : gemm(dy, b, undefined, { transposeB: !transposeB, scale }),
    transposeB
      ? gemm(dy, a, undefined, { transposeA: true, transposeB: transposeA, scale })
      : gemm(a, dy, undefined, { transposeA: !transposeA, scale }),
    c ? sumTo(dy, c.shape) : null,
  ],
})

/**
 * x·W + b over the last axis: the rows of all leading axes go through one matrix product.
 *
 * @param x [..., in]
 * @param weight [out, in] with transposeB (as `Linear` stores it), else [in, out] (as GPT-2's `Conv1D`)
 * @param bias [out], or undefined
 * @returns [..., out]
 */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  options: { transposeB?: boolean } = {},
): Tensor {
  if (x.rank === 2) return gemm(x, weight, bias, options)
  const rows = x.reshape([-1, x.shape[x.rank - 1]]) // [rows, in]
  const y = gemm(rows, weight, bias, options) // [rows, out]
  return y.reshape([...x.shape.slice(0, -1), y.shape[1]])
}

/** The sizes [rows, columns] of a possibly transposed matrix. */
function matrixOf({ shape }: Tensor, transposed = false): Shape {
  const [m, n] = shape.slice(-2)
  return transposed ? [n, m] : [m, n]
}

/** Gradients of a stack of rows times one matrix: dB needs no sum over the stack. */
function flatGradient(
  a: Tensor,
  b: Tensor,
  dc: Tensor,
  { transposeB = false, scale }: MatMulOptions,
): [Tensor, Tensor] {
  const rows = a.reshape([-1, a.shape[a.rank - 1]])
  const rowGradients = dc.reshape([-1, dc.shape[dc.rank - 1]])
  const da = gemm(rowGradients, b, undefined, { transposeB: !transposeB, scale })
  const db = transposeB
    ? gemm(rowGradients, rows, undefined, { transposeA: true, scale })
    : gemm(rows, rowGradients, undefined, { transposeA: true, scale })
  return [da.reshape(a.shape), db]
}
