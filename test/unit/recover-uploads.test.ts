import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Deps } from '../../server/deps.ts'
import { recoverUploads } from '../../server/uploads/recover-uploads.ts'

it('recovery ends when all of its workers have ended, also when one of them fails', async () => {
  let begun = 0
  let underWay = 0
  const $queryRaw = async () => {
    if (++begun === 1) throw new Error('the database is down')
    underWay++
    for (let turns = 0; turns < 5; turns++) await turn()
    underWay--
    return []
  }
  const deps = { db: { prisma: { $queryRaw } }, objects: { bucket: 'b' } } as unknown as Deps
  await expect(recoverUploads(deps)).rejects.toThrow('the database is down')
  expect(begun).toBeGreaterThan(1)
  expect(underWay).toBe(0)
})
