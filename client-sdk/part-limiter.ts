/** Keeps the parts in flight of many uploads together below one limit. */
export interface PartLimiter {
  /**
   * Resolves with what gives the place back, when one is free for a part of `owner`, which stands for one upload. Rejects with the
   * signal's reason when that aborts first. Each attempt takes a place of its own; waiting between attempts takes none.
   */
  acquire(owner: object, signal: AbortSignal): Promise<() => void>
}
