/** What a client keeps about an unfinished upload. No grant, token or URL is ever in it. */
export interface UploadRecord {
  version: 1
  /** The server's base URL. */
  server: string
  /** The upload's id. */
  id: string
  fingerprint: string
  sizeBytes: number
  /** ISO 8601. */
  savedAt: string
}

/** Longer texts are not records of ours. */
const maxTextLength = 4096

/** Whether this may be an upload's id, and so may stand in a path. */
export function isUploadId(id: unknown): id is string {
  return typeof id === 'string' && /^upl_[0-9a-f]{32}$/.test(id)
}

/** The key a record is kept under: one per server, content and source. */
export function recordKey(server: string, fingerprint: string, identity: string | undefined): string {
  return JSON.stringify([server, fingerprint, identity ?? ''])
}

export function formatRecord(record: UploadRecord): string {
  return JSON.stringify(record)
}

/**
 * The record in `text` if it is one, and is about this server and content; otherwise undefined. Damaged, foreign, of another version,
 * endless: all the same, because losing a record costs one question to the server and trusting a wrong one could cost the file.
 */
export function parseRecord(
  text: string | undefined,
  expected: { server: string; fingerprint: string; sizeBytes: number },
): UploadRecord | undefined {
  if (text === undefined || text.length > maxTextLength) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { version, server, id, fingerprint, sizeBytes, savedAt } = value as Record<string, unknown>
  if (version !== 1 || server !== expected.server) return undefined
  if (fingerprint !== expected.fingerprint || sizeBytes !== expected.sizeBytes) return undefined
  if (!isUploadId(id)) return undefined
  if (typeof savedAt !== 'string') return undefined
  return { version, server, id, fingerprint: expected.fingerprint, sizeBytes: expected.sizeBytes, savedAt }
}
