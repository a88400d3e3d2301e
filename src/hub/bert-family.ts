import { z } from 'zod'
import { CheckpointError } from '../errors.js'
import type { ClassificationProblem } from '../models/index.js'
import type { Module } from '../nn/index.js'
import type { Architecture } from './architecture.js'

/** A head with what its config.json says beyond the body's sizes. */
export interface Head<M extends Module, Config> {
  /** `architectures` in config.json. */
  readonly name: string
  /** The model's class. */
  readonly model: abstract new (
    ...args: never[]
  ) => M
  /** Builds the model. */
  create(config: Config, json: unknown, where: string): M
  /** Keys of config.json beside the body's sizes. */
  describe?(model: M): Record<string, unknown>
}

/** What the heads of one family share. */
export interface Family<Config> {
  readonly modelType: string
  /** The path of the body in a model with a head, and of the heads' parts beside it. */
  readonly body: string
  readonly heads: readonly string[]
  /** The sizes in a config.json. @throws CheckpointError where it describes another kind of model */
  toModelConfig(json: unknown, where: string): Config
  /** The config.json of sizes. */
  fromModelConfig(config: Config): Record<string, unknown>
}

/** The checkpoint format of one head of a family of encoders. */
export function headArchitecture<M extends Module & { readonly config: Config }, Config>(
  family: Family<Config>,
  head: Head<M, Config>,
): Architecture<M> {
  const known = new RegExp(`^(${[family.body, ...family.heads].join('|')})\\.`)
  return {
    ...common(family, head),
    parameterName(stored) {
      const name = currentName(stored)
      return name === undefined || known.test(name) ? name : `${family.body}.${name}`
    },
  }
}

/** The checkpoint format of a family's body alone, whose parameters have no prefix. */
export function bodyArchitecture<M extends Module & { readonly config: Config }, Config>(
  family: Family<Config>,
  body: Head<M, Config>,
): Architecture<M> {
  const prefix = `${family.body}.`
  return {
    ...common(family, body),
    parameterName(stored) {
      const name = currentName(stored)
      return name?.startsWith(prefix) ? name.slice(prefix.length) : name
    },
  }
}

function common<M extends Module & { readonly config: Config }, Config>(
  family: Family<Config>,
  { name, model, create, describe }: Head<M, Config>,
): Omit<Architecture<M>, 'parameterName'> {
  return {
    name,
    modelType: family.modelType,
    generates: false,
    create: (json, where) => create(family.toModelConfig(json, where), json, where),
    owns: (candidate): candidate is M => candidate instanceof model,
    toConfig: (made) => ({
      architectures: [name],
      model_type: family.modelType,
      ...family.fromModelConfig(made.config),
      ...describe?.(made),
    }),
    extraTensors: () => new Map(),
    ignores: () => false,
  }
}

/** A tensor's name today, or undefined where it holds nothing: constants, and copies of tied weights. */
function currentName(stored: string): string | undefined {
  if (/(^|\.)embeddings\.(position_ids|token_type_ids)$/.test(stored)) return undefined
  if (/^(cls\.predictions|lm_head)\.decoder\.(weight|bias)$|^vocab_projector\.weight$/.test(stored)) return undefined
  // The names of checkpoints that came from TensorFlow.
  return stored.replace(/\.gamma$/, '.weight').replace(/\.beta$/, '.bias')
}

/** Checks a config.json. @throws CheckpointError naming the first key that does not fit */
export function parseConfig<T>(
  schema: z.ZodType<T>,
  json: unknown,
  { family, where }: Record<'family' | 'where', string>,
): T {
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const [{ path, message }] = result.error.issues
  throw new CheckpointError(`${where}: '${path.join('.')}' does not fit a ${family} model: ${message}`)
}

const labelSchema = z.looseObject({
  id2label: z.record(z.string(), z.string()).nullish(),
  problem_type: z.enum(['single_label_classification', 'multi_label_classification', 'regression']).nullish(),
})

/** The labels of a classifier in the order of its logits; without any it has Hugging Face's two, LABEL_0 and LABEL_1. */
export function labelsOf(json: unknown, where: string): string[] {
  const { id2label } = parseConfig(labelSchema, json, { family: 'classification', where })
  const names = Object.entries(id2label ?? { 0: 'LABEL_0', 1: 'LABEL_1' }).sort(([a], [b]) => Number(a) - Number(b))
  return names.map(([, label]) => label)
}

/** What a classifier's logits mean; where config.json does not say, one label is a number, more exclude each other. */
export function problemOf(json: unknown, where: string): ClassificationProblem {
  const { problem_type } = parseConfig(labelSchema, json, { family: 'classification', where })
  return problem_type ?? (labelsOf(json, where).length === 1 ? 'regression' : 'single_label_classification')
}

/** A classifier's labels for config.json. */
export function describeLabels({ labels }: { readonly labels: readonly string[] }): Record<string, unknown> {
  return {
    id2label: Object.fromEntries(labels.map((label, id) => [id, label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
  }
}

/** A sequence classifier's labels and problem for config.json. */
export function describeClassifier(
  model: Readonly<{ labels: readonly string[]; problem: ClassificationProblem }>,
): Record<string, unknown> {
  return { problem_type: model.problem, ...describeLabels(model) }
}

/** @throws CheckpointError where the output of a language model does not share the word embeddings */
export function expectTied(json: unknown, where: string): void {
  const schema = z.looseObject({ tie_word_embeddings: z.literal(true).default(true) })
  parseConfig(schema, json, { family: 'masked language', where })
}
