type Engine = typeof import('./upload-file.ts')

let engine: Promise<Engine> | undefined

/** What sends files, apart from what a page loads first. Rejects when it cannot be loaded; the next call tries again. */
export function loadEngine(): Promise<Engine> {
  engine ??= import('./upload-file.ts').catch((error: unknown) => {
    engine = undefined
    throw error
  })
  return engine
}
