/**
 * The hot loops of Heddle that are not graphs, compiled to one WebAssembly module with an imported memory.
 *
 * Conventions of every kernel: a pointer is a byte address in the imported memory, `n` counts elements, arrays are
 * contiguous and little-endian. No kernel allocates, and none checks its arguments: `src/runtime/kernels.ts` does.
 */
export { adamw } from './adamw'
export { adamwRows } from './adamwRows'
export { dropoutMask } from './dropoutMask'
export { fill } from './fill'
export { sumOfSquares } from './sumOfSquares'
