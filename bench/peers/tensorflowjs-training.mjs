/**
 * TensorFlow.js's side of the training benchmark: a GPT and its full training step on the WebAssembly backend.
 *
 *     tensorflowjs-training.mjs CONFIG START
 *
 * CONFIG and START, and the answers, are those of javascript-side.mjs. The backend has SIMD; threads it leaves off in
 * Node (`WASM_HAS_MULTITHREAD_SUPPORT`), so that `setThreadsCount` changes nothing.
 * B batch, T sequence, C width, H heads, D head width, V vocabulary.
 */
import { createRequire } from 'node:module'
import { adamw, causalMask, normEpsilon, serve, versionOf } from './javascript-side.mjs'

// The ES modules of these packages do not load in Node.
const require = createRequire(import.meta.url)
const tf = require('@tensorflow/tfjs-core')
require('@tensorflow/tfjs-backend-wasm')
// The gradients of tfjs-core's operations: only other packages can reach the file that registers them.
require('@tensorflow/tfjs-layers')

/**
 * The product of two matrices, with a gradient that transposes them beforehand. The backend passes plain products to
 * XNNPACK, and those with `transposeA` or `transposeB`, which its own gradient asks for, to a loop that is 18 times slower.
 */
const product = tf.customGrad((a, b, save) => {
  save([a, b])
  const gradFunc = (dy, [a, b]) => [tf.matMul(dy, tf.transpose(b)), tf.matMul(tf.transpose(a), dy)]
  return { value: tf.matMul(a, b), gradFunc }
})

/** x·Φ(x): tfjs-core has no GELU. */
function gelu(x) {
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1))
}

function layerNorm(x, scale) {
  const centered = tf.sub(x, tf.mean(x, -1, true))
  const variance = tf.mean(tf.square(centered), -1, true)
  return tf.mul(tf.mul(centered, tf.rsqrt(tf.add(variance, normEpsilon))), scale)
}

/** ids int32 [N] → [N, V]. With `dtype: 'float32'` the backend would fill a float32 tensor with the bits of integers. */
function oneHot(ids, size) {
  return tf.cast(tf.oneHot(ids, size), 'float32')
}

/** A GPT whose parameters are variables, by their names in a checkpoint. */
class GPT {
  constructor(config, weights) {
    this.config = config
    this.parameters = new Map(
      [...weights].map(([name, { shape, data }]) => [name, tf.variable(tf.tensor(data, shape))]),
    )
    this.mask = tf.tensor(causalMask(config.contextLength), [config.contextLength, config.contextLength])
  }

  weight(name) {
    return this.parameters.get(`transformer.${name}.weight`)
  }

  /** ids, targets int32 [B·T] → the mean cross-entropy. The embedding is a product: `gather`'s gradient has no kernel. */
  loss(ids, targets) {
    const { layers, batchSize, contextLength, vocabularySize } = this.config
    const tokens = product(oneHot(ids, vocabularySize), this.weight('wte')) // [B·T, C]
    const places = tf.tile(this.weight('wpe'), [batchSize, 1]) // [B·T, C]
    let x = tf.add(tokens, places)
    for (let i = 0; i < layers; i++) x = this.block(x, `h.${i}`)
    x = layerNorm(x, this.weight('ln_f'))
    const logits = product(x, tf.transpose(this.weight('wte'))) // [B·T, V]
    const likelihoods = tf.mul(tf.logSoftmax(logits), oneHot(targets, vocabularySize))
    return tf.mul(tf.sum(likelihoods), -1 / (batchSize * contextLength))
  }

  block(x, name) {
    const attended = tf.add(x, this.attention(layerNorm(x, this.weight(`${name}.ln_1`)), `${name}.attn`))
    const inner = gelu(product(layerNorm(attended, this.weight(`${name}.ln_2`)), this.weight(`${name}.mlp.c_fc`)))
    return tf.add(attended, product(inner, this.weight(`${name}.mlp.c_proj`))) // [B·T, C]
  }

  attention(x, name) {
    const { heads, width, batchSize, contextLength } = this.config
    const split = (part) => tf.transpose(tf.reshape(part, [batchSize, contextLength, heads, -1]), [0, 2, 1, 3])
    const [q, k, v] = tf.split(product(x, this.weight(`${name}.c_attn`)), 3, -1).map(split) // 3 × [B, H, T, D]
    const scores = tf.mul(tf.matMul(q, k, false, true), Math.sqrt(heads / width)) // [B, H, T, T]
    const mixed = tf.matMul(tf.softmax(tf.add(scores, this.mask)), v) // [B, H, T, D]
    return product(tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [-1, width]), this.weight(`${name}.c_proj`)) // [B·T, C]
  }
}

/** AdamW after clipping, in TensorFlow.js's operations: its own Adam has neither decay nor clipping. */
class AdamW {
  #steps = 0

  constructor(parameters) {
    this.states = parameters.map((parameter) => {
      const [m, v] = [0, 1].map(() => tf.variable(tf.zerosLike(parameter)))
      return { parameter, m, v, decay: parameter.rank > 1 ? adamw.weightDecay : 0 }
    })
  }

  /** @param gradients one for each parameter, by the parameter's name */
  step(gradients) {
    const { learningRate, betas, epsilon, clip } = adamw
    const [beta1, beta2] = betas
    this.#steps++
    const norm = tf.sqrt(tf.addN(Object.values(gradients).map((gradient) => tf.sum(tf.square(gradient)))))
    const scale = Math.min(1, clip / (norm.dataSync()[0] + 1e-6))
    const rate = learningRate / (1 - beta1 ** this.#steps)
    const correction = 1 / (1 - beta2 ** this.#steps)
    for (const { parameter, m, v, decay } of this.states) {
      const gradient = tf.mul(gradients[parameter.name], scale)
      m.assign(tf.add(tf.mul(m, beta1), tf.mul(gradient, 1 - beta1)))
      v.assign(tf.add(tf.mul(v, beta2), tf.mul(tf.square(gradient), 1 - beta2)))
      const update = tf.div(tf.mul(m, rate), tf.add(tf.sqrt(tf.mul(v, correction)), epsilon))
      parameter.assign(tf.sub(tf.mul(parameter, 1 - learningRate * decay), update))
    }
  }
}

await serve(async (config, weights) => {
  await tf.setBackend('wasm')
  const model = new GPT(config, weights)
  const parameters = [...model.parameters.values()]
  const optimizer = new AdamW(parameters)
  const step = async ({ ids, targets }) =>
    tf.tidy(() => {
      const loss = () => model.loss(tf.tensor1d(ids, 'int32'), tf.tensor1d(targets, 'int32'))
      const { value, grads } = tf.variableGrads(loss, parameters)
      optimizer.step(grads)
      return value.dataSync()[0]
    })
  const simd = tf.env().get('WASM_HAS_SIMD_SUPPORT') ? ', SIMD' : ''
  return { version: versionOf('@tensorflow/tfjs-core'), backend: `${tf.getBackend()}${simd}, 1 thread`, step }
})
