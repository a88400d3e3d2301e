/** A GPT and the batches that it is trained on; all sides take it as it is. */
export interface GPTSizes {
  readonly layers: number
  readonly heads: number
  readonly width: number
  readonly contextLength: number
  readonly batchSize: number
  readonly vocabularySize: number
  readonly dropout: number
  readonly bias: boolean
  readonly activation: 'gelu' | 'gelu_new'
}

/** A Transformer and how it is trained, on pairs of sentences. */
export interface TransformerSizes {
  readonly encoderLayers: number
  readonly decoderLayers: number
  readonly heads: number
  readonly width: number
  readonly innerWidth: number
  readonly contextLength: number
  readonly vocabularySize: number
  readonly dropout: number
  readonly labelSmoothing: number
  /** Tokens of a batch's sources and targets together, about. */
  readonly batchTokens: number
}

/** A model that is measured, and the steps of a turn: about a second's worth. */
export type Case = {
  readonly description: string
  readonly steps: number
  /** Steps of a turn of TensorFlow.js and of jax-js, which are measured only where this is given. */
  readonly peerSteps?: number
} & (
  | { readonly model: 'gpt'; readonly config: GPTSizes }
  | { readonly model: 'transformer'; readonly config: TransformerSizes }
)

const characters = { vocabularySize: 65, dropout: 0, bias: false, activation: 'gelu' } as const

/** As `recipes/multi30k-de-en.yaml` trains it, but for vocabulary and dropout. */
export const translator: TransformerSizes = {
  ...{ encoderLayers: 3, decoderLayers: 3, heads: 8, width: 256, innerWidth: 1024, contextLength: 256 },
  ...{ vocabularySize: 8000, dropout: 0, labelSmoothing: 0.1, batchTokens: 4000 },
}

/** The cases by name. */
export const cases: Readonly<Record<string, Case>> = {
  'gpt-6x384': {
    description: 'a GPT for characters, 6 layers of width 384',
    steps: 2,
    model: 'gpt',
    config: { ...characters, layers: 6, heads: 6, width: 384, contextLength: 256, batchSize: 12 },
  },
  'gpt2-small': {
    description: 'the shape of GPT-2 small',
    steps: 1,
    model: 'gpt',
    config: {
      ...{ layers: 12, heads: 12, width: 768, contextLength: 256, batchSize: 2 },
      ...{ vocabularySize: 50257, dropout: 0, bias: true, activation: 'gelu_new' },
    },
  },
  'gpt-4x128': {
    description: "nanoGPT's character model for a CPU",
    steps: 20,
    peerSteps: 3,
    model: 'gpt',
    config: { ...characters, layers: 4, heads: 4, width: 128, contextLength: 64, batchSize: 12 },
  },
  'transformer-3x256': {
    description: 'a Transformer that translates, 3 + 3 layers of width 256',
    steps: 1,
    model: 'transformer',
    config: translator,
  },
  'transformer-3x256-dropout': {
    description: 'the same with dropout 0.1, whose losses cannot be compared',
    steps: 1,
    model: 'transformer',
    config: { ...translator, dropout: 0.1 },
  },
  tiny: {
    description: 'too small to mean anything: tries the benchmark itself',
    steps: 5,
    peerSteps: 5,
    model: 'gpt',
    config: { ...characters, layers: 2, heads: 2, width: 32, contextLength: 16, batchSize: 4 },
  },
  'tiny-transformer': {
    description: 'the same for a Transformer',
    steps: 5,
    model: 'transformer',
    config: {
      ...{ encoderLayers: 1, decoderLayers: 2, heads: 2, width: 32, innerWidth: 64, contextLength: 256 },
      ...{ vocabularySize: 100, dropout: 0, labelSmoothing: 0.1, batchTokens: 200 },
    },
  },
}

/** The case that is measured where none is named. */
export const mainCase = 'gpt-6x384'

/** The cases of `--all`. */
export const allCases = [mainCase, 'gpt2-small', 'gpt-4x128', 'transformer-3x256']

/** The model and the batches of a case in words. */
export function describeCase(each: Case): string {
  const { heads, width, contextLength, vocabularySize } = each.config
  if (each.model === 'gpt') {
    const { layers, batchSize } = each.config
    const model = `${layers} layers, ${heads} heads, width ${width}`
    return `${model}, context ${contextLength}, batch ${batchSize}, vocabulary ${vocabularySize}`
  }
  const { encoderLayers, decoderLayers, batchTokens, dropout } = each.config
  const model = `${encoderLayers} + ${decoderLayers} layers, ${heads} heads, width ${width}`
  return `${model}, batches of ${batchTokens} tokens, vocabulary ${vocabularySize}, dropout ${dropout}`
}
