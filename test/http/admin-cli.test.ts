import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createApi, createFor, MiB, sendParts, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { runPartway } from '../support/partway-process.ts'
import { beginLongAgo } from '../support/strays.ts'

// Each command is a process of its own, which takes seconds to start on a busy machine.
vi.setConfig({ testTimeout: 180_000 })

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ environment: { PRICE_PER_GB_MONTH: '0.12' } })
})
afterAll(() => app.close())

async function partway(tenant: string, ...args: string[]) {
  const token = app.token({ subject: 'root', tenant, scopes: ['admin'] })
  const run = runPartway(args, { PARTWAY_URL: app.url, PARTWAY_TOKEN: token })
  return { code: await run.ended, stdout: run.stdout(), stderr: run.stderr() }
}
const jsonLines = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))

/** An upload of `tenant` with one of its two parts stored; idle for two days, and nobody can send to it any more. */
async function forgottenUpload(tenant: string, fileName: string): Promise<string> {
  const api = createApi(app.url, app.token({ tenant }))
  const bytes = someBytes(2 * MiB)
  const upload = await createFor(api, bytes, { fileName })
  await sendParts(api, upload, bytes, [1])
  // Else the first look at OSS finds bytes nobody knew of: growth, and so a sign of life.
  await api('getUpload', { id: upload.id, query: { reconcile: 'true' } })
  await app.deps.db.prisma.$executeRaw`
    update uploads set created_at = now() - interval '2 days', last_activity_at = now() - interval '2 days',
      grants_alive_until = now() - interval '1 day' where id = ${upload.id}`
  return upload.id
}
const stateOf = async (tenant: string, id: string) =>
  (await createApi(app.url, app.token({ tenant }))('getUpload', { id })).body.upload.state

describe('partway stale and sweep', () => {
  it('show and give up what is forgotten, of the token’s tenant alone', async () => {
    const [mine, theirs] = [
      await forgottenUpload('acme', '=HYPERLINK("x").bin'),
      await forgottenUpload('other', 'b.bin'),
    ]
    const [listed, csv, everybody, dry] = await Promise.all([
      partway('acme', 'stale', '--json'),
      partway('acme', 'stale', '--csv'),
      partway('*', 'stale', '--sort', 'createdAt'),
      partway('acme', 'sweep'),
    ])
    expect(jsonLines(listed.stdout).map(({ id, tenant, isStale }) => [id, tenant, isStale])).toEqual([
      [mine, 'acme', true],
    ])
    expect(csv.stdout.split('\r\n')[1]).toContain(`${mine},acme,alice,uploading,"'=HYPERLINK(""x"").bin",`)
    expect(everybody.stdout).toMatch(new RegExp(`^ID .*\\n${mine} .*=HYPERLINK.*\\n${theirs} .* b[.]bin\\n$`))
    expect([dry.code, dry.stdout]).toEqual([
      0,
      expect.stringContaining('A sweep would abort 1 (1.0 MiB to free), finish 0, leave 0.'),
    ])
    expect(dry.stdout).toContain('\n  partway sweep --older-than 24h --yes\n')
    expect(await stateOf('acme', mine)).toBe('uploading')

    const swept = await partway('acme', 'sweep', '--yes', '--json')
    expect(swept.code).toBe(0)
    const [upload, totals] = jsonLines(swept.stdout)
    expect(upload).toMatchObject({ id: mine, outcome: 'aborted', reason: 'stale', storedBytes: MiB })
    expect(totals).toMatchObject({ isDryRun: false, examined: 1, aborted: 1, failed: 0, freedBytes: MiB, more: false })
    expect([await stateOf('acme', mine), await stateOf('other', theirs)]).toEqual(['aborted', 'uploading'])
  })
})

describe('partway summary', () => {
  it('counts what is open and what that costs', async () => {
    const id = await forgottenUpload('third', 'c.bin')
    const [json, words] = await Promise.all([
      partway('third', 'summary', '--json'),
      partway('*', 'summary', '--tenant', 'third'),
    ])
    const [summary] = jsonLines(json.stdout)
    expect(summary).toMatchObject({
      tenant: 'third',
      held: { uploads: 1 },
      stale: { uploads: 1 },
      pricePerGbMonth: 0.12,
    })
    expect(words.stdout).toMatch(
      /^Tenant third, .* UTC\nHeld {3}.* in 1 open upload, .* a month\nStale {2}.* in 1 of them/,
    )
    expect(await stateOf('third', id)).toBe('uploading')
  })
})

describe('partway orphans', () => {
  it('finds what no row knows, and discards it when told to for sure', async () => {
    await beginLongAgo(app.cloud, 'uploads/fourth/stray/film.mp4', [MiB])
    const dry = await partway('fourth', 'orphans', '--resolve', 'abort')
    expect(dry.stdout).toMatch(
      /^WOULD BE .*\naborted .* untracked {2}1[.]0 MiB {2}fourth {2}uploads\/fourth\/stray\/film[.]mp4\n/,
    )
    expect(jsonLines((await partway('fourth', 'orphans', '--json')).stdout)).toMatchObject([
      { kind: 'untracked', tenant: 'fourth' },
    ])
    const real = await partway('fourth', 'orphans', '--resolve', 'abort', '--yes')
    expect([real.code, real.stderr]).toEqual([0, '\nWere: 1 aborted.\n'])
    expect((await partway('fourth', 'orphans')).stdout).toBe('Bucket and table agree.\n')
  })
})

it('a token without the scope admin ends every one of them with exit code 5', async () => {
  const env = { PARTWAY_URL: app.url, PARTWAY_TOKEN: app.token() }
  const runs = ['stale', 'sweep', 'orphans', 'summary'].map((command) => runPartway([command], env))
  expect(await Promise.all(runs.map(({ ended }) => ended))).toEqual([5, 5, 5, 5])
  expect(runs.map((run) => run.stdout())).toEqual(['', '', '', ''])
})
