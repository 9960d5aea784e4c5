import { describe, expect, it } from 'vitest'
import { linkSignals, onAbort } from '../../client-sdk/abort-link.ts'
import { systemClock } from '../../client-sdk/clock.ts'
import { createRunGate } from '../../client-sdk/run-gate.ts'

describe('waiting for one signal', () => {
  it('takes one listener however many wait, and tells each of them, in order', async () => {
    const controller = new AbortController()
    let listeners = 0
    const add = controller.signal.addEventListener.bind(controller.signal)
    Object.assign(controller.signal, {
      addEventListener: (...given: Parameters<typeof add>) => {
        listeners += 1
        add(...given)
      },
    })
    const gate = createRunGate()
    gate.pause()
    const told: number[] = []
    const waits: Promise<unknown>[] = []
    for (let index = 0; index < 32; index++) {
      onAbort(controller.signal, () => told.push(index))
      waits.push(systemClock.sleep(60_000, controller.signal), gate.opened(controller.signal))
    }
    const links = Array.from({ length: 32 }, () => linkSignals(controller.signal, gate.signal))
    expect(listeners).toBe(1)
    controller.abort(new Error('enough'))
    const ends = await Promise.allSettled(waits)
    expect(ends.every((end) => end.status === 'rejected' && end.reason.message === 'enough')).toBe(true)
    expect(told).toEqual(Array.from({ length: 32 }, (_, index) => index))
    expect(links.every((link) => link.signal.aborted)).toBe(true)
  })

  it('can be given up', () => {
    const controller = new AbortController()
    const link = linkSignals(controller.signal)
    link.release()
    controller.abort()
    expect(link.signal.aborted).toBe(false)
  })
})
