import { afterEach, describe, expect, it, vi } from 'vitest'
import { runPartway } from '../support/partway-process.ts'
import { sampleOrphan, sampleSummary, sampleSweep, sampleSwept, sampleUpload } from './admin-samples.ts'
import { type ScriptedServer, startScriptedServer } from './scripted-server.ts'

// Each command is a process of its own, which takes seconds to start on a busy machine.
vi.setConfig({ testTimeout: 180_000 })

let server: ScriptedServer | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

async function serve(script: Parameters<typeof startScriptedServer>[0]): Promise<ScriptedServer> {
  server = await startScriptedServer(script)
  return server
}

const start = (...args: string[]) =>
  runPartway(args, { PARTWAY_URL: server?.url ?? '', PARTWAY_TOKEN: 'a-token-of-an-administrator' })

async function partway(...args: string[]) {
  const run = start(...args)
  return { code: await run.ended, stdout: run.stdout(), stderr: run.stderr() }
}
const jsonLines = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

describe('partway stale', () => {
  it('follows the pages with its filters, up to the limit', async () => {
    const all = Array.from({ length: 130 }, (_, index) => sampleUpload(index))
    const { requests } = await serve({
      listAdminUploads: ({ query }) => {
        const start = Number(query.cursor ?? 0)
        const uploads = all.slice(start, start + query.limit)
        return { uploads, nextCursor: start + query.limit < all.length ? String(start + query.limit) : null }
      },
    })
    const filters = ['--older-than', '7d', '--state', 'uploading', '--tenant', 'acme', '--prefix', 'uploads/a b&c=/']
    const order = ['--min-bytes', '1MiB', '--sort', 'storedBytes', '--order', 'desc']
    const { code, stdout, stderr } = await partway('stale', ...filters, ...order, '--limit', '120', '--json')
    expect([code, jsonLines(stdout)]).toEqual([0, all.slice(0, 120)])
    expect(stderr).toMatch(/^120 uploads, 600[.]0 MiB in all[.]\nThere are more/)
    const asked = { staleForSeconds: 604_800, state: 'uploading', tenant: 'acme', prefix: 'uploads/a b&c=/' }
    const first = { ...asked, minBytes: 1_048_576, sort: 'storedBytes', order: 'desc', limit: 100 }
    expect(requests.map(({ query }) => query)).toEqual([first, { ...first, cursor: '100', limit: 20 }])
  })

  it('prints whole lines for hostile names, a heading for CSV even of nothing, and the exact name as JSON', async () => {
    const fileName = '\u001b[2J\nupl_0 forged \u202egnp.exe'
    await serve({
      listAdminUploads: ({ query }) => ({
        uploads: query.tenant ? [] : [sampleUpload(1, { fileName })],
        nextCursor: null,
      }),
    })
    const table = await partway('stale')
    expect(table.stdout.split('\n')).toHaveLength(3)
    expect(table.stdout).toMatch(
      /^ID {2}.* FILE\nupl_0{31}1 {2}uploading {2}5[.]0 MiB {2}27 h {2}2 d {2}- {13}acme {4}[?][[]2J[?]upl_0 forged [?]gnp[.]exe\n$/,
    )
    const json = await partway('stale', '--json')
    expect(json.stdout.trimEnd()).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
    expect(jsonLines(json.stdout)[0].fileName).toBe(fileName)
    const [csv, empty, none] = await Promise.all([
      partway('stale', '--csv'),
      partway('stale', '--csv', '--tenant', 'x'),
      partway('stale', '--tenant', 'x'),
    ])
    expect(csv.stdout.split('\r\n')).toHaveLength(3)
    expect(empty.stdout).toBe(`${csv.stdout.split('\r\n')[0]}\r\n`)
    expect(none).toEqual({ code: 0, stdout: 'No upload matches that has been idle for 24h.\n', stderr: '' })
  })
})

describe('partway sweep', () => {
  it('without --yes asks once what would happen, and ends with the line that does it', async () => {
    const { requests } = await serve({
      sweepUploads: () => ({
        sweep: sampleSweep({ isDryRun: true }),
        uploads: [
          sampleSwept(1),
          sampleSwept(2, { outcome: 'left', reason: 'grant-alive', aliveUntil: '2026-11-26T09:30:00.000Z' }),
        ],
        more: true,
      }),
    })
    const { code, stdout } = await partway('sweep', '--older-than', '90m', '--tenant', "o'neil", '--limit', '5000')
    expect(code).toBe(0)
    expect(requests.map(({ body }) => body)).toEqual([
      { olderThanSeconds: 5400, dryRun: true, limit: 1000, tenant: "o'neil" },
    ])
    expect(stdout).toMatch(
      /^WOULD BE {2}WHY .*\naborted {3}stale .*\nleft {6}grant-alive until 2026-11-26 09:30Z {2}1[.]0 MiB/,
    )
    expect(stdout).toContain(
      'A sweep would abort 1 (1.0 MiB to free), finish 0, leave 1. Why they stay: 1 grant-alive.',
    )
    expect(stdout).toContain(`\n  partway sweep --older-than 90m --tenant 'o'\\''neil' --limit 5000 --yes\n`)
  })

  it('with --yes goes on while there is more, tells of each upload once, and fails if one failed', async () => {
    const stays = [
      sampleSwept(900, { outcome: 'failed', reason: 'storage-unavailable' }),
      sampleSwept(901, { outcome: 'left', reason: 'growing' }),
    ]
    const { requests } = await serve({
      sweepUploads: ({ body }) => {
        const first = requests.length * 100
        const ended =
          first > 200
            ? []
            : Array.from({ length: body.limit - 2 }, (_, index) =>
                sampleSwept(first + index, index === 0 ? { outcome: 'finished', reason: 'object-complete' } : {}),
              )
        return { sweep: sampleSweep(), uploads: [...ended, ...stays], more: true }
      },
    })
    const { code, stdout, stderr } = await partway('sweep', '--yes', '--json')
    // The third reply names only the two that stay: a fourth would as well.
    expect(requests.map(({ body }) => [body.dryRun, body.limit])).toEqual(Array(3).fill([false, 100]))
    const lines = jsonLines(stdout)
    expect(new Set(lines.slice(0, -1).map(({ id }) => id)).size).toBe(lines.length - 1)
    expect(lines.at(-1)).toEqual({
      isDryRun: false,
      examined: 198,
      aborted: 194,
      finished: 2,
      left: 1,
      failed: 1,
      freedBytes: 194 * 1_048_576,
      reasons: { 'storage-unavailable': 1, growing: 1 },
      more: true,
    })
    expect([code, stderr]).toEqual([
      1,
      'There may be more: run it again, or raise --limit.\n1 upload could not be swept; the server tries again by itself.\n',
    ])
  })

  it.each([['--yes'], []])('never says that there was nothing when the server came to nothing: %s', async (...args) => {
    const { requests } = await serve({ sweepUploads: () => ({ sweep: sampleSweep(), uploads: [], more: true }) })
    const { code, stdout, stderr } = await partway('sweep', ...args)
    expect(requests).toHaveLength(1)
    expect([code, stdout, stderr]).toEqual([1, '', 'The server had no time to look at any upload; run it again.\n'])
  })

  it('asks again about what there was no time for, and tells of it when nothing gets on any more', async () => {
    const late = (index: number) => sampleSwept(index, { outcome: 'failed', reason: 'not-in-time' })
    const replies = [
      [sampleSwept(1), late(2), late(3), late(4)],
      [sampleSwept(2), late(3), late(4)],
      [late(3), late(4)],
    ]
    const { requests } = await serve({
      sweepUploads: () => ({ sweep: sampleSweep(), uploads: replies[requests.length - 1] ?? [], more: true }),
    })
    const { code, stdout } = await partway('sweep', '--yes', '--json')
    const lines = jsonLines(stdout)
    expect(lines.slice(0, -1).map(({ outcome }) => outcome)).toEqual(['aborted', 'aborted', 'failed', 'failed'])
    expect(lines.at(-1)).toMatchObject({ examined: 4, aborted: 2, failed: 2, more: true })
    expect([code, requests.length]).toEqual([1, 3])
  })

  it('tells of what there was no time for and that was never heard of again', async () => {
    const late = sampleSwept(2, { outcome: 'failed', reason: 'not-in-time' })
    const replies = [[sampleSwept(1), late], [sampleSwept(3)]]
    const { requests } = await serve({
      sweepUploads: () => {
        const uploads = replies[requests.length - 1] ?? []
        return { sweep: sampleSweep(), uploads, more: requests.length === 1 }
      },
    })
    const { code, stdout } = await partway('sweep', '--yes', '--json')
    const lines = jsonLines(stdout)
    expect(lines.slice(0, -1).map(({ id }) => id)).toEqual([1, 3, 2].map((index) => sampleSwept(index).id))
    expect(lines.at(-1)).toMatchObject({ examined: 3, aborted: 2, failed: 1 })
    expect(code).toBe(1)
  })

  it('tells of what there was no time for when the server has no more', async () => {
    const late = sampleSwept(2, { outcome: 'failed', reason: 'not-in-time' })
    await serve({ sweepUploads: () => ({ sweep: sampleSweep(), uploads: [sampleSwept(1), late], more: false }) })
    const { code, stdout } = await partway('sweep', '--yes', '--json')
    expect(jsonLines(stdout).map(({ outcome }) => outcome)).toEqual(['aborted', 'failed', undefined])
    expect(code).toBe(1)
  })

  it('looks at no more uploads than --limit says', async () => {
    const { requests } = await serve({
      sweepUploads: ({ body }) => ({
        sweep: sampleSweep(),
        uploads: Array.from({ length: body.limit }, (_, index) => sampleSwept(requests.length * 100 + index)),
        more: true,
      }),
    })
    const { code, stdout } = await partway('sweep', '--yes', '--limit', '130')
    expect(requests.map(({ body }) => body.limit)).toEqual([100, 30])
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /\nAborted 130 [(]130[.]0 MiB freed[)], finished 0, left 0[.]\nThere may be more: run it again, or raise --limit[.]\n$/,
    )
  })

  it('on Ctrl-C waits for the request under way, tells what was done, and ends with 3', async () => {
    let answer = (): void => {}
    const { requests } = await serve({
      sweepUploads: async () => {
        await new Promise<void>((resolve) => {
          answer = resolve
        })
        return { sweep: sampleSweep(), uploads: [sampleSwept(1)], more: true }
      },
    })
    const run = start('sweep', '--yes')
    await expect.poll(() => requests.length, { timeout: 120_000 }).toBe(1)
    run.child.kill('SIGINT')
    await expect.poll(() => run.stderr(), { timeout: 120_000 }).toContain('Ending after the request under way')
    answer()
    expect(await run.ended).toBe(3)
    expect(run.stdout()).toContain('Aborted 1 (1.0 MiB freed)')
    expect(run.stderr()).toMatch(/\nInterrupted[.]\n$/)
    expect(requests).toHaveLength(1)
  })

  it('tells what was done also when the server is gone in the middle', async () => {
    const { requests } = await serve({
      sweepUploads: () => {
        if (requests.length > 1) throw new Error('gone')
        return { sweep: sampleSweep(), uploads: [sampleSwept(1)], more: true }
      },
    })
    const { code, stdout, stderr } = await partway('sweep', '--yes')
    expect([code, stderr]).toEqual([1, 'The server answered 500 with something unexpected.\n'])
    expect(stdout).toContain('Aborted 1 (1.0 MiB freed)')
  })
})

describe('partway orphans', () => {
  const all = Array.from({ length: 120 }, (_, index) =>
    sampleOrphan(
      index,
      index % 10 === 9 ? { kind: 'lost', actions: ['close'], storedBytes: null, partCount: null } : {},
    ),
  )
  const pages: Parameters<typeof startScriptedServer>[0] = {
    // Every second page agrees, and goes on all the same.
    listOrphans: ({ query }) => {
      const page = Number(query.cursor ?? 0)
      return {
        orphans: page % 2 === 0 ? [] : all.slice((page - 1) * 30, (page + 1) * 30),
        compared: 200,
        unanswered: 0,
        nextCursor: page === 3 ? null : String(page + 1),
      }
    },
    resolveOrphans: ({ body }) => ({
      orphans: body.ids.map((id: string) =>
        id === 'orp_0'
          ? { id, outcome: 'failed' as const, reason: 'storage-unavailable' as const, closedAs: null, uploadId: null }
          : { id, outcome: 'aborted' as const, reason: 'done' as const, closedAs: null, uploadId: null },
      ),
    }),
  }

  it('follows the cursors past pages on which all agrees', async () => {
    const { requests } = await serve(pages)
    const { code, stdout, stderr } = await partway('orphans', '--kind', 'untracked', '--json')
    expect([code, jsonLines(stdout)]).toEqual([0, all])
    expect(stderr).toBe('120 orphans, 108.0 MiB in all.\n')
    expect(requests.map(({ query }) => query)).toEqual(
      [undefined, '1', '2', '3'].map((cursor) => ({ kind: 'untracked', ...(cursor ? { cursor } : {}) })),
    )
    const limited = await partway('orphans', '--limit', '2')
    expect(limited.stdout).toMatch(/^KIND .*KEY\nuntracked .*\nuntracked .*\n$/)
  })

  it('says what OSS gave no answer about, never that all agrees, and fails', async () => {
    const silent = { orphans: [], compared: 3, unanswered: 2, nextCursor: null }
    await serve({ listOrphans: () => silent })
    const stderr = 'OSS gave no usable answer about 2 uploads; the server’s log says why.\n'
    const all = [['orphans'], ['orphans', '--resolve', 'abort', '--yes']]
    for (const args of all) expect(await partway(...args)).toEqual({ code: 1, stdout: '', stderr })
  })

  it('--resolve acts on what the action fits, in batches of 20 and for sure only with --yes', async () => {
    const { requests } = await serve(pages)
    const asked = () => requests.splice(0).flatMap(({ name, body }) => (name === 'resolveOrphans' ? [body] : []))
    const dry = await partway('orphans', '--resolve', 'abort')
    expect(asked().map(({ action, ids, dryRun }) => [action, ids.length, dryRun])).toEqual([
      ['abort', 20, true],
      ['abort', 20, true],
      ['abort', 14, true],
      ['abort', 20, true],
      ['abort', 20, true],
      ['abort', 14, true],
    ])
    expect(dry.stdout).toMatch(/^WOULD BE .*\nfailed {4}storage-unavailable .*\naborted /)
    expect(dry.stdout).toContain('\n  partway orphans --resolve abort --yes\n')
    expect(dry.stderr).toBe('\nWould be: 1 failed, 107 aborted.\n1 orphan could not be settled.\n')
    expect(dry.code).toBe(1)

    const real = await partway('orphans', '--resolve', 'abort', '--yes', '--limit', '20', '--csv')
    const [batch, ...others] = asked()
    expect([batch.dryRun, batch.ids, others]).toEqual([
      false,
      all
        .filter(({ kind }) => kind !== 'lost')
        .slice(0, 20)
        .map(({ id }) => id),
      [],
    ])
    expect(real.stdout.split('\r\n')).toHaveLength(22)
    expect(real.stdout).not.toContain('--yes')
  })
})

describe('partway summary', () => {
  it('says what is held and what it costs, without bars where nobody watches', async () => {
    await serve({ getSummary: ({ query }) => sampleSummary({ tenant: query.tenant ?? null }) })
    const { code, stdout } = await partway('summary', '--tenant', 'acme')
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^Tenant acme, 2026-11-26 04:05 UTC\nHeld {3}3[.]0 MiB in 3 open uploads, 1[.]50 a month\nStale {2}1[.]0 MiB in 1 of them, idle for 24h or more, 0[.]50 a month\n/,
    )
    expect(stdout).toMatch(/\nover 30 days {11}5 {2}5[.]0 MiB\n/)
    expect(stdout).toMatch(/\n=cmd[(][)] {8}1 {6}7 B {2}<0[.]01\n$/)
    expect(stdout).not.toMatch(/[▁-█]/)
  })

  it('is one object as JSON, and figures of one shape as CSV', async () => {
    await serve({ getSummary: () => sampleSummary() })
    expect(jsonLines((await partway('summary', '--json')).stdout)).toEqual([sampleSummary()])
    const lines = (await partway('summary', '--csv')).stdout.split('\r\n')
    expect(lines[0]).toBe('section,name,uploads,bytes,monthlyCost')
    expect(lines).toContain('total,stale,1,1048576,0.5')
    expect(lines).toContain("by-tenant,'=cmd(),1,7,0.001")
    expect(lines).toContain('over-time,2026-11-26T04:05:06.789Z,3,3145728,')
  })
})

it('what is wrong with the arguments is said before anything is asked, with exit code 2', async () => {
  const { requests } = await serve({})
  const cases: [string[], RegExp][] = [
    [['sweep', '--older-than', '59m'], /An hour is the least/],
    [['stale', '--json', '--csv'], /cannot be used with/],
    [['orphans', '--yes'], /--yes says nothing without --resolve/],
  ]
  await Promise.all(
    cases.map(async ([args, message]) => {
      const { code, stdout, stderr } = await partway(...args)
      expect([code, stdout, requests]).toEqual([2, '', []])
      expect(stderr).toMatch(message)
    }),
  )
})

it('a server without its storage ends a command with exit code 4', async () => {
  await serve({})
  expect(await partway('orphans')).toEqual({ code: 4, stdout: '', stderr: 'Down\n' })
})
