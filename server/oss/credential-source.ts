import AlicloudCredential from '@alicloud/credentials'
import { Problem } from '../problem.ts'
import type { CredentialsV4 } from './sign-v4.ts'

/** Yields the credentials the server signs with. Called for each signature: it must be cheap, and renew what expires. */
export interface CredentialSource {
  /** Throws `credentials-unavailable`. */
  get(): Promise<CredentialsV4>
}

/** A key that never expires, such as the local cloud's. */
export function staticCredentials(credentials: CredentialsV4): CredentialSource {
  return { get: async () => credentials }
}

/**
 * The default chain of `@alicloud/credentials`: environment, RRSA/OIDC, CLI profile and config file, ECS RAM role, credentials URI.
 * It caches, and renews temporary credentials 15 minutes before their end.
 */
export function defaultCredentialChain(): CredentialSource {
  // The package is CommonJS: under Node its class sits in `default.default`, whatever the types say.
  const Credential = ('default' in AlicloudCredential ? AlicloudCredential.default : AlicloudCredential) as new () => {
    getCredential(): Promise<{ accessKeyId?: string; accessKeySecret?: string; securityToken?: string }>
  }
  let chain: InstanceType<typeof Credential> | undefined
  return {
    async get() {
      try {
        chain ??= new Credential()
        const { accessKeyId, accessKeySecret, securityToken } = await chain.getCredential()
        if (!accessKeyId || !accessKeySecret) throw new Error('the credential chain returned no key')
        return { accessKeyId, accessKeySecret, ...(securityToken ? { securityToken } : {}) }
      } catch (cause) {
        throw new Problem('credentials-unavailable', 'The server has no credentials for object storage.', { cause })
      }
    },
  }
}
