import type { AttentionMap } from './attention-map.js'

const cell = 24
const fontSize = 13
/** Width of a character in a proportional font, about; those of Chinese are twice as wide. */
const characterWidth = 7.5
const margin = 12

/** An attention map as a picture: a row for each token that attends, a column for each that is attended to. */
export function drawAttention({ rows, columns, weights, layer, head }: AttentionMap): string {
  const left = margin + widest(rows)
  const top = 2 * margin + fontSize + widest(columns)
  const width = left + columns.length * cell + margin
  const height = top + rows.length * cell + margin
  const title = `layer ${layer}, ${head === 'mean' ? 'mean of all heads' : `head ${head}`}`
  const cells = weights.flatMap((row, i) => row.map((weight, j) => square(weight, left + j * cell, top + i * cell)))
  const rowLabels = rows.map((text, i) => label(text, left - 6, top + (i + 0.5) * cell, 'end'))
  const columnLabels = columns.map((text, j) => turned(text, left + (j + 0.5) * cell, top - 6))
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="${fontSize}">
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${margin}" y="${margin + fontSize}" fill="#666">${title}</text>
${[...columnLabels, ...rowLabels, ...cells].join('\n')}
</svg>
`
}

function square(weight: number, x: number, y: number): string {
  const title = `<title>${weight.toFixed(3)}</title>`
  return `<rect x="${x}" y="${y}" width="${cell - 1}" height="${cell - 1}" fill="#08519c" fill-opacity="${weight.toFixed(3)}" stroke="#ddd" stroke-width="0.5">${title}</rect>`
}

function label(text: string, x: number, y: number, anchor: 'start' | 'end'): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" dominant-baseline="central">${escaped(text)}</text>`
}

function turned(text: string, x: number, y: number): string {
  return `<text transform="translate(${x} ${y}) rotate(-90)" dominant-baseline="central">${escaped(text)}</text>`
}

function widest(texts: readonly string[]): number {
  const wide = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]/u
  const widthOf = (text: string) => [...text].reduce((sum, character) => sum + (wide.test(character) ? 2 : 1), 0)
  return Math.ceil(Math.max(1, ...texts.map(widthOf)) * characterWidth) + margin
}

/** White space shows as a sign; what has a meaning in SVG is escaped, and what may not be there replaced. */
function escaped(text: string): string {
  const visible = text.replace(/\n/g, '⏎').replace(/\t/g, '⇥').replace(/^ | $/g, '␣')
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return visible.replace(/[\p{Cc}\ufffe\uffff]/gu, '\uFFFD').replace(/[&<>"]/g, (sign) => entities[sign])
}
