import { randomBytes } from 'node:crypto'
import type { UploadRow } from '../db/upload-row.ts'
import { findUpload, markUploading, removePending } from '../db/upload-rows.ts'
import type { Deps } from '../deps.ts'
import { type ObjectAttributes, StorageProblem } from '../oss/object-store.ts'
import { Problem } from '../problem.ts'
import { withLease } from './lease.ts'
import { contentDisposition } from './object-key.ts'

/** 128 random bits in hex: in an upload's id, and in its key. */
export function randomName(): string {
  return randomBytes(16).toString('hex')
}

/** What the object is created with: set at Initiate, for an empty file at Put. */
export function attributesOf(row: UploadRow): ObjectAttributes {
  return {
    contentType: row.contentType,
    contentDisposition: contentDisposition(row.fileName),
    metadata: { ...row.metadata, 'partway-upload': row.id },
  }
}

/**
 * pending → uploading for a row just written: starts the multipart upload and stores its id. When OSS certainly did nothing, the row is
 * taken back; when that is unclear, it stays `pending` for whoever meets it next.
 */
export async function startUpload(deps: Deps, row: UploadRow): Promise<UploadRow> {
  return withLease(deps, row, async () => {
    let ossUploadId: string
    try {
      ossUploadId = await deps.objects.initiateUpload(row.key, attributesOf(row))
    } catch (error) {
      const isWithoutEffect = error instanceof StorageProblem ? !error.maybeApplied : error instanceof Problem
      if (isWithoutEffect) await removePending(deps.db.prisma, row.id)
      throw error
    }
    deps.passed?.('create: multipart upload initiated')
    return storeUploadId(deps, row, ossUploadId)
  })
}

/**
 * pending → uploading for a row that somebody else left behind: the id may exist at OSS without our knowing it. All ids on this key are
 * ours, since the key is; one is kept, every other aborted.
 */
export async function restartUpload(deps: Deps, row: UploadRow): Promise<UploadRow> {
  return withLease(deps, row, async () => {
    const [kept, ...others] = await deps.objects.findUploads(row.key)
    const ossUploadId = kept ?? (await deps.objects.initiateUpload(row.key, attributesOf(row)))
    for (const other of others) await deps.objects.abortUpload(row.key, other)
    return storeUploadId(deps, row, ossUploadId)
  })
}

async function storeUploadId(deps: Deps, row: UploadRow, ossUploadId: string): Promise<UploadRow> {
  const started = await markUploading(deps.db.prisma, row.id, ossUploadId)
  if (started) {
    deps.passed?.('create: upload id stored')
    return started
  }
  // Somebody drove the row on while we were slow. Theirs counts; ours must not be billed for ever.
  const current = await findUpload(deps.db.prisma, row.id)
  if (current?.ossUploadId !== ossUploadId) await deps.objects.abortUpload(row.key, ossUploadId)
  if (!current) throw new Problem('upload-not-found')
  return current
}
