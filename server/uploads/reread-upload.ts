import type { UploadRow } from '../db/upload-row.ts'
import { findUpload } from '../db/upload-rows.ts'
import type { Deps } from '../deps.ts'
import { Problem } from '../problem.ts'

/** The row as it is now, after a conditional update found that somebody else had moved it. Throws `upload-not-found`. */
export async function rereadUpload(deps: Pick<Deps, 'db'>, id: string): Promise<UploadRow> {
  const current = await findUpload(deps.db.prisma, id)
  if (!current) throw new Problem('upload-not-found')
  return current
}
