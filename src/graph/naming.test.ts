import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.js'
import { constant, currentScope, findTensor, input, inScope, joinName, type Tensor, tensorNames } from './index.js'

const build = (): Tensor => {
  const x = input('x', 'float32', [2, 2])
  const one = inScope('h.0', () => inScope('h.0.attn', () => x.matmul(x).named('weights')).add(x))
  return inScope('h.1', () =>
    inScope('h.1.attn', () => one.matmul(one).named('weights'))
      .add(one)
      .add(one),
  )
}

const namesOf = (root: Tensor) => [...tensorNames([root]).values()]

describe('names of tensors', () => {
  it('are the path of the scope, then the operation or the given label, numbered where they repeat', () => {
    const expected = ['x', 'h.0.attn.weights', 'h.0.Add', 'h.1.attn.weights', 'h.1.Add', 'h.1.Add#2']
    expect(namesOf(build())).toEqual(expected)
  })

  it('are the same each time a graph is built, and whatever order its roots are given in', () => {
    const root = build()
    const other = input('other', 'float32', [2, 2])
    expect(namesOf(build())).toEqual(namesOf(root))
    expect([...tensorNames([other, root]).values()]).toEqual([...tensorNames([root, other]).values()])
  })

  it('count three of a name in order of creation, not of use', () => {
    const [a, b, c] = [1, 2, 3].map((value) => constant([value], [1]))
    const names = tensorNames([c.add(b).add(a)])
    expect([a, b, c].map((tensor) => names.get(tensor))).toEqual(['constant', 'constant#2', 'constant#3'])
  })

  it('follow a tensor that is renamed, within the scope that it was made in', () => {
    const x = inScope('encoder', () => input('x', 'float32', [1]))
    expect(x.name).toBe('encoder.x')
    expect(inScope('decoder', () => x.named('memory')).name).toBe('encoder.memory')
  })
})

describe('scopes', () => {
  it('end with the building, also with one that throws', () => {
    expect(inScope('a', () => inScope('a.b', currentScope))).toBe('a.b')
    expect(() =>
      inScope('a', () => {
        throw new RangeError('on purpose')
      }),
    ).toThrow(RangeError)
    expect(currentScope()).toBe('')
  })

  it('join parts of which any may be empty', () => {
    expect([joinName('', 'x'), joinName('h.0', ''), joinName('h.0', 'x'), joinName('', '')]).toEqual([
      'x',
      'h.0',
      'h.0.x',
      '',
    ])
  })
})

describe('findTensor', () => {
  const root = build()
  const names = tensorNames([root])

  it.each(['x', 'h.0.attn.weights', 'h.1.Add#2'])('finds %s by its whole name', (name) => {
    expect(names.get(findTensor([root], name))).toBe(name)
  })

  it('finds a tensor by an ending of its name that it alone has', () => {
    expect(names.get(findTensor([root], '1.attn.weights'))).toBe('h.1.attn.weights')
    expect(names.get(findTensor([root], 'Add#2'))).toBe('h.1.Add#2')
  })

  it('prefers the whole name to endings', () => {
    const weights = root.add(root).named('weights')
    expect(findTensor([weights], 'weights')).toBe(weights)
  })

  it('does not take the end of a word for an ending of a name', () => {
    expect(() => findTensor([root], 'eights')).toThrow("no tensor is named 'eights'; did you mean 'weights'?")
  })

  it('lists the candidates of an ambiguous ending', () => {
    expect(() => findTensor([root], 'attn.weights')).toThrow(
      "'attn.weights' names 2 tensors: give one of h.0.attn.weights, h.1.attn.weights",
    )
  })

  it('suggests the nearest name', () => {
    expect(() => findTensor([root], 'h.0.attn.weigths')).toThrow(UsageError)
    expect(() => findTensor([root], 'h.0.attn.weigths')).toThrow("did you mean 'h.0.attn.weights'?")
    expect(() => findTensor([root], '0.atn.weigths')).toThrow("did you mean '0.attn.weights'?")
    expect(() => findTensor([root], 'completely different and long')).toThrow(
      /no tensor is named 'completely different and long'$/,
    )
  })
})
