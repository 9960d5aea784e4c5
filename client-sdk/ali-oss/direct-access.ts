import { type AccessOptions, linkAccess } from './access-options.ts'
import { type AliOssOptions, aliOssOptions } from './ali-oss-options.ts'
import { keepCredentials } from './keep-credentials.ts'

export interface DirectAccess {
  /** For `new OSS(options)`. */
  options: AliOssOptions
  /** Where the credentials may write: every object's name must begin with it. Ends in a slash. */
  prefix: string
}

/**
 * Credentials for the caller's own folder, for an ali-oss client that starts uploads itself; Partway knows nothing of them. The token needs
 * the scope `credentials:direct` and no `limits`. Throws ClientException `invalid-argument`, and what a call of the API throws:
 * ServiceException `credentials-disabled`, `credentials-unavailable`, `forbidden`, `tenant-suspended`, … `refreshSTSToken` throws the same
 * when the credentials have died before they could be renewed.
 */
export async function createDirectAccess(options: AccessOptions): Promise<DirectAccess> {
  const server = linkAccess(options)
  const keeper = keepCredentials(options, server, (call) => server.api.grantDirectCredentials(call))
  const credentials = await keeper.get()
  return {
    options: aliOssOptions(credentials, keeper, server.serverClock, options.signal),
    prefix: credentials.prefix,
  }
}
