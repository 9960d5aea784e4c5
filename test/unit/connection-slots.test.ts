import { createMemoryLocks } from '@partway/client/node'
import { afterEach, expect, test, vi } from 'vitest'
import { createConnectionSlots } from '../../client-sdk/browser/connection-slots.ts'

const origin = 'https://bucket.example'
const never = () => new AbortController().signal
const aMoment = () => new Promise((resolve) => setImmediate(resolve))

function take(slots: ReturnType<typeof createConnectionSlots>, count: number, of = origin) {
  return Promise.all(Array.from({ length: count }, () => slots.take(of, never())))
}

afterEach(() => void vi.useRealTimers())

test('six requests to a host have a connection each, and other hosts have their own', async () => {
  const slots = createConnectionSlots(createMemoryLocks())
  await take(slots, 6)
  await take(slots, 6, 'https://other.example')
  let isTaken = false
  void slots.take(origin, never()).then(() => {
    isTaken = true
  })
  await aMoment()
  expect(isTaken).toBe(false)
})

test('whoever waits takes the first that comes free, and leaves those alone that come free with it', async () => {
  const slots = createConnectionSlots(createMemoryLocks())
  const releases = await take(slots, 6)
  const waiting = slots.take(origin, never())
  await aMoment()
  for (const release of releases) release()
  const release = await waiting
  await aMoment()
  // All but the one that is taken.
  await take(slots, 5)
  const next = slots.take(origin, never())
  release()
  await next
})

test('who gives up waiting stands in nobody’s way', async () => {
  const slots = createConnectionSlots(createMemoryLocks())
  const [release] = await take(slots, 6)
  const canceller = new AbortController()
  const givenUp = slots.take(origin, canceller.signal)
  await aMoment()
  canceller.abort('enough')
  await expect(givenUp).rejects.toBe('enough')
  const next = slots.take(origin, never())
  release?.()
  await next
})

test('nobody waits longer than two minutes for tabs that sleep on theirs', async () => {
  vi.useFakeTimers()
  const slots = createConnectionSlots(createMemoryLocks())
  await take(slots, 6)
  let isTaken = false
  void slots.take(origin, never()).then((release) => {
    isTaken = true
    release()
  })
  await vi.advanceTimersByTimeAsync(119_000)
  expect(isTaken).toBe(false)
  await vi.advanceTimersByTimeAsync(1000)
  expect(isTaken).toBe(true)
})
