import type { Orphan, OrphanKind } from '@partway/client/contract'
import { call } from './call.ts'
import { findSession, LOCAL_ADMIN } from './session.ts'
import { createStatusLine } from './status-line.ts'
import { countOf } from './upload-words.ts'

export interface OrphanFilters {
  kind?: OrphanKind
  tenant?: string
}

/** Follows the cursors to the end: most pages have no orphan, and say only how much agreed. `signal` cuts a request short. */
export async function* pagesOfOrphans({ kind, tenant }: OrphanFilters, signal: AbortSignal): AsyncGenerator<Orphan[]> {
  const session = await findSession(LOCAL_ADMIN)
  const status = createStatusLine()
  let compared = 0
  let cursor: string | null = null
  do {
    status.show(`Comparing bucket and table … ${countOf(compared, 'upload')} so far`)
    const query = { kind, tenant, cursor: cursor ?? undefined }
    const page: { orphans: Orphan[]; compared: number; nextCursor: string | null } = await call(
      'listOrphans',
      { query },
      session,
      signal,
    ).finally(status.clear)
    compared += page.compared
    cursor = page.nextCursor
    if (page.orphans.length > 0) yield page.orphans
  } while (cursor !== null)
}
