import { ShapeError } from '../errors.js'
import { formatShape } from './dimension.js'
import type { Lowering, OnnxAttributes, OnnxDomain, Value } from './lowering.js'
import { Tensor, type TensorType } from './tensor.js'

/** Inputs of an operation; an optional one may be undefined. */
export type Operands = readonly (Tensor | undefined)[]

/** The gradient of one row-indexed table: row `ids[i]` gets `rows[i]` added, duplicates included. */
export class Rows {
  /**
   * @param ids int64 of any shape [...]
   * @param rows float32 [..., width]
   */
  constructor(
    readonly ids: Tensor,
    readonly rows: Tensor,
  ) {}
}

/** What a gradient rule gives for one input: a tensor, sparse rows, or null where nothing flows. */
export type InputGradient = Tensor | Rows | null

/** ONNX values in the places of an operation's inputs. */
type ValuesOf<I extends Operands> = { readonly [K in keyof I]: Value }

/** One gradient per input. */
type GradientsOf<I extends Operands> = { readonly [K in keyof I]: InputGradient }

/** Either a gradient rule, or null and the reason why there is none. */
type Differentiation<Rule> = { readonly gradient: Rule } | { readonly gradient: null; readonly because: string }

/** An operation with one output, defined whole in one place. See {@link defineOperation}. */
export type OperationDefinition<I extends Operands, A> = {
  /** ONNX's name where there is one. */
  readonly name: string
  /** The output's dtype and shape; throws ShapeError where the inputs do not fit. */
  readonly type: (inputs: I, attributes: A) => TensorType
  /** Writes the ONNX nodes that compute it. */
  readonly lower: (graph: Lowering, inputs: ValuesOf<I>, attributes: A, types: { inputs: I; output: Tensor }) => Value
} & Differentiation<(inputs: I, output: Tensor, outputGradient: Tensor, attributes: A) => GradientsOf<I>>

/** An operation with several outputs. See {@link defineOperationWithOutputs}. */
export type MultipleOutputDefinition<I extends Operands, A> = {
  readonly name: string
  readonly type: (inputs: I, attributes: A) => readonly TensorType[]
  readonly lower: (graph: Lowering, inputs: ValuesOf<I>, attributes: A) => readonly Value[]
} & Differentiation<
  (
    inputs: I,
    outputs: readonly Tensor[],
    outputGradients: readonly (Tensor | undefined)[],
    attributes: A,
  ) => GradientsOf<I>
>

/** An operation of any kind, as compilers and autodiff see it. */
export interface Operation {
  readonly name: string
  lower(graph: Lowering, inputs: readonly Value[], application: Application): readonly Value[]
  /** One gradient per input, or the reason why there is none. */
  gradient(
    application: Application,
    outputGradients: readonly (Tensor | undefined)[],
  ): readonly InputGradient[] | string
}

/** One use of an operation. */
export interface Application {
  readonly operation: Operation
  readonly inputs: Operands
  readonly attributes: unknown
  readonly outputs: Tensor[]
}

/** The function that applies an operation: inputs first, then the attributes where it has any. */
export type Operator<I extends Operands, A = undefined, Result = Tensor> = (...args: Arguments<I, A>) => Result

/** Arguments of an operation's function: its inputs, then its attributes where it has any. */
type Arguments<I extends Operands, A> = [A] extends [undefined] ? [...inputs: I] : [...inputs: I, attributes: A]

/**
 * Defines an operation once: its shape rule, how it becomes ONNX, and its gradient (or null with the reason).
 *
 * @returns the function that applies it: inputs first, then the attributes
 */
export function defineOperation<I extends Operands, A = undefined>(
  definition: OperationDefinition<I, A>,
): Operator<I, A> {
  const { name, gradient } = definition
  const operation = erase<I, A>({
    name,
    lower: (graph, values, { inputs, attributes, outputs }) => [
      definition.lower(graph, values, attributes, { inputs, output: outputs[0] }),
    ],
    gradient: ({ inputs, attributes, outputs }, [outputGradient]) =>
      gradient === null ? definition.because : gradient(inputs, outputs[0], outputGradient!, attributes),
  })
  return (...args) => {
    const [inputs, attributes] = splitArguments<I, A>(args)
    return apply(operation, inputs, attributes, [definition.type(inputs, attributes)])[0]
  }
}

/**
 * Defines an operation with several outputs; as {@link defineOperation}, with arrays in the outputs' places.
 * The gradient of an output that nothing depends on is undefined.
 */
export function defineOperationWithOutputs<I extends Operands, A = undefined>(
  definition: MultipleOutputDefinition<I, A>,
): Operator<I, A, Tensor[]> {
  const { name, gradient } = definition
  const operation = erase<I, A>({
    name,
    lower: (graph, values, { attributes }) => definition.lower(graph, values, attributes),
    gradient: ({ inputs, attributes, outputs }, outputGradients) =>
      gradient === null ? definition.because : gradient(inputs, outputs, outputGradients, attributes),
  })
  return (...args) => {
    const [inputs, attributes] = splitArguments<I, A>(args)
    return apply(operation, inputs, attributes, definition.type(inputs, attributes))
  }
}

/** A `lower` that is one ONNX node with the same inputs. */
export function onnx<A>(operator: string, attributes?: (attributes: A) => OnnxAttributes, domain: OnnxDomain = '') {
  return (graph: Lowering, inputs: readonly Value[], given: A): Value =>
    graph.node(operator, inputs, attributes?.(given), domain)
}

/** Checks a shape rule's precondition. @throws ShapeError with the operation's name and its inputs' types */
export function expectShape(
  condition: boolean,
  operation: string,
  inputs: Operands,
  expected: string,
): asserts condition {
  if (condition) return
  const given = inputs.map((tensor) => (tensor ? `${tensor.dtype}${formatShape(tensor.shape)}` : 'none')).join(', ')
  throw new ShapeError(`${operation}: expected ${expected}, got ${given}`)
}

/** An application whose inputs and attributes still have their types. */
interface TypedApplication<I extends Operands, A> {
  readonly inputs: I
  readonly attributes: A
  readonly outputs: Tensor[]
}

interface TypedOperation<I extends Operands, A> {
  readonly name: string
  lower(graph: Lowering, inputs: ValuesOf<I>, application: TypedApplication<I, A>): readonly Value[]
  gradient(
    application: TypedApplication<I, A>,
    outputGradients: readonly (Tensor | undefined)[],
  ): readonly InputGradient[] | string
}

/** Forgets the types of inputs and attributes: sound because only `apply` below pairs an operation with its inputs. */
function erase<I extends Operands, A>(operation: TypedOperation<I, A>): Operation {
  return operation as unknown as Operation
}

function splitArguments<I extends Operands, A>(args: Arguments<I, A>): [I, A] {
  const last: unknown = args.at(-1)
  const hasAttributes = last !== undefined && !(last instanceof Tensor)
  return (hasAttributes ? [args.slice(0, -1), last] : [args, undefined]) as unknown as [I, A]
}

function apply(operation: Operation, inputs: Operands, attributes: unknown, types: readonly TensorType[]): Tensor[] {
  const application: Application = { operation, inputs, attributes, outputs: [] }
  for (const type of types) application.outputs.push(new Tensor(type, operation.name, application))
  return application.outputs
}
