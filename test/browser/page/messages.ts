import type { TrainingRun } from '../training-run.js'

/** What the page asks its worker for. */
export type Request = { readonly type: 'train'; readonly steps?: number } | { readonly type: 'stop' }

/** What the worker tells its page. */
export type Reply =
  | { readonly type: 'step'; readonly step: number }
  | { readonly type: 'result'; readonly run: TrainingRun }
  | { readonly type: 'error'; readonly message: string }
