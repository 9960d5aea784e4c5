import type { AdminUpload, Cors, Lifecycle, Orphan, ProblemCode, Summary, Sweep } from '@partway/client/contract'
import { endpoints, problems } from '@partway/client/contract'
import type { Page, Route } from 'playwright-core'
import {
  someCors,
  someDetail,
  someLifecycle,
  someOrphans,
  someSummary,
  someSweeps,
  someUpload,
} from './admin-fixtures.ts'

/** What the fake answers with; a problem's code in place of a reply is answered as that problem. */
export interface Administration {
  uploads: AdminUpload[]
  summary?: Summary | ProblemCode
  sweeps: Sweep[] | ProblemCode
  orphans: Orphan[] | ProblemCode
  lifecycle: Lifecycle | ProblemCode
  cors: Cors | ProblemCode
  /** What each problem asks for. */
  retryAfterSeconds?: number
}

/** An administration with so many uploads, in which no sweep is under way. */
export function someAdministration(uploadCount: number): Administration {
  return {
    uploads: Array.from({ length: uploadCount }, (_, index) => someUpload(index)),
    sweeps: someSweeps().filter(({ finishedAt }) => finishedAt !== null),
    orphans: someOrphans(),
    lifecycle: someLifecycle,
    cors: someCors,
  }
}

/** Answers the page's requests in the server's place, for pictures no server comes to by itself; replies are held against the contract. */
export async function fakeAdministration(page: Page, its: Administration): Promise<{ requests: string[] }> {
  const requests: string[] = []
  const answer = (route: Route, body: unknown) => {
    if (typeof body === 'string' && body in problems) {
      const seconds = its.retryAfterSeconds
      return refuse(route, body as ProblemCode, seconds === undefined ? {} : { 'retry-after': `${seconds}` })
    }
    return route.fulfill({ status: 200, json: body })
  }
  await page.route('**/v1/admin/**', async (route) => {
    const request = route.request()
    const url = new URL(request.url())
    const path = url.pathname.slice(url.pathname.indexOf('/v1/admin'))
    requests.push(`${request.method()} ${path}${url.search}`)
    if (path === '/v1/admin/events') return answer(route, { events: [], nextCursor: null })
    if (path === '/v1/admin/summary') return answer(route, its.summary ?? someSummary(its.uploads))
    if (path === '/v1/admin/lifecycle') return answer(route, its.lifecycle)
    if (path === '/v1/admin/cors') return answer(route, its.cors)
    if (path === '/v1/admin/sweeps')
      return answer(route, typeof its.sweeps === 'string' ? its.sweeps : { sweeps: its.sweeps, nextCursor: null })
    if (path === '/v1/admin/orphans')
      return answer(
        route,
        typeof its.orphans === 'string'
          ? its.orphans
          : { orphans: its.orphans, compared: 4312, unanswered: 0, nextCursor: null },
      )
    if (path === '/v1/admin/uploads') return answer(route, pageOf(its.uploads, url.searchParams))
    const upload = its.uploads.find(({ id }) => path === `/v1/admin/uploads/${id}`)
    if (upload) return answer(route, someDetail(upload))
    if (path === '/v1/admin/uploads/abort') {
      const body = endpoints.abortUploads.body.parse(request.postDataJSON())
      return answer(route, abortOf(its.uploads, body.ids, body.dryRun === true))
    }
    return refuse(route, 'not-found')
  })
  return { requests }
}

/** Answers as the server does when it refuses. */
export function refuse(route: Route, code: ProblemCode, headers: Record<string, string> = {}): Promise<void> {
  const { status, title } = problems[code]
  return route.fulfill({
    status,
    headers,
    contentType: 'application/problem+json',
    body: JSON.stringify({ type: `x#${code}`, title, status, code, instance: 'req-1' }),
  })
}

function pageOf(uploads: readonly AdminUpload[], query: URLSearchParams) {
  const from = Number(query.get('cursor') ?? 0)
  const limit = Number(query.get('limit') ?? 50)
  const sort = (query.get('sort') ?? 'lastActivityAt') as 'lastActivityAt' | 'storedBytes' | 'createdAt'
  const direction = query.get('order') === 'desc' ? -1 : 1
  const found = uploads
    .filter(({ tenant }) => !query.has('tenant') || tenant === query.get('tenant'))
    .filter(({ idleSeconds }) => idleSeconds >= Number(query.get('staleForSeconds') ?? 0))
    .sort((a, b) => (a[sort] < b[sort] ? -direction : direction))
  const reply = {
    uploads: found.slice(from, from + limit),
    nextCursor: found.length > from + limit ? `${from + limit}` : null,
  }
  return endpoints.listAdminUploads.replies[200].parse(reply)
}

function abortOf(uploads: readonly AdminUpload[], ids: readonly string[], isDryRun: boolean) {
  const swept = ids.map((id) => {
    const upload = uploads.find((one) => one.id === id)
    const alive = upload?.grantsAliveUntil ?? null
    const isLeft = alive !== null && Date.parse(alive) > Date.now()
    return {
      id,
      tenant: upload?.tenant ?? '',
      fileName: upload?.fileName ?? '',
      storedBytes: upload?.storedBytes ?? 0,
      outcome: isLeft ? 'left' : 'aborted',
      reason: isLeft ? 'grant-alive' : 'asked',
      aliveUntil: isLeft ? alive : null,
    }
  })
  const aborted = swept.filter(({ outcome }) => outcome === 'aborted')
  const now = new Date().toISOString()
  return endpoints.abortUploads.replies[200].parse({
    sweep: {
      id: `swp_${'0'.repeat(32)}`,
      kind: 'abort',
      isDryRun,
      by: { tenant: '*', subject: 'admin' },
      tenant: null,
      olderThanSeconds: null,
      startedAt: now,
      finishedAt: now,
      examined: ids.length,
      aborted: aborted.length,
      finished: 0,
      left: ids.length - aborted.length,
      failed: 0,
      freedBytes: aborted.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
    },
    uploads: swept,
  })
}
