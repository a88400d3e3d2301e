import { describe, expect, it } from 'vitest'
import { fixturePath } from '../../test/parity/fixtures.js'
import { CheckpointError } from '../errors.js'
import { describeModel, type ModelPart } from './describe.js'
import { saveRandomModel, temporaryFolder } from './saved-model.testing.js'

const at = temporaryFolder()

/** Paths and shapes of all parameters of a tree. */
function leaves(parts: readonly ModelPart[], path: readonly string[] = []): [path: string, shape: readonly number[]][] {
  return parts.flatMap(({ name, shape, parts: inner }) =>
    shape === undefined ? leaves(inner, [...path, name]) : [[[...path, name].join('.'), shape]],
  )
}

describe('describeModel', () => {
  it('has every parameter once, at its path', () => {
    const model = saveRandomModel(at('model'), 'abc')
    const { type, directory, tree, parameters, memory, config, unused } = describeModel(at('model'))
    const expected = Object.entries(model.parameters()).map(([path, { shape }]) => [path, shape])
    expect(leaves(tree)).toEqual(expected)
    // Four tokens with the unknown one: embeddings, two layers of two norms and twelve squares, the last norm.
    expect(parameters).toBe((4 + 8) * 8 + 2 * (2 * 8 + 12 * 64) + 8)
    expect(memory).toEqual({ run: 4 * parameters, train: 16 * parameters })
    expect({ type, directory, unused }).toEqual({ type: 'GPT', directory: at('model'), unused: [] })
    expect(config).toMatchObject({ vocabularySize: 4, contextLength: 8, layers: 2, heads: 2, width: 8, bias: false })
  })

  it('adds up the parameters of every part', () => {
    const sum = (part: ModelPart): number =>
      part.shape === undefined
        ? part.parts.reduce((total, inner) => total + sum(inner), 0)
        : part.shape.reduce((product, size) => product * size, 1)
    const check = (part: ModelPart): void => {
      expect(part.parameters, part.name).toBe(sum(part))
      part.parts.forEach(check)
    }
    const { tree } = describeModel(fixturePath('gpt2/untied'))
    expect(tree.map(({ name }) => name)).toEqual(['transformer', 'lm_head'])
    tree.forEach(check)
  })

  it('refuses what is not a checkpoint', () => {
    expect(() => describeModel(at('nowhere'))).toThrow(CheckpointError)
  })
})
