// @ts-check
/**
 * Looks into a trained GPT while it reads a text, with one program and no second implementation of the model:
 *
 * - the attention of one layer, drawn as shades (row: the token that looks; column: the token that is looked at)
 * - what the model would write next if it ended after each layer (the "logit lens")
 * - how much its likeliest next token hangs on each token that it has read (the gradient at the embeddings)
 *
 *     node examples/look-inside.mjs MODEL TEXT [LAYER]
 *
 * MODEL is a checkpoint or a training run, e.g. runs/shakespeare.
 */
import {
  compile,
  findTensor,
  float32,
  GPT,
  gradients,
  input,
  loadModel,
  loadTokenizer,
  operations,
  toDense,
} from 'heddle'

const [path, text, layerOption] = process.argv.slice(2)
if (!path || !text) {
  console.error('usage: node examples/look-inside.mjs MODEL TEXT [LAYER]')
  process.exit(2)
}
const { model, directory } = loadModel(path)
if (!(model instanceof GPT)) throw new TypeError(`${path} is not a GPT`)
const tokenizer = await loadTokenizer(directory)
const { ids, tokens } = await tokenizer.encode(text)
const { layers, heads, vocabularySize } = model.config
const { h, ln_f } = model.transformer
const layer = Number(layerOption ?? layers - 1)

// Everything below is a tensor of one graph. B = 1 batch, T tokens, V vocabulary, H heads, C width.
const sequence = input('ids', 'int64', [1, ids.length])
const logits = model.forward(sequence) // [1, T, V]
const attention = findTensor([logits], `h.${layer}.attn.weights`) // [1, H, T, T]
const embeddings = findTensor([logits], 'wte.Gather') // [1, T, C]
const lens = h.map((_, i) => {
  const output = findTensor([logits], `h.${i}.output`).slice(1, ids.length - 1) // [1, 1, C]
  return operations.softmax(model.lm_head.forward(ln_f.forward(output)), { axis: -1 }) // [1, 1, V]
})
const afterLayers = operations.concat(...lens, { axis: 0 }) // [layers, 1, V]
const next = operations.logSoftmax(logits.slice(1, ids.length - 1), { axis: -1 }) // [1, 1, V]
const slope = toDense(gradients(operations.reduceMax(next, {}), [embeddings])[0]) // [1, T, C]
const influence = slope.mul(slope).sum([-1]).sqrt() // [1, T]

const program = await compile({ outputs: { attention, afterLayers, influence } })
const results = await program.run({ ids: BigInt64Array.from(ids, BigInt) })
await program.dispose()

console.log(`Attention of layer ${layer}, heads 0 to ${Math.min(heads, 4) - 1}`)
const weights = float32(results.attention)
const length = ids.length
for (let row = 0; row < length; row++) {
  const maps = Array.from({ length: Math.min(heads, 4) }, (_, head) => {
    const start = (head * length + row) * length
    return shades(weights.subarray(start, start + length))
  })
  console.log(`${label(tokens[row])} ${maps.join('  ')}`)
}

console.log('\nThe next token after each layer')
for (const i of h.keys()) {
  const probabilities = float32(results.afterLayers).subarray(i * vocabularySize, (i + 1) * vocabularySize)
  const best = probabilities.indexOf(Math.max(...probabilities))
  const share = `${(100 * probabilities[best]).toFixed(1)} %`
  console.log(`layer ${String(i).padStart(2)}  ${label(tokenizer.decode([best]))}  ${share.padStart(7)}`)
}

console.log('\nWhat the likeliest next token hangs on')
const norms = float32(results.influence)
for (const [i, token] of tokens.entries()) {
  console.log(`${label(token)}  ${'█'.repeat(Math.round((40 * norms[i]) / Math.max(...norms)))}`)
}

/** Weights from 0 to 1 as characters from empty to full. @param {Float32Array} weights */
function shades(weights) {
  return Array.from(weights, (weight) => ' ·░▒▓█'[Math.min(5, Math.ceil(weight * 5))]).join('')
}

/** A token in eight columns, with its spaces and line ends visible. @param {string} token */
function label(token) {
  return JSON.stringify(token).slice(1, -1).replaceAll(' ', '␣').slice(0, 8).padStart(8)
}
