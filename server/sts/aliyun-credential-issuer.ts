import { Agent as HttpAgent, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import RpcClient from '@alicloud/pop-core'
import type { StsOperation } from '../cloud-operations.ts'
import { type CredentialIssuer, IssuerProblem, type TemporaryCredentials } from './credential-issuer.ts'
import { problemOf, problemOfCode, StsError, saneWord } from './sts-error.ts'

export interface AliyunIssuerOptions {
  /** With its scheme: `https://sts.cn-hangzhou.aliyuncs.com`. */
  endpoint: string
  roleArn: string
  /** The server's own key. Asked for each call; may throw a Problem, which is passed on. */
  getKey(): Promise<{ accessKeyId: string; accessKeySecret: string; securityToken?: string }>
  now: () => Date
  /** How long one call may take. Default 8 s. */
  timeoutMs?: number
  /** Told of every call: `ok`, STS's error code or `unreachable`, and its duration. */
  observe?: (outcome: string, seconds: number) => void
}

const operation: StsOperation = 'AssumeRole'
const apiVersion = '2015-04-01'
const defaultTimeoutMs = 8_000
// The package's own errors say more than ours: they come first.
const graceMs = 500
// More calls than these wait for a connection: the account's 100 calls per second are soon spent anyway.
const maxConnections = 32

/**
 * AssumeRole of Alibaba Cloud STS. By POST, so that neither policy nor signature stands in a URL that somebody logs. Whatever the
 * package throws holds the signed request: nothing of it but STS's code and request id leaves this file.
 */
export function createAliyunCredentialIssuer(options: AliyunIssuerOptions): CredentialIssuer {
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  const Agent = options.endpoint.startsWith('https:') ? HttpsAgent : HttpAgent
  const agent = new Agent({ keepAlive: true, maxSockets: maxConnections })

  return {
    async assumeRole({ sessionName, policy, ttlSeconds }) {
      // STS takes no policy for no limit: everything that the role may do.
      if (policy.trim() === '') throw problemOf('scope', new StsError('NoPolicy'))
      const key = await options.getKey()
      const client = new RpcClient({ ...key, endpoint: options.endpoint, apiVersion })
      const parameters = {
        RoleArn: options.roleArn,
        RoleSessionName: sessionName,
        Policy: policy,
        DurationSeconds: ttlSeconds,
        // In place of the package's own, which is the process's clock.
        Timestamp: `${options.now().toISOString().slice(0, 19)}Z`,
      }
      const startedAt = performance.now()
      let outcome = 'unreachable'
      try {
        const credentials = credentialsOf(
          await inTime(timeoutMs, (signal) => {
            const beforeRequest = (request: RequestOptions) => ({ ...request, signal })
            return client.request<unknown>(operation, parameters, {
              method: 'POST',
              agent,
              timeout: timeoutMs,
              beforeRequest,
            })
          }),
        )
        outcome = 'ok'
        return credentials
      } catch (thrown) {
        const problem = toProblem(thrown)
        if (problem.failure !== 'unreachable') outcome = (problem.cause as StsError).code
        throw problem
      } finally {
        options.observe?.(outcome, (performance.now() - startedAt) / 1000)
      }
    },
    async close() {
      agent.destroy()
    },
  }
}

/** The package's own limit is one for each step, and leaves what it has given up on to itself: an answer that never ends would keep its
 *  connection, and fill the memory. This limit is for everything, and whatever fails is ended. */
async function inTime<T>(timeoutMs: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ending = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(problemOf('unreachable', new StsError('Timeout'))), timeoutMs + graceMs)
  })
  try {
    return await Promise.race([call(ending.signal), tooLate])
  } catch (error) {
    ending.abort()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

function credentialsOf(reply: unknown): TemporaryCredentials {
  const { RequestId, Credentials } = (reply ?? {}) as { RequestId?: unknown; Credentials?: Record<string, unknown> }
  const { AccessKeyId, AccessKeySecret, SecurityToken, Expiration } = Credentials ?? {}
  const expiresAt = new Date(String(Expiration))
  const isWhole = [AccessKeyId, AccessKeySecret, SecurityToken].every((text) => typeof text === 'string' && text !== '')
  const requestId = saneWord(RequestId, 'unknown')
  if (!isWhole || Number.isNaN(expiresAt.getTime())) {
    throw problemOf('unreachable', new StsError('UnreadableReply', requestId))
  }
  return {
    accessKeyId: String(AccessKeyId),
    accessKeySecret: String(AccessKeySecret),
    securityToken: String(SecurityToken),
    expiresAt,
    requestId,
  }
}

function toProblem(thrown: unknown): IssuerProblem {
  if (thrown instanceof IssuerProblem) return thrown
  const { data, entry, code, name } = (thrown ?? {}) as {
    data?: { Code?: unknown; RequestId?: unknown }
    entry?: { response?: { statusCode?: number } }
    code?: unknown
    name?: unknown
  }
  if (typeof data?.Code === 'string') {
    const error = new StsError(saneWord(data.Code, 'UnknownCode'), saneWord(data.RequestId, 'unknown'))
    return problemOfCode(error, entry?.response?.statusCode ?? 0)
  }
  // A socket's error has a code, the package's own have names; a reply that is no JSON has a syntax error, whose text is the reply.
  return problemOf('unreachable', new StsError(saneWord(code, saneWord(name, 'Error'))))
}
