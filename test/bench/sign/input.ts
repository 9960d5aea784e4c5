/** What every contender of this benchmark signs: parts of one upload, each with its number, length and MD5. */
export interface SignInput {
  accessKeyId: string
  accessKeySecret: string
  securityToken: string
  bucket: string
  region: string
  key: string
  uploadId: string
  partSizeBytes: number
  expiresSeconds: number
  md5s: string[]
  /** How long to sign before counting begins, until all that runs is optimized code, and while it is counted. */
  warmUpMs: number
  workMs: number
}

export interface SignResult {
  urls: number
  /** Of the counted time. */
  cpuSeconds: number
  /** One of the URLs, to be checked. */
  url: string
}
