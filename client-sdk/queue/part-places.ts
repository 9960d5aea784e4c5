import { onAbort } from '../abort-link.ts'
import type { PartLimiter } from '../part-limiter.ts'

interface Waiter {
  go(): void
}

/**
 * `count` places for part requests, shared by many uploads. A free place goes to the waiting upload that uses the fewest; among equals to
 * the one that was served longest ago, or came first. So a small file gets the next place that falls free beside any number of big ones,
 * a stream of small files cannot keep a big one from its turn, and an upload that is alone gets every place.
 */
export function createPartPlaces(count: number): PartLimiter {
  let free = count
  const used = new Map<object, number>()
  // In the order they are to be served among equals: whoever was served goes to the end.
  const waiting = new Map<object, Set<Waiter>>()

  function nextOwner(): object | undefined {
    let next: object | undefined
    let fewest = Number.POSITIVE_INFINITY
    for (const owner of waiting.keys()) {
      const places = used.get(owner) ?? 0
      if (places >= fewest) continue
      fewest = places
      next = owner
    }
    return next
  }

  function serve() {
    for (let owner = free > 0 ? nextOwner() : undefined; owner; owner = free > 0 ? nextOwner() : undefined) {
      const line = waiting.get(owner) ?? new Set()
      const [waiter] = line
      if (waiter) line.delete(waiter)
      waiting.delete(owner)
      if (line.size > 0) waiting.set(owner, line)
      free -= 1
      used.set(owner, (used.get(owner) ?? 0) + 1)
      waiter?.go()
    }
  }

  function giveBack(owner: object) {
    const left = (used.get(owner) ?? 0) - 1
    if (left > 0) used.set(owner, left)
    else used.delete(owner)
    free += 1
    serve()
  }

  return {
    acquire: (owner, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const line = waiting.get(owner) ?? new Set()
        const forget = onAbort(signal, () => {
          line.delete(waiter)
          if (line.size === 0 && waiting.get(owner) === line) waiting.delete(owner)
          reject(signal.reason)
        })
        const waiter: Waiter = {
          go() {
            forget()
            let isHeld = true
            resolve(() => {
              if (isHeld) giveBack(owner)
              isHeld = false
            })
          },
        }
        waiting.set(owner, line.add(waiter))
        serve()
      }),
  }
}
