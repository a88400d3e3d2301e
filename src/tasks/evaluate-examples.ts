import { type Choice, readChoices } from '../data/choices.js'
import { type Relation, readRelations } from '../data/relations.js'
import { CheckpointError } from '../errors.js'
import type { Tensor } from '../graph/index.js'
import { checkTokenizer } from '../hub/check-tokenizer.js'
import { loadModel } from '../hub/checkpoint.js'
import { type DataSettings, readDataSettings } from '../hub/data-settings.js'
import {
  BertForMultipleChoice,
  BertForRelationClassification,
  type ChoiceModel,
  DistilBertForMultipleChoice,
  RobertaForMultipleChoice,
} from '../models/index.js'
import type { Module } from '../nn/index.js'
import { type Device, ProgramCache } from '../runtime/index.js'
import { loadTokenizer } from '../tokenizers/node.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { collect } from '../training/build/collect.js'
import { encodeChoices, mostChoices } from '../training/build/multiple-choice.js'
import { encodeRelations } from '../training/build/relation.js'
import { ExampleObjective, type ExampleTask } from '../training/objectives/examples.js'
import { MultipleChoice } from '../training/objectives/multiple-choice.js'
import { RelationClassification } from '../training/objectives/relation.js'
import { evaluateObjective } from '../training/trainer.js'
import type { TaskReport } from './evaluate.js'

/** Figures by name, `loss` among them. */
export type ExampleReport = TaskReport<Readonly<Record<string, number>>>

/**
 * Evaluates a model on questions with choices: the share of those where the right one scores highest.
 *
 * @param path a checkpoint or a training run
 * @param file see `readChoices`; columns are those of the training
 * @throws CheckpointError, TokenizerError, DataError for what is missing, damaged or does not fit
 */
export async function evaluateMultipleChoice(
  path: string,
  file: string,
  options: { device?: Device } = {},
): Promise<ExampleReport> {
  const opened = await open(path, isChoiceModel, 'multiple-choice')
  const questions: Choice[] = await collect(readChoices(file, opened.settings), file)
  const task = new MultipleChoice(opened.model, mostChoices(questions))
  return evaluateExamples(task, await encodeChoices(questions, { ...opened, ...opened.settings }), options)
}

/**
 * Evaluates a classifier of relations: accuracy and F1.
 *
 * @param path a checkpoint or a training run
 * @param file see `readRelations`; columns are those of the training
 * @throws CheckpointError, TokenizerError, DataError for what is missing, damaged or does not fit
 */
export async function evaluateRelation(
  path: string,
  file: string,
  options: { device?: Device } = {},
): Promise<ExampleReport> {
  const opened = await open(path, isRelationModel, 'relation')
  const relations: Relation[] = await collect(readRelations(file, opened.settings), file)
  const task = new RelationClassification(opened.model)
  return evaluateExamples(task, await encodeRelations(relations, { ...opened, ...opened.settings }), options)
}

/** Examples that are read at once. */
const batchSize = 16

async function evaluateExamples<Example>(
  task: ExampleTask<Example>,
  examples: readonly Example[],
  { device }: { device?: Device },
): Promise<ExampleReport> {
  const objective = new ExampleObjective(task, { train: examples, validation: examples, batchSize, seed: 0 })
  const programs = new ProgramCache<Record<string, Tensor>>(1)
  const { loss, metrics } = await evaluateObjective(objective, programs, device)
  programs.dispose()
  return { examples: examples.length, metrics: { loss, ...metrics } }
}

interface Opened<M> {
  readonly model: M
  readonly tokenizer: Tokenizer
  readonly settings: DataSettings
}

async function open<M extends ChoiceModel | BertForRelationClassification>(
  path: string,
  isSuitable: (model: Module) => model is Module & M,
  task: string,
): Promise<Opened<M>> {
  const { model, directory } = loadModel(path)
  if (!isSuitable(model)) {
    throw new CheckpointError(`${path}: ${task} needs a model trained for it, this is a ${model.constructor.name}`)
  }
  const tokenizer = await loadTokenizer(directory)
  checkTokenizer(tokenizer, model, directory)
  return { model, tokenizer, settings: readDataSettings(directory) }
}

function isChoiceModel(model: Module): model is Module & ChoiceModel {
  return [BertForMultipleChoice, RobertaForMultipleChoice, DistilBertForMultipleChoice].some(
    (family) => model instanceof family,
  )
}

function isRelationModel(model: Module): model is BertForRelationClassification {
  return model instanceof BertForRelationClassification
}
