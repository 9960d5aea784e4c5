import type { Config } from './config.ts'

/** Where multipart uploads are made, and how long one may go on. */
export interface UploadPlace {
  /** Ends in a slash. */
  keyPrefix: string
  /** A lifecycle rule with fewer days ends uploads that are still going on. For direct ones: what Partway's own rule would give them. */
  ttlSeconds: number
  /** With direct credentials: such uploads have no row, so nothing but a lifecycle rule ever ends them. */
  isDirect?: boolean
}

/** Every place: below KEY_PREFIX, and, where credentials are vended at all, below DIRECT_PREFIX. */
export function uploadPlaces({ uploads, sts }: Pick<Config, 'uploads' | 'sts'>): UploadPlace[] {
  const { keyPrefix, ttlSeconds } = uploads
  const own: UploadPlace = { keyPrefix, ttlSeconds }
  return sts.roleArn === null ? [own] : [own, { keyPrefix: sts.directPrefix, ttlSeconds, isDirect: true }]
}
