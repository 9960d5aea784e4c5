import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RecordStore } from '../../client-sdk/record-store.ts'
import { createSafeRecord } from '../../client-sdk/safe-record.ts'
import { formatRecord, parseRecord } from '../../client-sdk/upload-record.ts'

const expected = { server: 'http://server.test', fingerprint: 'p1:3:aa:1', sizeBytes: 3 }
const good = {
  version: 1,
  ...expected,
  id: `upl_${'0'.repeat(32)}`,
  savedAt: '2026-01-01T00:00:00.000Z',
} as const

describe('a record', () => {
  it('comes back as it was written', () => {
    expect(parseRecord(formatRecord(good), expected)).toEqual(good)
  })

  it('is taken for nothing when any of its fields is of another kind or about something else', () => {
    for (const field of Object.keys(good) as (keyof typeof good)[]) {
      const wrong = [undefined, null, 7.5, '', 'x', {}, [], true, `${good[field]} `, 'upl_../../etc/passwd']
      for (const value of wrong) {
        const changed = JSON.stringify({ ...good, [field]: value })
        const record = parseRecord(changed, expected)
        // When it was saved decides nothing, so any text will do there.
        if (field === 'savedAt' && typeof value === 'string') expect(record).toBeDefined()
        else expect(record).toBeUndefined()
      }
    }
    expect(parseRecord(JSON.stringify({ ...good, version: 2 }), expected)).toBeUndefined()
    expect(parseRecord(JSON.stringify({ ...good, sizeBytes: 4 }), expected)).toBeUndefined()
  })

  it('is taken for nothing when the text is cut, garbage or endless, and never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => parseRecord(text, expected) === undefined))
    fc.assert(fc.property(fc.json(), (text) => parseRecord(text, expected) === undefined))
    const text = formatRecord(good)
    for (let length = 0; length < text.length; length++)
      expect(parseRecord(text.slice(0, length), expected)).toBeUndefined()
    expect(parseRecord(`${text}${' '.repeat(5000)}`, expected)).toBeUndefined()
    expect(parseRecord(undefined, expected)).toBeUndefined()
  })

  it('keeps nothing that opens a door: no URL but the server’s, no token, no grant', async () => {
    const saved: string[] = []
    const store: RecordStore = {
      load: async () => undefined,
      save: async (_, text) => void saved.push(text),
      delete: async () => {},
    }
    await createSafeRecord(
      store,
      expected,
      () => 0,
      () => {},
    ).save(good.id)
    expect(Object.keys(JSON.parse(saved[0] ?? '{}')).sort()).toEqual([
      'fingerprint',
      'id',
      'savedAt',
      'server',
      'sizeBytes',
      'version',
    ])
  })

  it('stops nothing when the store fails, and says so once', async () => {
    const broken = () => Promise.reject(new Error('the disk is full'))
    const errors: unknown[] = []
    const record = createSafeRecord(
      { load: broken, save: broken, delete: broken },
      expected,
      () => 0,
      (error) => errors.push(error),
    )
    await expect(record.load()).resolves.toBeUndefined()
    await record.save(good.id)
    await record.delete()
    expect(errors).toHaveLength(1)
  })
})
