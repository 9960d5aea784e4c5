import { describe, expect, it } from 'vitest'
import { createSendWindow, type SendWindow } from '../../client-sdk/send-window.ts'

/** How many parts get in, out of more than there is place for. They are let out again. */
async function placesOf(window: SendWindow): Promise<number> {
  const stop = new AbortController()
  const leaves: (() => void)[] = []
  const entries = Array.from({ length: 12 }, () =>
    window
      .enter(stop.signal)
      .then(({ leave }) => leaves.push(leave))
      .catch(() => {}),
  )
  // Whoever gets in does so at once.
  await new Promise(setImmediate)
  const count = leaves.length
  stop.abort(new Error('enough'))
  await Promise.all(entries)
  for (const leave of leaves) leave()
  return count
}
/** Parts that get no answer, one after the other. */
async function breakParts(window: SendWindow, count: number): Promise<void> {
  for (let broken = 0; broken < count; broken += 1) {
    const place = await window.enter(new AbortController().signal)
    place.broke()
    place.leave()
  }
}
const times = (count: number, act: () => void) => {
  for (let done = 0; done < count; done += 1) act()
}

describe('the window of parts in flight', () => {
  it('is as wide as asked for, and stays so when one connection breaks', async () => {
    const window = createSendWindow(4)
    expect(await placesOf(window)).toBe(4)
    await breakParts(window, 1)
    expect([window.isDown(), await placesOf(window)]).toEqual([false, 4])
    window.stored()
    await breakParts(window, 1)
    expect(await placesOf(window)).toBe(4)
  })

  it('is one while the line is down, and half of what it was after the first part that got through', async () => {
    const window = createSendWindow(4)
    await breakParts(window, 9)
    expect([window.isDown(), await placesOf(window)]).toEqual([true, 1])
    window.stored()
    expect([window.isDown(), await placesOf(window)]).toEqual([false, 2])
  })

  it('opens bit by bit to what was asked for, never further', async () => {
    const window = createSendWindow(4)
    await breakParts(window, 2)
    const after: number[] = []
    for (let stored = 1; stored <= 40; stored += 1) {
      window.stored()
      after.push(await placesOf(window))
    }
    // Half at once; then four parts for each place there is.
    const partsAt = (places: number) => after.filter((count) => count === places).length
    expect([partsAt(2), partsAt(3), partsAt(4)]).toEqual([8, 12, 20])
    expect(after).toEqual([...after].sort())
  })

  it('gets narrower with each outage, down to one', async () => {
    const window = createSendWindow(8)
    const widths: number[] = []
    for (let outage = 0; outage < 5; outage += 1) {
      await breakParts(window, 3)
      times(3, window.stored)
      widths.push(await placesOf(window))
    }
    expect(widths).toEqual([4, 2, 1, 1, 1])
  })

  it('lets in whoever waits when a place is given back, in their order, and forgets who has gone', async () => {
    const window = createSendWindow(1)
    const stop = new AbortController()
    const never = new AbortController()
    const { leave } = await window.enter(never.signal)
    const order: string[] = []
    const gone = window.enter(stop.signal)
    const second = window.enter(never.signal).then((place) => {
      order.push('second')
      return place
    })
    const third = window.enter(never.signal).then(() => order.push('third'))
    stop.abort(new Error('gone'))
    await expect(gone).rejects.toThrow('gone')
    await expect(window.enter(stop.signal)).rejects.toThrow('gone')
    expect(order).toEqual([])
    leave()
    const place = await second
    expect(order).toEqual(['second'])
    place.leave()
    await third
    expect(order).toEqual(['second', 'third'])
  })

  it('has room for the next attempts while those of before the outage stand still, and learns nothing of their end', async () => {
    const window = createSendWindow(4)
    const { signal } = new AbortController()
    const places = await Promise.all(Array.from({ length: 4 }, () => window.enter(signal)))
    places[0]?.broke()
    places[1]?.broke()
    expect([window.isDown(), await placesOf(window)]).toEqual([true, 1])
    window.stored()
    places[2]?.broke()
    places[3]?.broke()
    for (const place of places) place.leave()
    expect([window.isDown(), await placesOf(window)]).toEqual([false, 2])
  })
})
