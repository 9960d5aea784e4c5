import type { Summary } from '@partway/client/contract'
import uPlot from 'uplot'
import { sizeText } from '../shared/figures.ts'

const HEIGHT_PX = 206

/** Draws `points`, at least two, as wide as `place` is and stays. Tells the index under the pointer. Returns how to take it away. */
export function plotBytes(
  place: HTMLElement,
  points: Summary['overTime'],
  onPoint: (index: number | null) => void,
): () => void {
  const colours = coloursOf(place)
  const axis: uPlot.Axis = {
    stroke: colours.quiet,
    font: '12px system-ui, sans-serif',
    grid: { stroke: colours.line, width: 1 },
    ticks: { show: false },
  }
  const plot = new uPlot(
    {
      width: Math.max(1, place.clientWidth),
      height: HEIGHT_PX,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7, fill: colours.stored } },
      scales: { y: { range: (_plot, _least, most) => [0, Math.max(1, most * 1.08)] } },
      axes: [
        { ...axis, size: 28, gap: 6, space: 70, grid: { show: false }, values: (_plot, moments) => moments.map(dayOf) },
        { ...axis, size: 62, gap: 6, splits: bytesSplits, values: (_plot, values) => values.map(sizeText) },
      ],
      series: [{}, { stroke: colours.stored, width: 1.5, fill: colours.fill, points: { show: false } }],
      hooks: { setCursor: [({ cursor }) => onPoint(cursor.idx ?? null)] },
    },
    [points.map(({ at }) => Date.parse(at) / 1000), points.map(({ bytes }) => bytes)],
    place,
  )
  const observer = new ResizeObserver(() => {
    if (place.clientWidth !== plot.width) plot.setSize({ width: Math.max(1, place.clientWidth), height: HEIGHT_PX })
  })
  observer.observe(place)
  return () => {
    observer.disconnect()
    plot.destroy()
  }
}

/** Three or four lines at round decimal sizes, as the numbers beside them are decimal. */
function bytesSplits(_plot: uPlot, _axis: number, _least: number, most: number): number[] {
  const rough = most / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step)
}

function dayOf(seconds: number): string {
  const moment = new Date(seconds * 1000)
  const isMidnight = moment.getHours() === 0 && moment.getMinutes() === 0
  return isMidnight
    ? moment.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })
    : moment.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
}

/** The stylesheet's colours as they are now. */
function coloursOf(place: HTMLElement): Record<'quiet' | 'line' | 'stored' | 'fill', string> {
  const probe = place.appendChild(document.createElement('span'))
  const read = (name: string) => {
    probe.style.color = `var(--${name})`
    return getComputedStyle(probe).color
  }
  const colours = { quiet: read('quiet'), line: read('line'), stored: read('stored'), fill: read('fill') }
  probe.remove()
  return colours
}
