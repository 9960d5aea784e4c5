/** What a client of this benchmark is to send, and where. */
export interface TransferInput {
  path: string
  sizeBytes: number
  partSizeBytes: number
  parallel: number
  /** Of the service that takes the bytes, or for Partway of the server. */
  url: string
  token?: string
  key?: string
  bucket?: string
  accessKeyId?: string
  accessKeySecret?: string
  /** One URL for each part, for those that only PUT. */
  partUrls?: string[]
  retry?: 'default' | 'on'
}

/** Where the bytes are, as far as the client was told. */
export interface TransferResult {
  location: string
}
