import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError, UsageError } from '../errors.js'
import { averageCheckpoints } from '../hub/average-checkpoints.js'
import { loadModel, saveModel } from '../hub/checkpoint.js'
import { type DataSettings, writeDataSettings } from '../hub/data-settings.js'
import { makeFolder, readTextFile, writeFileAtomically } from '../hub/files.js'
import { type RunState, readRun, writeRun } from '../hub/run-directory.js'
import { lockRun } from '../hub/run-lock.js'
import type { Device } from '../runtime/index.js'
import { sourceTokenizerFolder } from '../tokenizers/node.js'
import { saveTokenizer } from '../tokenizers/save.js'
import { availableMemory } from './available-memory.js'
import { type BuildOptions, build, type Ingredients } from './build.js'
import {
  type BestEvaluation,
  type Checkpoint,
  type FitOptions,
  type FitProgress,
  type FitResult,
  fit,
  isBetter,
} from './fit.js'
import { checkMemory } from './memory-check.js'
import { MetricsLog } from './metrics-log.js'
import { layerRates } from './rates.js'
import { parseRecipe, type Recipe, recipeToYaml } from './recipe.js'
import { makeSampler, type Sample, type Sampler } from './sampler.js'
import { Trainer } from './trainer.js'
import { restoreTrainingState, saveTrainingState } from './training-state.js'

/** What to train and where to. */
export interface TrainingRunOptions {
  readonly recipe: Recipe
  /** The run's directory, made where it is missing. */
  readonly directory: string
  /** Go on with the run that the directory holds; with none there, start one. */
  readonly resume?: boolean
  readonly device?: Device
  /** Ends the training cleanly, with a checkpoint. */
  readonly signal?: AbortSignal
  readonly onTokenize?: BuildOptions['onTokenize']
  readonly onWarning?: BuildOptions['onWarning']
  readonly download?: BuildOptions['download']
  readonly onStart?: (run: Ingredients & { readonly parameters: number; readonly step: number }) => void
  readonly onStep?: (progress: FitProgress) => void
  readonly onEvaluate?: (progress: FitProgress) => void
  readonly onSample?: (sample: Sample) => void
  readonly onAverage?: (average: AverageReport) => void
}

/** What the mean of the last checkpoints is worth. */
export interface AverageReport {
  /** How many they are. */
  readonly checkpoints: number
  /** Absent where there is nothing to validate on. */
  readonly evaluation: BestEvaluation | undefined
  /** Whether it is the run's result. */
  readonly isBest: boolean
}

/** How a run ended. */
export interface TrainingRunResult {
  readonly steps: number
  readonly seconds: number
  readonly tokensPerSecond: number
  readonly trainLoss: number
  /** Absent where there is nothing to validate on. */
  readonly validationLoss?: number
  /** What the objective measures beside the loss, at the best evaluation. */
  readonly metrics?: Readonly<Record<string, number>>
  readonly parameters: number
  /** The best checkpoint's directory where there is validation data, else the last one's. */
  readonly checkpoint: string
  /** Whether it was stopped before its end, to be resumed. */
  readonly interrupted?: boolean
}

/**
 * Trains what a recipe says. The directory gets `recipe.yaml`, `run.json` (status, best and last checkpoint), the log
 * `metrics.jsonl` with TensorBoard's event file, and checkpoints `checkpoint-STEP`, each a Hugging Face directory with the
 * training state beside. A run that was killed at any moment and is resumed ends as if it had not been.
 *
 * @throws UsageError where the directory holds a run already and `resume` is not set, or another process trains there;
 * errors of the data, the recipe, the checkpoint; TrainingError where the loss stops being a number
 */
export async function runRecipe(options: TrainingRunOptions): Promise<TrainingRunResult> {
  const { recipe, directory, onTokenize, onWarning, download } = options
  const earlier = readRun(directory)
  if (earlier !== undefined && !options.resume) {
    throw new UsageError(
      `${directory} already holds a training run: continue it with --resume, or choose another --out`,
    )
  }
  if (earlier?.status === 'finished' && earlier.result !== undefined) {
    return { ...earlier.result, checkpoint: checkpointPath(directory, earlier) }
  }
  const checkpoint = earlier?.last === undefined ? undefined : join(directory, earlier.last)
  if (checkpoint !== undefined) checkSameRun(directory, recipe)
  const ingredients = await build({ recipe, checkpoint, onTokenize, onWarning, download })
  makeFolder(directory)
  const unlock = lockRun(directory)
  try {
    return await new Run(options, ingredients, earlier).train(checkpoint)
  } finally {
    unlock()
  }
}

class Run {
  readonly #options: TrainingRunOptions
  readonly #ingredients: Ingredients
  readonly #trainer: Trainer
  readonly #parameters: number
  readonly #sampler: Sampler | undefined
  #state: RunState
  #log: MetricsLog | undefined

  constructor(options: TrainingRunOptions, ingredients: Ingredients, earlier: RunState | undefined) {
    const { train } = options.recipe
    const { model, objective } = ingredients
    const parameters = model.parameters()
    checkMemory({ ...train, parameters, objective, available: availableMemory() })
    this.#options = options
    this.#ingredients = ingredients
    const rateOf = layerRates(Object.keys(parameters), train)
    this.#trainer = new Trainer(parameters, objective, { ...train, device: options.device, rateOf })
    this.#parameters = Object.values(parameters).reduce((sum, { size }) => sum + size, 0)
    this.#sampler = makeSampler(ingredients, options.recipe)
    this.#state = { ...earlier, status: 'running' }
  }

  async train(checkpoint: string | undefined): Promise<TrainingRunResult> {
    const { directory, signal, onStart } = this.#options
    const earlier = checkpoint === undefined ? undefined : restoreTrainingState(checkpoint, this.#trainer)
    this.#prepare()
    const step = this.#trainer.steps
    this.#log = new MetricsLog(directory, step)
    onStart?.({ ...this.#ingredients, parameters: this.#parameters, step })
    try {
      const result = await fit(this.#trainer, this.#fitOptions(), {
        onStep: (progress) => this.#onStep(progress),
        onEvaluate: (progress) => this.#onEvaluate(progress),
        onCheckpoint: (state) => this.#checkpoint(state),
        signal,
        best: bestOf(this.#state),
        earlier,
      })
      if (!result.interrupted) await this.#average()
      return this.#finish(result)
    } catch (error) {
      this.#write({ ...this.#state, status: 'failed' })
      throw error
    } finally {
      this.#trainer.dispose()
      await this.#sampler?.dispose()
      await this.#ingredients.objective.dispose?.()
    }
  }

  #prepare(): void {
    const { directory, recipe } = this.#options
    for (const name of readdirSync(directory)) {
      if (name.startsWith(temporaryPrefix)) rmSync(join(directory, name), { recursive: true })
    }
    writeFileAtomically(join(directory, recipeFile), recipeToYaml(recipe))
    this.#write(this.#state)
  }

  #fitOptions(): FitOptions {
    const { steps, epochs, minutes, ...train } = this.#options.recipe.train
    if (minutes !== undefined) return { ...train, duration: { minutes } }
    const perEpoch = this.#ingredients.objective.batchesPerEpoch / train.accumulate
    return { ...train, duration: { steps: steps ?? Math.max(1, Math.round((epochs ?? 1) * perEpoch)) } }
  }

  #onStep(progress: FitProgress): void {
    const { step, loss, learningRate, gradientNorm, tokensPerSecond } = progress
    if (step === 1 || step % this.#options.recipe.train.logEvery === 0) {
      const memory = process.memoryUsage.rss()
      this.#log?.add({ step, loss, learningRate, gradientNorm, tokensPerSecond, memory })
    }
    this.#options.onStep?.(progress)
  }

  async #onEvaluate(progress: FitProgress): Promise<void> {
    this.#options.onEvaluate?.(progress)
    const samples = await this.#sampler?.write()
    for (const sample of samples ?? []) this.#options.onSample?.(sample)
    const { step, validationLoss, metrics } = progress
    this.#log?.add({ step, validationLoss, metrics, samples: samples?.map(({ prompt, text }) => ({ prompt, text })) })
  }

  /** Saves the present state aside and renames it into place, then points to it, then removes what nothing points to. */
  #checkpoint({ step, best: evaluation, ...state }: Checkpoint): void {
    const { directory } = this.#options
    const { model, tokenizer, sourceTokenizer, chatTemplate } = this.#ingredients
    const { contextLength } = model.config
    const name = `checkpoint-${step}`
    const aside = join(directory, `${temporaryPrefix}${name}`)
    makeFolder(aside)
    saveTokenizer(aside, tokenizer, { contextLength, chatTemplate })
    if (sourceTokenizer !== undefined) {
      makeFolder(join(aside, sourceTokenizerFolder))
      saveTokenizer(join(aside, sourceTokenizerFolder), sourceTokenizer, { contextLength })
    }
    saveTrainingState(aside, this.#trainer, state)
    writeDataSettings(aside, dataSettings(this.#options.recipe))
    saveModel(aside, model, { eosTokenId: tokenizer.eosTokenId })
    rmSync(join(directory, name), { recursive: true, force: true })
    renameSync(aside, join(directory, name))
    const { validationLoss, metrics } = evaluation ?? {}
    const best = evaluation === undefined ? {} : { best: name, bestLoss: validationLoss, bestMetrics: metrics }
    this.#write({ ...this.#state, last: name, ...best })
    this.#removeOld()
  }

  /** Keeps the best checkpoint, the newest ones and those that there will be a mean of. */
  #removeOld(): void {
    const { directory, recipe } = this.#options
    const names = this.#checkpoints()
    const { best, last } = this.#state
    const needed = new Set([best, last, ...names.slice(0, recipe.train.keep), ...this.#toAverage()])
    for (const name of names) if (!needed.has(name)) rmSync(join(directory, name), { recursive: true })
  }

  /** The checkpoints that there are, the newest first. */
  #checkpoints(): string[] {
    const steps = readdirSync(this.#options.directory).map((name) => /^checkpoint-(\d+)$/.exec(name)?.[1])
    const known = steps.filter((step) => step !== undefined).map(Number)
    return known.sort((a, b) => b - a).map((step) => `checkpoint-${step}`)
  }

  /**
   * The newest of the checkpoints that are made at regular steps, and the last one: not those of an interruption or of a good
   * evaluation, so that a run that was resumed has the mean of the same ones.
   */
  #toAverage(): string[] {
    const { average = 0, checkpointEvery } = this.#options.recipe.train
    const isRegular = (name: string) => Number(name.slice('checkpoint-'.length)) % checkpointEvery === 0
    return this.#checkpoints()
      .filter((name) => name === this.#state.last || isRegular(name))
      .slice(0, average)
  }

  /** Makes a checkpoint of the mean of the last ones, which is the run's result where it is better than any. */
  async #average(): Promise<void> {
    const { directory, recipe, onAverage } = this.#options
    const names = this.#toAverage()
    if (names.length < 2) return
    const aside = join(directory, `${temporaryPrefix}${averageName}`)
    averageCheckpoints(
      names.reverse().map((name) => join(directory, name)),
      aside,
    )
    const evaluation = await this.#evaluate(aside)
    rmSync(join(directory, averageName), { recursive: true, force: true })
    renameSync(aside, join(directory, averageName))
    const step = this.#trainer.steps
    this.#log?.add({ step, averaged: names.length, ...evaluation })
    const isBest = evaluation === undefined || isBetter(evaluation, bestOf(this.#state), recipe.train.metric)
    onAverage?.({ checkpoints: names.length, evaluation, isBest })
    if (!isBest) return
    const { validationLoss, metrics } = evaluation ?? {}
    this.#write({ ...this.#state, best: averageName, bestLoss: validationLoss, bestMetrics: metrics })
  }

  /** Puts the weights of a checkpoint into the model and evaluates them. */
  async #evaluate(checkpoint: string): Promise<BestEvaluation | undefined> {
    const weights = loadModel(checkpoint).model.parameters()
    for (const [name, { data }] of Object.entries(this.#ingredients.model.parameters())) {
      const values = weights[name].data
      if (values !== undefined) data?.set(values)
    }
    const evaluation = await this.#trainer.evaluate()
    return evaluation && { validationLoss: evaluation.loss, metrics: evaluation.metrics }
  }

  #finish({ interrupted, ...result }: FitResult): TrainingRunResult {
    const finished = { ...result, ...bestOf(this.#state), parameters: this.#parameters }
    const checkpoint = checkpointPath(this.#options.directory, this.#state)
    if (interrupted) {
      this.#write({ ...this.#state, status: 'stopped' })
      return { ...finished, checkpoint, interrupted }
    }
    this.#write({ ...this.#state, status: 'finished', result: finished })
    return { ...finished, checkpoint }
  }

  #write(state: RunState): void {
    this.#state = state
    writeRun(this.#options.directory, state)
  }
}

const temporaryPrefix = '.tmp-'
const averageName = 'checkpoint-average'
const recipeFile = 'recipe.yaml'

/** @throws ConfigError where a run that is resumed was started with another model, tokenizer or objective */
function checkSameRun(directory: string, recipe: Recipe): void {
  const path = join(directory, recipeFile)
  if (!existsSync(path)) return
  const started = parseRecipe(readTextFile(path), path)
  for (const part of ['model', 'tokenizer', 'objective'] as const) {
    if (JSON.stringify(started[part]) === JSON.stringify(recipe[part])) continue
    throw new ConfigError(
      `${directory}: this run was started with another ${part} than the recipe's; resume it with ${path}, or choose another --out`,
    )
  }
}

/** How the data was read, with what chance decided. */
function dataSettings({ data, train }: Recipe): DataSettings {
  return data.split === undefined ? data : { ...data, splitSeed: data.splitSeed ?? train.seed }
}

/** The best evaluation so far. */
function bestOf({ bestLoss, bestMetrics }: RunState): BestEvaluation | undefined {
  return bestLoss === undefined ? undefined : { validationLoss: bestLoss, metrics: bestMetrics }
}

/** The checkpoint to use: the best, else the last. */
function checkpointPath(directory: string, { best, last }: RunState): string {
  return join(directory, best ?? last ?? '')
}
