/**
 * jax-js's side of the training benchmark: a GPT and its full training step, compiled as one function, on its WebAssembly
 * backend with a thread for each core.
 *
 *     jaxjs-training.mjs CONFIG START
 *
 * CONFIG and START, and the answers, are those of javascript-side.mjs. A function of jax-js consumes its arguments: `x.ref`
 * is a reference more, for each further use. WebGPU, its faster backend, is not there in Node.
 * B batch, T sequence, C width, H heads, D head width, V vocabulary.
 */
import { availableParallelism } from 'node:os'
import { adamw, causalMask, normEpsilon, serve, versionOf } from './javascript-side.mjs'
import { provideWorkers } from './web-worker.mjs'

// jax-js looks for workers when it is loaded; without them it has one thread.
const threads = availableParallelism()
provideWorkers(threads)
const { jit, nn, numpy: np, tree, valueAndGrad } = await import('@jax-js/jax')

function layerNorm(x, scale) {
  return nn.standardize(x, -1, { epsilon: normEpsilon }).mul(scale)
}

/** The loss of a GPT as a function of its weights (by name), ids and targets, both int32 [B, T]. */
function lossOf({ layers, heads, width, batchSize, contextLength, vocabularySize }) {
  const mask = np.array(causalMask(contextLength)).reshape([contextLength, contextLength])

  // Not nn.dotProductAttention: its einsum needs iterator methods that Node 20 lacks.
  function attention(x, weight) {
    const split = (part) => part.reshape([batchSize, contextLength, heads, width / heads]).transpose([0, 2, 1, 3])
    const [q, k, v] = np.split(np.matmul(x, weight('c_attn')), 3, -1).map(split) // 3 × [B, H, T, D]
    const scores = np.matmul(q, np.matrixTranspose(k)).mul(Math.sqrt(heads / width)) // [B, H, T, T]
    const mixed = np.matmul(nn.softmax(scores.add(mask.ref), -1), v) // [B, H, T, D]
    const joined = mixed.transpose([0, 2, 1, 3]).reshape([batchSize, contextLength, width])
    return np.matmul(joined, weight('c_proj')) // [B, T, C]
  }

  function block(x, weight) {
    const attended = x.ref.add(attention(layerNorm(x, weight('ln_1')), (name) => weight(`attn.${name}`)))
    const inner = np.matmul(layerNorm(attended.ref, weight('ln_2')), weight('mlp.c_fc')) // [B, T, 4·C]
    return attended.add(np.matmul(nn.gelu(inner, { approximate: false }), weight('mlp.c_proj'))) // [B, T, C]
  }

  return (weights, ids, targets) => {
    const weight = (name) => weights[`transformer.${name}.weight`]
    const wte = weight('wte')
    let x = np.matmul(nn.oneHot(ids, vocabularySize), wte.ref).add(weight('wpe')) // [B, T, C]
    for (let i = 0; i < layers; i++) x = block(x, (name) => weight(`h.${i}.${name}`))
    const logits = np.matmul(layerNorm(x, weight('ln_f')), np.matrixTranspose(wte)) // [B, T, V]
    const likelihoods = nn.logSoftmax(logits, -1).mul(nn.oneHot(targets, vocabularySize))
    return likelihoods.sum().mul(-1 / (batchSize * contextLength))
  }
}

/** The factor that brings gradients (by name, not consumed) to the largest norm. */
function clipScale(gradients) {
  const squares = Object.values(gradients).map((gradient) => np.square(gradient.ref).sum())
  const norm = np.sqrt(squares.reduce((a, b) => a.add(b)))
  return np.minimum(np.reciprocal(norm.add(1e-6)).mul(adamw.clip), 1)
}

/**
 * AdamW after clipping, of one step.
 *
 * @param state { weights, m, v }, each by name
 * @param corrections float32 [2]: the learning rate and the second moment's factor, with Adam's corrections of this step
 */
function update(state, gradients, corrections) {
  const { learningRate, betas, epsilon, weightDecay } = adamw
  const [beta1, beta2] = betas
  const scale = clipScale(gradients)
  const [rate, correction] = [corrections.ref.slice(0), corrections.slice(1)]
  const next = { weights: {}, m: {}, v: {} }
  for (const [name, weight] of Object.entries(state.weights)) {
    const decay = weight.ndim > 1 ? weightDecay : 0
    const gradient = gradients[name].mul(scale.ref)
    next.m[name] = state.m[name].mul(beta1).add(gradient.ref.mul(1 - beta1))
    next.v[name] = state.v[name].mul(beta2).add(np.square(gradient).mul(1 - beta2))
    const root = np.sqrt(next.v[name].ref.mul(correction.ref)).add(epsilon)
    next.weights[name] = weight.mul(1 - learningRate * decay).sub(next.m[name].ref.mul(rate.ref).div(root))
  }
  for (const scalar of [scale, rate, correction]) scalar.dispose()
  return next
}

/** One compiled function: state, corrections, ids, targets → [state, loss]. */
function compileStep(config) {
  const lossAndGradients = valueAndGrad(lossOf(config))
  return jit((state, corrections, ids, targets) => {
    const [loss, gradients] = lossAndGradients(tree.ref(state.weights), ids, targets)
    return [update(state, gradients, corrections), loss]
  })
}

await serve(async (config, weights) => {
  const arrays = (values) => Object.fromEntries([...weights].map(([name, weight]) => [name, values(weight)]))
  const zeros = () => arrays(({ shape }) => np.zeros(shape))
  let state = { weights: arrays(({ shape, data }) => np.array(data).reshape(shape)), m: zeros(), v: zeros() }
  let steps = 0
  const compiled = compileStep(config)
  const tokens = (ids) => np.array(ids).reshape([config.batchSize, config.contextLength])
  const step = async ({ ids, targets }) => {
    steps++
    const [rate, correction] = adamw.betas.map((beta) => 1 / (1 - beta ** steps))
    const corrections = np.array(new Float32Array([adamw.learningRate * rate, correction]))
    const [next, loss] = compiled(state, corrections, tokens(ids), tokens(targets))
    state = next
    await Promise.all(tree.leaves(state).map((array) => array.blockUntilReady()))
    return (await loss.data())[0]
  }
  return { version: versionOf('@jax-js/jax'), backend: `wasm, jit, ${threads} threads`, step }
})
