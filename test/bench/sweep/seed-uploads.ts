import { createHash, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc64 } from '@partway/client/contract'
import type pg from 'pg'
import { nextSequence, partFileName } from '../../../server/local-cloud/files/part-file.ts'
import { LOCAL_BUCKET } from '../../../server/local-identities.ts'

/* Uploads as they are found long after somebody began them: rows in the table, and multipart uploads with a part each in the files of a local
 * cloud that is not running yet. Made over HTTP one by one they would take longer than the sweep. */

/** `granted`: as idle as the stale ones, but a grant lives. `growing`: the same, but OSS holds a part that nobody reported. */
export type SeedKind = 'stale' | 'granted' | 'growing'

export const partBytes = 1024
const tenants = 50
const batchSize = 1_000

export interface SeededUpload {
  id: string
  key: string
  ossUploadId: string
}

/** Makes `count` uploads of a kind, all of them active at this moment; {@link ageUploads} makes them old. */
export async function seedUploads(db: pg.Pool, cloudDir: string, kind: SeedKind, count: number): Promise<void> {
  for (let made = 0; made < count; made += batchSize) {
    const batch = Array.from({ length: Math.min(batchSize, count - made) }, (_, index): SeededUpload => {
      const name = randomBytes(16).toString('hex')
      const tenant = `tenant-${(made + index) % tenants}`
      return { id: `upl_${name}`, key: `uploads/${tenant}/${name}/file.bin`, ossUploadId: name.toUpperCase() }
    })
    await writeMultipartUploads(cloudDir, batch)
    await insertRows(db, kind, batch)
  }
}

async function writeMultipartUploads(cloudDir: string, uploads: readonly SeededUpload[]): Promise<void> {
  const bytes = Buffer.alloc(partBytes, 7)
  const md5 = createHash('md5').update(bytes).digest('hex')
  const crc = crc64(bytes)
  await mkdir(join(cloudDir, 'uploads'), { recursive: true })
  await Promise.all(
    uploads.map(async ({ id, key, ossUploadId: uploadId }) => {
      const headers = { 'Content-Type': 'application/octet-stream', 'x-oss-meta-partway-upload': id }
      const record = { bucket: LOCAL_BUCKET, key, uploadId, initiatedAt: Date.now(), sequential: false, headers }
      await writeFile(
        join(cloudDir, 'uploads', `${uploadId}.json`),
        JSON.stringify({ ...record, storageClass: 'Standard' }),
      )
      const dir = join(cloudDir, 'data', uploadId)
      await mkdir(dir, { recursive: true })
      const part = {
        partNumber: 1,
        sequence: nextSequence(),
        sizeBytes: partBytes,
        md5,
        crc64: crc,
        lastModifiedAt: Date.now(),
      }
      await writeFile(join(dir, partFileName(part)), bytes)
    }),
  )
}

async function insertRows(db: pg.Pool, kind: SeedKind, uploads: readonly SeededUpload[]): Promise<void> {
  const storedBytes = kind === 'growing' ? 0 : partBytes
  await db.query(
    `WITH made AS (
      INSERT INTO uploads (id, tenant, subject, state, due_at, file_name, content_type, size_bytes, part_size_bytes, bucket, region,
        key, oss_upload_id, stored_bytes)
      SELECT id, split_part(key, '/', 2), $4, 'uploading', now() + interval '19 hours', 'file.bin', 'application/octet-stream',
        $5::bigint, 1048576, $6, 'cn-hangzhou', key, oss_upload_id, $7::bigint
      FROM unnest($1::text[], $2::text[], $3::text[]) AS given (id, key, oss_upload_id) RETURNING id)
    INSERT INTO upload_parts (upload_id, part_number, size_bytes) SELECT id, 1, $5::bigint FROM made WHERE $7::bigint > 0`,
    [
      uploads.map(({ id }) => id),
      uploads.map(({ key }) => key),
      uploads.map(({ ossUploadId }) => ossUploadId),
      kind,
      partBytes,
      LOCAL_BUCKET,
      storedBytes,
    ],
  )
}

/** From now on every upload has been idle for two days. */
export async function ageUploads(db: pg.Pool): Promise<void> {
  await db.query(`
    UPDATE uploads SET created_at = created_at - interval '2 days', last_activity_at = now() - random() * interval '1 hour' - interval '2 days',
      grants_alive_until = CASE WHEN subject = 'granted' THEN now() + interval '1 day' ELSE now() - interval '2 days' END`)
}
