import {
  CausalDecoder,
  CausalLanguageModelling,
  type Device,
  fit,
  GPT,
  generateBatch,
  initialize,
  Trainer,
} from '../../src/browser.js'

/** What {@link trainAndGenerate} found; plain data that a worker can post. */
export interface TrainingRun {
  /** Loss of each step, before its update. */
  readonly losses: readonly number[]
  readonly validationLoss: number | undefined
  /** Tokens that the trained model continues a prompt with, greedily. */
  readonly generated: readonly number[]
  readonly millisecondsPerStep: number
}

const seed = 1337
const contextLength = 16
const batchSize = 4

/** How {@link trainAndGenerate} runs. */
export interface TrainingRunOptions {
  readonly device?: Device
  /** Updates; 50 where absent. */
  readonly steps?: number
  readonly signal?: AbortSignal
  readonly onStep?: (step: number) => void
}

/** A text that is quickly learned, of a period that does not divide by the window. */
const text = 'over and under, then under and over; '.repeat(40)
const characters = [...new Set(text)].sort()

function encode(part: string): Uint32Array {
  return Uint32Array.from(part, (character) => characters.indexOf(character))
}

/** Trains a GPT of 2 layers with dropout, and continues a prompt with it: the same in Node and in a tab. */
export async function trainAndGenerate(options: TrainingRunOptions = {}): Promise<TrainingRun> {
  const model = new GPT({
    vocabularySize: characters.length,
    contextLength,
    layers: 2,
    heads: 4,
    width: 32,
    dropout: 0.1,
  })
  initialize(model.parameters(), seed)
  const run = await train(model, options)
  const decoder = await CausalDecoder.create(model, { device: options.device })
  const [{ ids }] = await generateBatch(decoder, [[...encode('over and ')]], { maxNewTokens: 20 })
  await decoder.dispose()
  return { ...run, generated: [...ids] }
}

async function train(model: GPT, options: TrainingRunOptions): Promise<Omit<TrainingRun, 'generated'>> {
  const [first, second] = [encode(text.slice(0, -200)), encode(text.slice(-200))]
  const objective = new CausalLanguageModelling({
    model,
    train: first,
    validation: second,
    contextLength,
    batchSize,
    seed,
  })
  const updates = { betas: [0.9, 0.99], weightDecay: 0.1, clip: 1, accumulate: 1, seed } as const
  const trainer = new Trainer(model.parameters(), objective, { ...updates, device: options.device })
  const steps = options.steps ?? 50
  const losses: number[] = []
  const times: number[] = []
  const { validationLoss } = await fit(
    trainer,
    {
      duration: { steps },
      schedule: 'cosine',
      learningRate: 1e-2,
      minimumLearningRate: 1e-3,
      warmup: 5,
      evaluateEvery: steps,
      checkpointEvery: steps,
    },
    {
      signal: options.signal,
      onStep: ({ step, loss }) => {
        losses.push(loss)
        times.push(performance.now())
        options.onStep?.(step)
      },
    },
  )
  trainer.dispose()
  return { losses, validationLoss, millisecondsPerStep: medianStep(times) }
}

/** Without the first steps, which compile and warm up. */
function medianStep(times: readonly number[]): number {
  const steps = times.slice(5).map((time, i) => time - times[i + 4])
  return steps.sort((a, b) => a - b)[steps.length >> 1]
}
