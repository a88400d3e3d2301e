import { z } from 'zod'
import { CheckpointError } from '../errors.js'
import { GPT, type GPTConfig, GPTDecoder, GPTForSequenceClassification } from '../models/index.js'
import { type Architecture, activationOf, type NamedTensors } from './architecture.js'

/** A model with GPT-2's body, whatever its head. */
type GPTLike = GPT | GPTDecoder | GPTForSequenceClassification

/** What GPT-2's config.json says, of which everything else has no bearing on the computation. */
const schema = z.looseObject({
  vocab_size: z.int().positive(),
  n_positions: z.int().positive(),
  n_embd: z.int().positive(),
  n_layer: z.int().positive(),
  n_head: z.int().positive(),
  n_inner: z.int().positive().nullish(),
  activation_function: z.string().default('gelu_new'),
  embd_pdrop: z.number().default(0.1),
  attn_pdrop: z.number().default(0.1),
  resid_pdrop: z.number().default(0.1),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  initializer_range: z.number().nonnegative().default(0.02),
  tie_word_embeddings: z.boolean().default(true),
  scale_attn_weights: z.literal(true).default(true),
  scale_attn_by_inverse_layer_idx: z.literal(false).default(false),
  add_cross_attention: z.literal(false).default(false),
  // Ours: Hugging Face's GPT-2 always has biases, so a model without them is saved with zeros and this note.
  bias: z.boolean().default(true),
})

/** What both heads have in common. */
const common = {
  modelType: 'gpt2',
  generates: true,

  parameterName(stored: string): string | undefined {
    // Causal masks that older versions saved as buffers.
    if (/(^|\.)(attn|crossattention)\.(bias|masked_bias)$/.test(stored)) return undefined
    return /^(transformer|lm_head|score)\./.test(stored) ? stored : `transformer.${stored}`
  },

  extraTensors(model: GPTLike): NamedTensors {
    return model.config.bias === false ? zeroBiases(model) : new Map()
  },
}

/** What models with a language model's head have in common. */
const withHead = {
  ...common,
  name: 'GPT2LMHeadModel',
  toConfig: ({ config }: GPT | GPTDecoder) => ({ architectures: ['GPT2LMHeadModel'], ...fromGPTConfig(config) }),
  ignores(model: GPT | GPTDecoder, name: string, data: Float32Array): boolean {
    if (name === 'lm_head.weight') return true // tied: the token embedding stands for it
    return isZeroBias(model, name, data)
  },
}

/** GPT-2 language models: `GPT2LMHeadModel`, or `GPT2Model` whose names lack the `transformer.` in front. */
export const gpt2LanguageModel: Architecture<GPT> = {
  ...withHead,
  create: (json, where) => new GPT(toGPTConfig(json, where)),
  owns: (model): model is GPT => model instanceof GPT,
}

/** The decoder half of an encoder–decoder. */
export const gpt2Decoder: Architecture<GPTDecoder> = {
  ...withHead,
  create: (json, where) => new GPTDecoder(toGPTConfig(json, where)),
  owns: (model): model is GPTDecoder => model instanceof GPTDecoder,
}

/** GPT-2 classifiers of sequences: `GPT2ForSequenceClassification`. */
export const gpt2Classifier: Architecture<GPTForSequenceClassification> = {
  ...common,
  name: 'GPT2ForSequenceClassification',
  create: (json, where) => new GPTForSequenceClassification(toGPTConfig(json, where), labelsOf(json, where)),
  owns: (model): model is GPTForSequenceClassification => model instanceof GPTForSequenceClassification,
  toConfig: ({ config, labels }) => ({
    architectures: ['GPT2ForSequenceClassification'],
    ...fromGPTConfig(config),
    problem_type: 'single_label_classification',
    id2label: Object.fromEntries(labels.map((label, id) => [id, label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
    // Python takes the last token that is not padding; without a padding token it refuses batches.
    pad_token_id: 0,
  }),
  ignores: isZeroBias,
}

/**
 * A model's sizes from the contents of config.json.
 *
 * @throws CheckpointError where a key is missing, has a wrong type, or asks for something that GPT here does not do
 */
export function toGPTConfig(json: unknown, where: string): GPTConfig {
  const result = schema.safeParse(json)
  if (!result.success) {
    const [{ path, message }] = result.error.issues
    throw new CheckpointError(`${where}: '${path.join('.')}' does not fit a GPT-2 model: ${message}`)
  }
  const config = result.data
  return {
    vocabularySize: config.vocab_size,
    contextLength: config.n_positions,
    layers: config.n_layer,
    heads: config.n_head,
    width: config.n_embd,
    innerWidth: config.n_inner ?? undefined,
    dropout: { embedding: config.embd_pdrop, attention: config.attn_pdrop, residual: config.resid_pdrop },
    bias: config.bias,
    activation: activationOf(config.activation_function, 'activation_function', where),
    epsilon: config.layer_norm_epsilon,
    tiedHead: config.tie_word_embeddings,
    deviation: config.initializer_range,
  }
}

function fromGPTConfig(config: GPTConfig): Record<string, unknown> {
  const { dropout = 0 } = config
  const places = typeof dropout === 'number' ? { embedding: dropout, attention: dropout, residual: dropout } : dropout
  return {
    model_type: 'gpt2',
    vocab_size: config.vocabularySize,
    n_positions: config.contextLength,
    n_ctx: config.contextLength,
    n_embd: config.width,
    n_layer: config.layers,
    n_head: config.heads,
    n_inner: config.innerWidth ?? null,
    activation_function: config.activation ?? 'gelu_new',
    embd_pdrop: places.embedding,
    attn_pdrop: places.attention,
    resid_pdrop: places.residual,
    layer_norm_epsilon: config.epsilon ?? 1e-5,
    initializer_range: config.deviation ?? 0.02,
    tie_word_embeddings: config.tiedHead ?? true,
    scale_attn_weights: true,
    scale_attn_by_inverse_layer_idx: false,
    use_cache: true,
    ...(config.bias === false ? { bias: false } : {}),
  }
}

/** The labels of a classifier in the order of its logits. @throws CheckpointError where config.json has none */
function labelsOf(json: unknown, where: string): string[] {
  const result = z.looseObject({ id2label: z.record(z.string(), z.string()) }).safeParse(json)
  if (!result.success) throw new CheckpointError(`${where}: a classifier needs id2label, the name of each label`)
  const names = Object.entries(result.data.id2label).sort(([a], [b]) => Number(a) - Number(b))
  return names.map(([, label]) => label)
}

/** @throws CheckpointError for a bias that is not zero in a model that has none: Python trained on */
function isZeroBias({ config }: GPTLike, name: string, data: Float32Array): boolean {
  if (config.bias !== false || !name.endsWith('.bias')) return false
  if (data.every((value) => value === 0)) return true
  throw new CheckpointError(
    `'${name}' is not zero, but config.json says that the model has no biases; set "bias" to true there`,
  )
}

/** The biases that Python expects of every GPT-2, all zero. */
function zeroBiases(model: GPTLike): NamedTensors {
  const zeros: [string, { shape: number[]; data: Float32Array }][] = []
  for (const [path, { shape }] of Object.entries(model.parameters())) {
    const layer = path.slice(0, -'.weight'.length)
    const hasBias = !/(wte|wpe|lm_head|score)$/.test(layer)
    // Conv1D weights are [in, out], those of norms [width]: the last size is the bias's.
    if (hasBias)
      zeros.push([
        `${layer}.bias`,
        { shape: [shape[shape.length - 1]], data: new Float32Array(shape[shape.length - 1]) },
      ])
  }
  return new Map(zeros)
}
