/** What a row can do for the painter. */
export interface Paintable {
  update(): void
}

/** What one animation frame may spend on rows; the rest waits for the next one. */
const frameMs = 6

/** Updates rows when the browser is about to paint, each at most once per frame, however often they change meanwhile. */
export function createRowPainter(): { touch(row: Paintable): void } {
  const dirty = new Set<Paintable>()
  let isFrameDue = false

  function request() {
    if (isFrameDue) return
    isFrameDue = true
    requestAnimationFrame(paint)
  }

  function paint() {
    isFrameDue = false
    const startedAt = performance.now()
    for (const row of dirty) {
      if (performance.now() - startedAt > frameMs) return request()
      dirty.delete(row)
      row.update()
    }
  }

  return {
    touch(row) {
      dirty.add(row)
      request()
    },
  }
}
