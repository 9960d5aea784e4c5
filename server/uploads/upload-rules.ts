import { MAX_OBJECT_BYTES } from '@partway/client/contract'
import type { Config } from '../config.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'

/** Throws `file-too-large` or `content-type-not-allowed` when the operator's rules or the token's limits forbid such a file. */
export function assertAllowed(
  rules: Pick<Config['uploads'], 'maxFileBytes' | 'allowedContentTypes'>,
  { limits }: Pick<Principal, 'limits'>,
  file: { sizeBytes: number; contentType?: string | undefined },
): void {
  const maxBytes = Math.min(
    rules.maxFileBytes ?? MAX_OBJECT_BYTES,
    limits.maxSizeBytes ?? MAX_OBJECT_BYTES,
    MAX_OBJECT_BYTES,
  )
  if (file.sizeBytes > maxBytes) throw new Problem('file-too-large', `At most ${maxBytes} bytes are allowed.`)
  const contentType = file.contentType ?? 'application/octet-stream'
  for (const allowed of [rules.allowedContentTypes, limits.contentTypes]) {
    if (allowed && !allowed.some((pattern) => isOfType(contentType, pattern))) {
      throw new Problem('content-type-not-allowed', `Allowed: ${allowed.join(', ')}.`)
    }
  }
}

/** Whether a media type, parameters aside, is `pattern`, or of its family for a pattern like `image/*`. */
export function isOfType(contentType: string, pattern: string): boolean {
  const essence = (contentType.split(';')[0] ?? '').trim().toLowerCase()
  const wanted = pattern.trim().toLowerCase()
  return wanted.endsWith('/*') ? essence.startsWith(wanted.slice(0, -1)) : essence === wanted
}
