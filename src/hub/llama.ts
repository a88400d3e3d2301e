import { z } from 'zod'
import { CheckpointError } from '../errors.js'
import { Llama, type LlamaConfig, Mistral, Qwen2, Qwen3 } from '../models/index.js'
import { keyValueHeads, llamaHeadWidth, llamaInnerWidth } from '../models/llama.js'
import { type Architecture, activationOf } from './architecture.js'
import { parseConfig } from './bert-family.js'
import { fromRotaryConfig, toRotaryConfig } from './rotary-config.js'

/** Sizes far above those of any model, so that a damaged file cannot ask for more than there is memory. */
const size = z
  .int()
  .positive()
  .max(2 ** 24)

/** What config.json says of Llama and its relatives, of which everything else has no bearing on the computation. */
const schema = z.looseObject({
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size.max(1024),
  num_attention_heads: size.max(8192),
  num_key_value_heads: size.max(8192).nullish(),
  head_dim: size.max(8192).nullish(),
  hidden_act: z.string().default('silu'),
  rms_norm_eps: z.number().positive().default(1e-6),
  initializer_range: z.number().nonnegative().default(0.02),
  attention_dropout: z.number().nullish(),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  sliding_window: size.nullish(),
  use_sliding_window: z.boolean().default(false),
  max_window_layers: z.int().nonnegative().default(28),
  layer_types: z.array(z.enum(['full_attention', 'sliding_attention'])).nullish(),
  quantization_config: z.looseObject({ quant_method: z.string().optional() }).nullish(),
})

type Config = z.infer<typeof schema>

/** What a family says in its own way, from a config.json and back. */
interface Relative<M extends Llama> {
  readonly name: string
  readonly modelType: string
  readonly model: new (config: LlamaConfig) => M
  toConfig(json: Config): Partial<LlamaConfig>
  fromConfig(config: LlamaConfig): Record<string, unknown>
}

/** Llama 1, 2 and 3, SmolLM2, and all that is built alike: `LlamaForCausalLM`. */
export const llamaArchitecture = architectureOf({
  name: 'LlamaForCausalLM',
  modelType: 'llama',
  model: Llama,
  toConfig: (json) => ({ ...biases(json), ...(json.mlp_bias && { feedForwardBias: true }) }),
  fromConfig: (config) => ({ ...fromBiases(config), mlp_bias: config.feedForwardBias ?? false }),
})

/** Mistral: `MistralForCausalLM`. */
export const mistralArchitecture = architectureOf({
  name: 'MistralForCausalLM',
  modelType: 'mistral',
  model: Mistral,
  // Published files without a window say so with null.
  toConfig: ({ sliding_window: width = 4096 }) => (width === null ? {} : { slidingWindow: width }),
  fromConfig: ({ slidingWindow }) => ({ sliding_window: slidingWindow ?? null }),
})

/** Qwen 2 and 2.5: `Qwen2ForCausalLM`. */
export const qwen2Architecture = architectureOf({
  name: 'Qwen2ForCausalLM',
  modelType: 'qwen2',
  model: Qwen2,
  toConfig: (json) => ({ ...windows(json), attentionBias: true }),
  fromConfig: fromWindows,
})

/** Qwen 3: `Qwen3ForCausalLM`. */
export const qwen3Architecture = architectureOf({
  name: 'Qwen3ForCausalLM',
  modelType: 'qwen3',
  model: Qwen3,
  toConfig: (json) => ({ ...windows(json), ...biases(json) }),
  fromConfig: (config) => ({ ...fromWindows(config), ...fromBiases(config) }),
})

/** Llama and its relatives. */
export const llamaArchitectures: readonly Architecture[] = [
  llamaArchitecture,
  mistralArchitecture,
  qwen2Architecture,
  qwen3Architecture,
]

function architectureOf<M extends Llama>(relative: Relative<M>): Architecture<M> {
  const { name, modelType, model: Model } = relative
  return {
    name,
    modelType,
    generates: true,
    create: (json, where) => new Model(toLlamaConfig(json, relative, where)),
    owns: (model): model is M => model.constructor === Model,
    toConfig: ({ config }) => fromLlamaConfig(config, relative),
    parameterName(stored) {
      // Frequencies that older versions saved as buffers.
      if (stored.endsWith('rotary_emb.inv_freq')) return undefined
      return /^(model|lm_head)\./.test(stored) ? stored : `model.${stored}`
    },
    extraTensors: () => new Map(),
    ignores: ({ config }, parameter) => parameter === 'lm_head.weight' && config.tiedHead === true,
  }
}

/** @throws CheckpointError where a key is missing, has a wrong type, or asks for something that this family does not do */
function toLlamaConfig(json: unknown, relative: Relative<Llama>, where: string): LlamaConfig {
  const config = parseConfig(schema, json, { family: relative.modelType, where })
  if (config.quantization_config) {
    const method = config.quantization_config.quant_method ?? 'an unnamed method'
    throw new CheckpointError(
      `${where}: the weights are quantized with ${method}, which is not read; take the model's float or GGUF files`,
    )
  }
  const heads = config.num_attention_heads
  return {
    vocabularySize: config.vocab_size,
    layers: config.num_hidden_layers,
    heads,
    keyValueHeads: config.num_key_value_heads ?? heads,
    width: config.hidden_size,
    ...headWidth(config, relative),
    innerWidth: config.intermediate_size,
    activation: activationOf(config.hidden_act, 'hidden_act', where),
    epsilon: config.rms_norm_eps,
    tiedHead: config.tie_word_embeddings,
    ...(config.attention_dropout ? { dropout: config.attention_dropout } : {}),
    deviation: config.initializer_range,
    ...toRotaryConfig(json, where),
    ...relative.toConfig(config),
  }
}

/** The width of a head, where the widths of all heads do not make up the model's. Qwen 3's is 128 where nothing is said. */
function headWidth(config: Config, { modelType }: Relative<Llama>): { headWidth?: number } {
  const { head_dim = modelType === 'qwen3' ? 128 : null, hidden_size, num_attention_heads } = config
  return head_dim === null || head_dim * num_attention_heads === hidden_size ? {} : { headWidth: head_dim }
}

function fromLlamaConfig(config: LlamaConfig, relative: Relative<Llama>): Record<string, unknown> {
  const { contextLength, rotary = {} } = config
  return {
    architectures: [relative.name],
    model_type: relative.modelType,
    vocab_size: config.vocabularySize,
    hidden_size: config.width,
    intermediate_size: llamaInnerWidth(config),
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: keyValueHeads(config),
    head_dim: llamaHeadWidth(config),
    hidden_act: config.activation ?? 'silu',
    rms_norm_eps: config.epsilon ?? 1e-6,
    initializer_range: config.deviation ?? 0.02,
    attention_dropout: config.dropout ?? 0,
    tie_word_embeddings: config.tiedHead ?? false,
    use_cache: true,
    ...fromRotaryConfig({ rotary, contextLength }),
    ...relative.fromConfig(config),
  }
}

/** One key stands for the biases of all four projections. */
function biases({ attention_bias }: Config): Partial<LlamaConfig> {
  return attention_bias ? { attentionBias: true, outputBias: true } : {}
}

function fromBiases({ attentionBias = false, outputBias = false }: LlamaConfig): Record<string, unknown> {
  if (attentionBias === outputBias) return { attention_bias: attentionBias }
  throw new CheckpointError(
    `attentionBias ${attentionBias} with outputBias ${outputBias} cannot be saved: set both, or use a Qwen2`,
  )
}

/** The window, and which layers have it: those from `max_window_layers` on where they are not listed. */
function windows(config: Config): Partial<LlamaConfig> {
  const { use_sliding_window, max_window_layers, layer_types, num_hidden_layers: layers } = config
  const width = use_sliding_window ? config.sliding_window : null
  if (!width) return {}
  const listed = layer_types?.map((type) => type === 'sliding_attention')
  return {
    slidingWindow: width,
    slidingLayers: listed ?? Array.from({ length: layers }, (_, layer) => layer >= max_window_layers),
  }
}

function fromWindows({ slidingWindow, slidingLayers, layers }: LlamaConfig): Record<string, unknown> {
  if (slidingWindow === undefined) return { use_sliding_window: false, sliding_window: null }
  const slides = Array.from({ length: layers }, (_, layer) => slidingLayers?.[layer] ?? true)
  return {
    use_sliding_window: true,
    sliding_window: slidingWindow,
    max_window_layers: slides.includes(true) ? slides.indexOf(true) : layers,
    layer_types: slides.map((slides) => (slides ? 'sliding_attention' : 'full_attention')),
  }
}
