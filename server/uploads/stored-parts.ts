import type { UploadRow } from '../db/upload-row.ts'
import type { ListedPart, ObjectStore } from '../oss/object-store.ts'

/** Every part OSS holds for an upload, ascending (at most 10,000); null when OSS does not know the upload's id. */
export async function readStoredParts(
  objects: Pick<ObjectStore, 'listParts'>,
  row: Pick<UploadRow, 'key' | 'ossUploadId'>,
): Promise<ListedPart[] | null> {
  if (row.ossUploadId === null) return []
  const all: ListedPart[] = []
  let after: number | null = 0
  while (after !== null) {
    const page = await objects.listParts(row.key, row.ossUploadId, { after, limit: 1000 })
    if (!page) return null
    all.push(...page.parts)
    after = page.nextAfter
  }
  return all
}
