import { describe, expect, it } from 'vitest'
import { gradients, toDense } from '../autodiff/index.js'
import { ConfigError } from '../errors.js'
import { KeepMask, reachable } from '../graph/index.js'
import { forTraining, initialize, type Module } from '../nn/index.js'
import { compile, float32 } from '../runtime/index.js'
import { flanT5Small, pairFeeds, pairInputs, T5, type T5Config, t5Base, t5Large, t5Small, t5V11Small } from './index.js'

const sizeOf = (model: Module) => Object.values(model.parameters()).reduce((sum, { size }) => sum + size, 0)

const config: T5Config = {
  vocabularySize: 20,
  contextLength: 9,
  encoderLayers: 2,
  decoderLayers: 2,
  heads: 2,
  headWidth: 3,
  width: 8,
  innerWidth: 12,
  relativePositions: { buckets: 4, maxDistance: 5 },
  decoderStartTokenId: 0,
}

describe('presets', () => {
  // Counts of the published checkpoints.
  it.each([
    ['T5 small', t5Small, 60_506_624],
    ['T5 base', t5Base, 222_903_552],
    ['T5 large', t5Large, 737_668_096],
    ['T5 1.1 small', t5V11Small, 76_961_152],
    ['Flan-T5 small', flanT5Small, 76_961_152],
  ])('have the size of the published %s', (_name, preset, parameters) => {
    expect(sizeOf(new T5(preset()))).toBe(parameters)
  })
})

describe('a T5', () => {
  it('has the paths of the published checkpoints, the biases by distance in the first layers only', () => {
    const attention = (name: string) => ['q', 'k', 'v', 'o'].map((part) => `${name}.${part}`)
    const layer = (stack: string, i: number, inner: readonly string[]) => {
      const at = `${stack}.block.${i}.layer`
      const decodes = stack === 'decoder'
      return [
        ...attention(`${at}.0.SelfAttention`),
        ...(i === 0 ? [`${at}.0.SelfAttention.relative_attention_bias`] : []),
        ...(decodes ? attention(`${at}.1.EncDecAttention`) : []),
        ...inner.map((name) => `${at}.${decodes ? 2 : 1}.DenseReluDense.${name}`),
        ...[...Array(decodes ? 3 : 2).keys()].map((j) => `${at}.${j}.layer_norm`),
      ]
    }
    const paths = (inner: readonly string[]) => [
      'shared',
      ...['encoder', 'decoder'].flatMap((stack) => [
        ...layer(stack, 0, inner),
        ...layer(stack, 1, inner),
        `${stack}.final_layer_norm`,
      ]),
    ]
    const found = (changes: Partial<T5Config>) => Object.keys(new T5({ ...config, ...changes }).parameters()).sort()
    const weights = (names: readonly string[]) => names.map((name) => `${name}.weight`).sort()
    expect(found({})).toEqual(weights(paths(['wi', 'wo'])))
    expect(found({ gated: true, tiedHead: false })).toEqual(weights([...paths(['wi_0', 'wi_1', 'wo']), 'lm_head']))
  })

  it('starts with weights that keep the variance of sums, queries divided by the root of the head width', () => {
    const parameters = new T5({ ...config, gated: true, tiedHead: false }).parameters()
    const first = 'decoder.block.0.layer'
    const expected = {
      'shared.weight': 1,
      'lm_head.weight': 1,
      [`${first}.0.SelfAttention.q.weight`]: 1 / Math.sqrt(8 * 3),
      [`${first}.0.SelfAttention.k.weight`]: 1 / Math.sqrt(8),
      [`${first}.1.EncDecAttention.v.weight`]: 1 / Math.sqrt(8),
      [`${first}.1.EncDecAttention.o.weight`]: 1 / Math.sqrt(2 * 3),
      [`${first}.0.SelfAttention.relative_attention_bias.weight`]: 1 / Math.sqrt(8),
      [`${first}.2.DenseReluDense.wi_1.weight`]: 1 / Math.sqrt(8),
      [`${first}.2.DenseReluDense.wo.weight`]: 1 / Math.sqrt(12),
    }
    for (const [path, deviation] of Object.entries(expected)) {
      expect(parameters[path].initializer, path).toEqual({ kind: 'normal', deviation })
    }
  })

  it('drops what the published models drop, in training only', () => {
    const { source, target } = pairInputs()
    const model = new T5({ ...config, dropout: 0.1 })
    const places = (graph: ReturnType<typeof model.forward>) =>
      reachable([graph]).flatMap((tensor) => (tensor instanceof KeepMask ? [tensor.name] : []))
    const layers = ['encoder', 'decoder'].flatMap((stack) =>
      [0, 1].flatMap((i) => {
        const at = `${stack}.block.${i}.layer`
        const sublayers =
          stack === 'encoder'
            ? ['SelfAttention', 'DenseReluDense']
            : ['SelfAttention', 'EncDecAttention', 'DenseReluDense']
        return sublayers.flatMap((name, j) => [`${at}.${j}.${name}.dropout`, `${at}.${j}.dropout`])
      }),
    )
    const ends = ['encoder', 'decoder'].flatMap((stack) => [`${stack}.dropout`, `${stack}.dropout`])
    expect(places(forTraining(() => model.forward(source, target))).sort()).toEqual([...layers, ...ends].sort())
    expect(places(model.forward(source, target))).toEqual([])
  })

  it('passes gradients to every parameter', async () => {
    const model = new T5({ ...config, gated: true, tiedHead: false })
    initialize(model.parameters(), 1)
    const { inputs, source, target } = pairInputs()
    const logits = model.forward(source, target)
    const found = Object.entries(gradients(logits.mul(logits).sum(), model.parameters()))
    const outputs = Object.fromEntries(found.map(([path, gradient]) => [path, toDense(gradient)]))
    const program = await compile({ inputs, outputs })
    const result = await program.run(pairFeeds([{ source: { ids: [3, 4, 5, 6] }, target: { ids: [0, 7, 8] } }]))
    await program.dispose()
    expect(Object.keys(result)).toHaveLength(found.length)
    for (const [path, gradient] of Object.entries(result)) {
      expect(
        float32(gradient).some((value) => value !== 0),
        path,
      ).toBe(true)
    }
  })

  it('refuses groups of distances that cannot be filled', () => {
    expect(() => new T5({ ...config, relativePositions: { buckets: 6, maxDistance: 20 } })).toThrow(ConfigError)
  })
})
