import { CheckpointError } from '../../errors.js'
import type { Llama } from '../../models/index.js'
import type { Architecture, StoredTensor } from '../architecture.js'
import { halvesFromPairs } from '../coordinates.js'
import { llamaArchitecture, mistralArchitecture, qwen2Architecture, qwen3Architecture } from '../llama.js'
import type { GgufTensor } from './header.js'
import type { GgufMetadata } from './metadata.js'

/** How a `general.architecture` maps to a model. */
export interface GgufFamily {
  readonly architecture: Architecture<Llama>
  /** Whether queries and keys have the coordinates that belong together side by side, as the paper does. */
  readonly pairs: boolean
}

const llama: GgufFamily = { architecture: llamaArchitecture, pairs: true }
const mistral: GgufFamily = { architecture: mistralArchitecture, pairs: true }

const families: Readonly<Record<string, GgufFamily>> = {
  llama,
  mistral,
  qwen2: { architecture: qwen2Architecture, pairs: false },
  qwen3: { architecture: qwen3Architecture, pairs: false },
}

/** The family that a file's metadata names. @throws CheckpointError where it is none that is known */
export function findFamily(metadata: GgufMetadata, where: string): GgufFamily {
  const key = 'general.architecture'
  const name = metadata.required(key, metadata.text(key))
  const family = Object.hasOwn(families, name) ? families[name] : undefined
  if (family === undefined) {
    throw new CheckpointError(
      `${where}: the architecture '${name}' is not supported in GGUF; known are ${Object.keys(families).join(', ')}`,
    )
  }
  if ((metadata.number(`${name}.expert_count`) ?? 0) > 0) {
    throw new CheckpointError(`${where}: a mixture of experts is not supported`)
  }
  const parts = metadata.number('split.count') ?? 1
  if (parts > 1) {
    throw new CheckpointError(
      `${where}: is one of ${parts} parts of a model; join them with llama.cpp's llama-gguf-split`,
    )
  }
  // Mistral's files have Llama's name; one with a window cannot be anything else.
  return family === llama && metadata.number(`${name}.attention.sliding_window`) ? mistral : family
}

/** What a config.json would say of a GGUF file. @throws CheckpointError where a key is missing or does not fit */
export function configOf(
  metadata: GgufMetadata,
  tensors: ReadonlyMap<string, GgufTensor>,
  factors: StoredTensor | undefined,
  where: string,
): Record<string, unknown> {
  const name = metadata.required('general.architecture', metadata.text('general.architecture'))
  const number = (key: string) => metadata.number(`${name}.${key}`)
  const need = (key: string) => metadata.required(`${name}.${key}`, number(key))
  const [heads, width] = [need('attention.head_count'), need('embedding_length')]
  const headWidth = number('attention.key_length') ?? width / heads
  const turned = number('rope.dimension_count') ?? headWidth
  if (turned !== headWidth) {
    throw new CheckpointError(
      `${where}: rotary positions of ${turned} of a head's ${headWidth} coordinates are not supported`,
    )
  }
  const window = number('attention.sliding_window')
  return {
    vocab_size: tensors.get('token_embd.weight')?.shape[0] ?? number('vocab_size'),
    hidden_size: width,
    intermediate_size: need('feed_forward_length'),
    num_hidden_layers: need('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: number('attention.head_count_kv') ?? heads,
    head_dim: headWidth,
    max_position_embeddings: need('context_length'),
    rms_norm_eps: need('attention.layer_norm_rms_epsilon'),
    tie_word_embeddings: !tensors.has('output.weight'),
    attention_bias: tensors.has('blk.0.attn_q.bias') && name !== 'qwen2',
    mlp_bias: tensors.has('blk.0.ffn_gate.bias'),
    sliding_window: window || null,
    rope_theta: number('rope.freq_base') ?? 10_000,
    rope_scaling: scalingOf(metadata, name, factors),
  }
}

/** How positions are stretched, as config.json says it; factors of the frequencies, as Llama 3 has them, are a tensor. */
function scalingOf(metadata: GgufMetadata, name: string, factors: StoredTensor | undefined) {
  const number = (key: string) => metadata.number(`${name}.${key}`)
  const original = number('rope.scaling.original_context_length')
  if (factors !== undefined) {
    const list = [...factors.data]
    return { rope_type: 'longrope', short_factor: list, long_factor: list, attention_factor: 1 }
  }
  const type = metadata.text(`${name}.rope.scaling.type`) ?? 'none'
  if (type === 'none') return null
  return {
    rope_type: type,
    factor: number('rope.scaling.factor'),
    original_max_position_embeddings: original,
    beta_fast: number('rope.scaling.yarn_beta_fast'),
    beta_slow: number('rope.scaling.yarn_beta_slow'),
  }
}

/** GGUF's names of the parts of a layer, and ours. */
const layerParts: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  attn_q_norm: 'self_attn.q_norm',
  attn_k_norm: 'self_attn.k_norm',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
}

const otherParts: Readonly<Record<string, string>> = {
  token_embd: 'model.embed_tokens',
  output_norm: 'model.norm',
  output: 'lm_head',
}

/** The path in a checkpoint of a tensor in a GGUF file, or undefined where there is none. */
export function parameterName(stored: string): string | undefined {
  const [, layer, part, kind] = /^(?:blk\.(\d+)\.)?([a-z_]+)\.(weight|bias)$/.exec(stored) ?? []
  const parts = layer === undefined ? otherParts : layerParts
  if (part === undefined || !Object.hasOwn(parts, part)) return undefined
  return layer === undefined ? `${parts[part]}.${kind}` : `model.layers.${Number(layer)}.${parts[part]}.${kind}`
}

/** The values of queries' and keys' projections with each head's coordinates in halves; others as they are. */
export function inHalves(name: string, tensor: StoredTensor, headWidth: number): Float32Array {
  if (!/self_attn\.[qk]_proj\.(weight|bias)$/.test(name)) return tensor.data
  const [rows, ...rest] = tensor.shape
  return halvesFromPairs({ shape: [rows / headWidth, headWidth, ...rest], data: tensor.data }, 1)
}
