/** A curve. */
export interface Chart {
  readonly title: string
  /** What the horizontal axis counts. */
  readonly axis: string
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

const width = 340
const height = 260
const fontSize = 12
/** Around the curve, for title and labels. */
const margin = { left: 56, right: 20, top: 36, bottom: 44 }
/** Lines across a chart, about. */
const gridLines = 5
/** Labels of the horizontal axis are at least so far apart. */
const leastGap = 30

/**
 * Charts side by side as an SVG, with axes that begin at 0.
 *
 * @param charts each with at least two points of rising x above 0
 */
export function drawCharts(charts: readonly Chart[]): string {
  const all = charts.length * width
  const drawn = charts.map((chart, i) => `<g transform="translate(${i * width} 0)">\n${drawChart(chart)}\n</g>`)
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${all}" height="${height}" viewBox="0 0 ${all} ${height}" font-family="system-ui, sans-serif" font-size="${fontSize}">
<rect width="${all}" height="${height}" fill="#fff"/>
${drawn.join('\n')}
</svg>
`
}

function drawChart({ title, axis, points }: Chart): string {
  const last = points[points.length - 1].x
  const highest = Math.max(...points.map(({ y }) => y))
  const step = roundStep(highest / gridLines)
  const top = step * Math.ceil(highest / step)
  const right = width - margin.right
  const bottom = height - margin.bottom
  const placeX = (x: number) => margin.left + (x / last) * (right - margin.left)
  const placeY = (y: number) => bottom - (y / top) * (bottom - margin.top)
  const grid = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step).map((y) => {
    const line = `<line x1="${margin.left}" x2="${right}" y1="${short(placeY(y))}" y2="${short(placeY(y))}" stroke="#ddd"/>`
    return line + label(String(short(y)), { x: margin.left - 8, y: placeY(y), anchor: 'end' })
  })
  const ticks = labelled(points.map(({ x }) => ({ text: String(x), x: placeX(x) }))).map(({ text, x }) =>
    label(text, { x, y: bottom + 16, anchor: 'middle' }),
  )
  const places = points.map(({ x, y }) => `${short(placeX(x))},${short(placeY(y))}`)
  const dots = points.map(({ x, y }, i) => {
    const [cx, cy] = places[i].split(',')
    return `<circle cx="${cx}" cy="${cy}" r="3" fill="#08519c"><title>${x}: ${short(y)}</title></circle>`
  })
  return [
    label(title, { x: margin.left, y: 18, anchor: 'start' }),
    label(axis, { x: (margin.left + right) / 2, y: height - 10, anchor: 'middle' }),
    ...[...grid, ...ticks],
    `<polyline points="${places.join(' ')}" fill="none" stroke="#08519c" stroke-width="2"/>`,
    ...dots,
  ].join('\n')
}

/** Those of some labels from left to right that have room, the last one first. */
function labelled<Label extends { readonly x: number }>(labels: readonly Label[]): Label[] {
  const kept: Label[] = []
  for (const each of labels.toReversed()) {
    if (kept.length === 0 || kept[0].x - each.x >= leastGap) kept.unshift(each)
  }
  return kept
}

/** The smallest of 1, 2, 5, 10, 20 … (and their tenths) that is not below a number. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5].find((digit) => digit * power >= least) ?? 10)
}

function label(text: string, { x, y, anchor }: { x: number; y: number; anchor: 'start' | 'middle' | 'end' }): string {
  return `<text x="${short(x)}" y="${short(y)}" text-anchor="${anchor}" dominant-baseline="central" fill="#333">${text}</text>`
}

/** A number to three figures and no more digits than that takes. */
function short(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}
