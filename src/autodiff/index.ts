export { type Gradient, RowGradient, toDense } from './gradient.js'
export { type GradientOptions, type GradientsOf, gradients, type Variables } from './gradients.js'
