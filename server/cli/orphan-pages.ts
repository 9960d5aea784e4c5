import type { Orphan, OrphanKind } from '@partway/client/contract'
import { call } from './call.ts'
import { CommandFailure, exitCode } from './exit-code.ts'
import { findSession, LOCAL_ADMIN } from './session.ts'
import { createStatusLine } from './status-line.ts'
import { countOf } from './upload-words.ts'

export interface OrphanFilters {
  kind?: OrphanKind
  tenant?: string
}

export interface OrphanPage {
  orphans: Orphan[]
  compared: number
  /** About how many of those compared OSS gave no usable answer. */
  unanswered: number
  nextCursor: string | null
}

/** Follows the cursors to the end: most pages have no orphan, and say only how much agreed. `signal` cuts a request short. */
export async function* pagesOfOrphans(
  { kind, tenant }: OrphanFilters,
  signal: AbortSignal,
): AsyncGenerator<OrphanPage> {
  const session = await findSession(LOCAL_ADMIN)
  const status = createStatusLine()
  let compared = 0
  let cursor: string | null = null
  do {
    status.show(`Comparing bucket and table … ${countOf(compared, 'upload')} so far`)
    const query = { kind, tenant, cursor: cursor ?? undefined }
    const page: OrphanPage = await call('listOrphans', { query }, session, signal).finally(status.clear)
    compared += page.compared
    cursor = page.nextCursor
    yield page
  } while (cursor !== null)
}

/** What ends a command that cannot vouch for `unanswered` uploads. */
export function unansweredFailure(unanswered: number): CommandFailure {
  const what = countOf(unanswered, 'upload')
  return new CommandFailure(exitCode.failed, `OSS gave no usable answer about ${what}; the server’s log says why.`)
}
