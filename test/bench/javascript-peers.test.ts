import { describe, expect, it } from 'vitest'
import { checkSameTraining } from '../../bench/javascript-peers.js'

function side(name: string, parameters: number, losses?: readonly number[]) {
  return { name, ready: { ready: true as const, version: '1', parameters, losses } }
}

describe('checkSameTraining', () => {
  const ours = side('Heddle', 10, [4.2, 4.1])

  it.each([
    ['losses that differ as float32 does', side('peer', 10, [4.200001, 4.09999])],
    ['a side that does not tell its losses', side('peer', 10)],
  ])('takes %s', (_, peer) => {
    expect(() => checkSameTraining(ours, peer)).not.toThrow()
  })

  it.each([
    ['another number of parameters', side('peer', 11, [4.2, 4.1]), '10 parameters in Heddle, 11 in peer'],
    ['another loss', side('peer', 10, [4.2, 4.1002]), 'losses 4.20000 4.10000 in Heddle, 4.20000 4.10020 in peer'],
    [
      'a loss that is not a number',
      side('peer', 10, [Number.NaN, 4.1]),
      'losses 4.20000 4.10000 in Heddle, NaN 4.10000',
    ],
    ['fewer steps', side('peer', 10, [4.2]), 'losses 4.20000 4.10000 in Heddle, 4.20000 in peer'],
    ['more steps', side('peer', 10, [4.2, 4.1, 4]), 'in Heddle, 4.20000 4.10000 4.00000 in peer'],
  ])('refuses %s', (_, peer, message) => {
    expect(() => checkSameTraining(ours, peer)).toThrow(message)
  })
})
