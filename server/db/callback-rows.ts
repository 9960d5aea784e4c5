import type { CallbackResult, UploadCallback } from '@partway/client/contract'
import type { Queries } from './client.ts'

/* Every statement on `upload_callbacks`. */

/** Keeps what OSS is to send for an upload, in the transaction that makes its row. */
export async function insertCallback(sql: Queries, uploadId: string, callback: UploadCallback): Promise<void> {
  await sql.$executeRaw`
    INSERT INTO upload_callbacks (upload_id, callback) VALUES (${uploadId}, ${JSON.stringify(callback)}::jsonb)`
}

/** What OSS is to send for an upload; null: nothing. */
export async function findCallback(sql: Queries, uploadId: string): Promise<UploadCallback | null> {
  const [row] = await sql.$queryRaw<{ callback: UploadCallback }[]>`
    SELECT callback FROM upload_callbacks WHERE upload_id = ${uploadId}`
  return row?.callback ?? null
}

/** What came of it, as far as it was heard. */
export async function findCallbackResult(sql: Queries, uploadId: string): Promise<CallbackResult | null> {
  const [row] = await sql.$queryRaw<CallbackResult[]>`
    SELECT status, body FROM upload_callbacks WHERE upload_id = ${uploadId} AND status IS NOT NULL`
  return row ?? null
}

/** The first outcome heard of counts: OSS makes an object, and sends its callback, once. */
export async function recordCallbackResult(sql: Queries, uploadId: string, result: CallbackResult): Promise<void> {
  // Postgres takes every text but this one character; JSON writes it as an escape.
  const body = result.body.replaceAll('\0', '')
  await sql.$executeRaw`
    UPDATE upload_callbacks SET status = ${result.status}, body = ${body} WHERE upload_id = ${uploadId} AND status IS NULL`
}
