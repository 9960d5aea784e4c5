import { createHash } from 'node:crypto'

// RoleSessionName: 2 to 64 of A-Z a-z 0-9 . @ - _, and two pieces have an @ between them.
const maxPieceLength = 31
const plainPiece = /^[A-Za-z0-9._-]+$/

/**
 * Who credentials are for, as ActionTrail and OSS's access logs show it: `tenant@subject`. A piece that is longer than 31 characters or
 * holds others becomes `@` and 30 hex digits of its SHA-256. No two pairs have the same name: plain pieces hold no `@`.
 * Source of the grammar: STS "AssumeRole", parameter RoleSessionName.
 */
export function sessionName(tenant: string, subject: string): string {
  return `${piece(tenant)}@${piece(subject)}`
}

function piece(text: string): string {
  if (text.length <= maxPieceLength && plainPiece.test(text)) return text
  return `@${createHash('sha256')
    .update(text)
    .digest('hex')
    .slice(0, maxPieceLength - 1)}`
}
