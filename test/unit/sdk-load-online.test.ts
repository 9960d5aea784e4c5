import { ClientException, defaultRetryPolicy, systemClock } from '@partway/client'
import { describe, expect, it } from 'vitest'
import { loadOnline } from '../../client-sdk/load-online.ts'

const deps = { clock: systemClock, retry: { ...defaultRetryPolicy, baseMs: 1, capMs: 1 }, onRetry() {} }

describe('code that is loaded late', () => {
  it('is not waited for after a cancel, however long its load hangs', async () => {
    const controller = new AbortController()
    const loading = loadOnline(() => new Promise<string>(() => {}), deps, controller.signal)
    const outcome = expect(loading).rejects.toMatchObject({ code: 'cancelled' })
    await new Promise((resolve) => setImmediate(resolve))
    controller.abort(new ClientException('cancelled', 'The upload was cancelled'))
    await outcome
  })

  it('is asked for again until it comes', async () => {
    let loads = 0
    const load = async () => {
      loads += 1
      if (loads < 3) throw new TypeError('Failed to fetch dynamically imported module')
      return 'the code'
    }
    expect(await loadOnline(load, deps, new AbortController().signal)).toBe('the code')
    expect(loads).toBe(3)
  })
})
