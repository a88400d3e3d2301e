import { input, type Tensor } from '../../graph/index.js'
import { crossEntropy } from '../../graph/operations/index.js'
import { type ChoiceModel, encoderFeeds, encoderInputs, type TokenSequence } from '../../models/encoder.js'
import { Mask } from '../../nn/index.js'
import { type Feed, float32, type TensorValue } from '../../runtime/index.js'
import type { ExampleTask } from './examples.js'
import type { Batch, LossGraph, Scorer } from './objective.js'

/** A question beside each of its choices, of which one is right. */
export interface ChoiceExample {
  readonly choices: readonly TokenSequence[]
  /** The position of the right choice, from 0. */
  readonly target: number
}

/** Fills up the choices of an example that has fewer than others. */
const filler: TokenSequence = { ids: [0] }

/** Choosing among continuations, −log P(right | prompt, choices) (Devlin et al. 2018, §4.4). */
export class MultipleChoice implements ExampleTask<ChoiceExample> {
  readonly #model: ChoiceModel
  readonly #count: number

  /** @param count most choices of an example, at least 2; an example with fewer is filled up, at the cost of a token each */
  constructor(model: ChoiceModel, count: number) {
    this.#model = model
    this.#count = count
  }

  length({ choices }: ChoiceExample): number {
    return Math.max(...choices.map(({ ids }) => ids.length))
  }

  graph(): LossGraph {
    const { inputs, input: tokens } = encoderInputs({ choices: this.#count })
    // 0 for a choice, −10⁹ for a filler.
    const mask = input('mask', 'float32', ['batch', this.#count])
    const targets = input('targets', 'int64', ['batch'])
    const logits: Tensor = this.#model.forward(tokens, this.#count).add(mask) // [B, choices]
    return { inputs: { ...inputs, mask, targets }, loss: crossEntropy(logits, targets), outputs: { logits } }
  }

  feeds(examples: readonly ChoiceExample[]): Record<string, Feed> {
    const shape = [examples.length, this.#count]
    const mask = new Float32Array(examples.length * this.#count).fill(Mask.forbidden)
    const sequences = examples.flatMap(({ choices }, row) => {
      mask.fill(0, row * this.#count, row * this.#count + choices.length)
      return [...choices, ...Array<TokenSequence>(this.#count - choices.length).fill(filler)]
    })
    const targets = { data: BigInt64Array.from(examples, ({ target }) => BigInt(target)), shape: [examples.length] }
    return { ...encoderFeeds(sequences, { choices: this.#count }), mask: { data: mask, shape }, targets }
  }

  scorer(validation: readonly ChoiceExample[]): Scorer {
    return new ChoiceScorer(validation, this.#count)
  }
}

class ChoiceScorer implements Scorer {
  readonly #examples: readonly ChoiceExample[]
  readonly #count: number
  #right = 0

  constructor(examples: readonly ChoiceExample[], count: number) {
    this.#examples = examples
    this.#count = count
  }

  add({ rows = [] }: Batch, { logits }: Readonly<Record<string, TensorValue>>): void {
    const values = float32(logits)
    for (const [i, row] of rows.entries()) {
      const scores = values.subarray(i * this.#count, (i + 1) * this.#count)
      if (scores.indexOf(Math.max(...scores)) === this.#examples[row].target) this.#right++
    }
  }

  /** Positions of choices have no meaning of their own: an F1 of each would say nothing. */
  metrics(): Readonly<Record<string, number>> {
    return { accuracy: this.#right / this.#examples.length }
  }
}
