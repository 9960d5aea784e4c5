import { Problem } from '../problem.ts'

/** Nobody is given credentials with less life than this. */
export const MIN_LEFT_SECONDS = 600

/** One AssumeRole. Whoever asks with the same three may be given the same credentials: nothing else is in them. */
export interface AssumeRoleRequest {
  /** 2 to 64 of `A-Z a-z 0-9 . @ - _`: who the credentials are for, as the account's audit trail shows it. */
  sessionName: string
  /** The session policy as JSON, 1 to 2,048 characters. There is no asking without one: that would be all the role may do. */
  policy: string
  /** 900 up to what the role allows. */
  ttlSeconds: number
}

/** What STS made. Everything but `expiresAt` and `requestId` is for the caller it was asked for, and for nobody's log. */
export interface TemporaryCredentials {
  accessKeyId: string
  accessKeySecret: string
  securityToken: string
  expiresAt: Date
  /** As STS names the call that made them. */
  requestId: string
}

/** Where temporary credentials come from. */
export interface CredentialIssuer {
  /** Ends within a bounded time. Throws {@link IssuerProblem}. */
  assumeRole(request: AssumeRoleRequest): Promise<TemporaryCredentials>
  close(): Promise<void>
}

/**
 * Why there are no credentials. `throttled` and `unreachable` pass by themselves. `refused`: the server's key, its rights or the role are
 * not as they must be, whatever is asked for. `scope`: STS does not take this policy or session name.
 */
export type IssuerFailure = 'throttled' | 'unreachable' | 'refused' | 'scope'

export class IssuerProblem extends Problem {
  readonly failure: IssuerFailure

  constructor(failure: IssuerFailure, detail: string, options: { cause?: unknown; retryAfterSeconds?: number } = {}) {
    super(failure === 'scope' ? 'internal' : 'credentials-unavailable', detail, options)
    this.failure = failure
  }
}
