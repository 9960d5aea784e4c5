/** What a strip shows of one file: which parts are stored, and how much of the others is on its way. */
export interface StripPicture {
  sizeBytes: number
  partSizeBytes: number
  partCount: number
  isStored(partNumber: number): boolean
  sentBytes(partNumber: number): number
  /** `resting`: nothing moves. `done`: all of it is there. */
  mood: 'moving' | 'resting' | 'done'
}

/** A file's parts in a row, each as wide as it is long; where a part is finer than a pixel, a pixel is as full as its parts are. */
export interface PartsStrip {
  draw(picture: StripPicture): void
}

/** Draws on `canvas` in the colours of the stylesheet. Sizes come from an observer, so that drawing never makes the browser measure. */
export function createPartsStrip(canvas: HTMLCanvasElement): PartsStrip {
  let last: StripPicture | undefined
  sizes.watch(canvas, () => last && paint(canvas, last))
  return {
    draw(picture) {
      last = picture
      paint(canvas, picture)
    },
  }
}

/** One observer for all strips. */
const sizes = (() => {
  const redraws = new WeakMap<Element, () => void>()
  const observer = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      if (!(target instanceof HTMLCanvasElement) || contentRect.width === 0) continue
      target.width = Math.round(contentRect.width * devicePixelRatio)
      target.height = Math.round(contentRect.height * devicePixelRatio)
      redraws.get(target)?.()
    }
  })
  return {
    watch(canvas: HTMLCanvasElement, redraw: () => void) {
      redraws.set(canvas, redraw)
      observer.observe(canvas)
    },
  }
})()

/** A gap between parts is drawn where each is at least this many pixels wide. */
const MIN_GAP_WIDTH = 4

function paint(canvas: HTMLCanvasElement, picture: StripPicture): void {
  const context = canvas.getContext('2d')
  if (!context) return
  const { width, height } = canvas
  const colours = stripColours()
  context.fillStyle = colours.empty
  context.fillRect(0, 0, width, height)
  const stored = { moving: colours.stored, resting: colours.resting, done: colours.good }[picture.mood]
  const { partCount, partSizeBytes, sizeBytes } = picture
  if (partCount === 0) {
    // An empty file has no part; what it has is an end.
    context.fillStyle = stored
    if (picture.mood === 'done') context.fillRect(0, 0, width, height)
    return
  }
  const scale = width / Math.max(1, sizeBytes)
  const partWidth = partSizeBytes * scale
  const gap = partWidth >= MIN_GAP_WIDTH && partCount > 1 ? Math.max(1, Math.round(devicePixelRatio)) : 0
  for (const [first, last] of columns(partCount, partWidth)) {
    const left = Math.round((first - 1) * partWidth)
    const right = last === partCount ? width : Math.round(last * partWidth)
    const { storedShare, sentShare } = sharesOf(picture, first, last)
    const room = Math.max(1, right - left - (last === partCount ? 0 : gap))
    context.fillStyle = colours.flight
    context.fillRect(left, 0, room * Math.min(1, storedShare + sentShare), height)
    context.fillStyle = stored
    context.fillRect(left, 0, room * storedShare, height)
  }
}

/** Groups parts so that no group is finer than a pixel: a strip of 10,000 parts costs no more than one of a thousand. */
function* columns(partCount: number, partWidth: number): Generator<[first: number, last: number]> {
  const perColumn = Math.max(1, Math.ceil(1 / partWidth))
  for (let first = 1; first <= partCount; first += perColumn) yield [first, Math.min(first + perColumn - 1, partCount)]
}

function sharesOf(picture: StripPicture, first: number, last: number): { storedShare: number; sentShare: number } {
  const { partSizeBytes, sizeBytes } = picture
  let stored = 0
  let sent = 0
  for (let number = first; number <= last; number++) {
    const size = Math.min(partSizeBytes, sizeBytes - (number - 1) * partSizeBytes)
    if (picture.isStored(number)) stored += size
    else sent += Math.min(picture.sentBytes(number), size)
  }
  const whole = Math.min(last * partSizeBytes, sizeBytes) - (first - 1) * partSizeBytes
  return { storedShare: stored / whole, sentShare: sent / whole }
}

interface StripColours {
  empty: string
  stored: string
  flight: string
  resting: string
  good: string
}
let known: StripColours | undefined

/** The stylesheet's colours as the browser computes them now; read once, and again when the reader changes between light and dark. */
function stripColours(): StripColours {
  if (known) return known
  const probe = document.body.appendChild(document.createElement('span'))
  const read = (name: string) => {
    probe.style.color = `var(--${name})`
    return getComputedStyle(probe).color
  }
  known = {
    empty: read('empty'),
    stored: read('stored'),
    flight: read('flight'),
    resting: read('resting'),
    good: read('good'),
  }
  probe.remove()
  return known
}

/** Calls `redraw` after the colours have changed. Returns how to stop that. */
export function onColoursChanged(redraw: () => void): () => void {
  const scheme = matchMedia('(prefers-color-scheme: dark)')
  const changed = () => {
    known = undefined
    redraw()
  }
  scheme.addEventListener('change', changed)
  return () => scheme.removeEventListener('change', changed)
}
