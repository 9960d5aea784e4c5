import { clientActions, objectArn, type RamPolicyDocument, strayArn } from '../ram-policies.ts'

/** What credentials are for: one object, or everything of one owner below a prefix that ends in `/`. */
export type GrantScope =
  | { kind: 'object'; bucket: string; key: string }
  | { kind: 'prefix'; bucket: string; prefix: string }

/** STS takes no longer policy. Source: STS "AssumeRole", parameter Policy. */
export const MAX_POLICY_CHARACTERS = 2048

/** A scope for which no policy can be written that means exactly it. */
export class ScopeRefused extends Error {
  constructor(reason: string) {
    super(`no policy can be written for this scope: ${reason}`)
    this.name = 'ScopeRefused'
  }
}

/**
 * The session policy of vended credentials: {@link clientActions} on exactly `scope`, as a value. Throws {@link ScopeRefused} for keys
 * that would mean more, or something else, inside a policy. Keys made by Partway never do; this does not rely on it. Nothing is allowed on
 * keys that only look alike to wildcards, see {@link strayArn}; of a folder, no key with `:bucket/` behind a slash can be written therefore.
 */
export function grantPolicy(scope: GrantScope): RamPolicyDocument {
  assertPlain(scope)
  const pattern = scope.kind === 'object' ? scope.key : `${scope.prefix}*`
  return {
    Version: '1',
    Statement: [
      { Effect: 'Allow', Action: clientActions, Resource: [objectArn(scope.bucket, pattern)] },
      { Effect: 'Deny', Action: ['oss:*'], Resource: [strayArn(scope.bucket)] },
    ],
  }
}

/** {@link grantPolicy} as STS takes it. Throws {@link ScopeRefused} also when it is longer than {@link MAX_POLICY_CHARACTERS}. */
export function grantPolicyText(scope: GrantScope): string {
  const text = JSON.stringify(grantPolicy(scope))
  if (text.length > MAX_POLICY_CHARACTERS) throw new ScopeRefused(`it takes ${text.length} characters`)
  return text
}

function assertPlain(scope: GrantScope): void {
  const path = scope.kind === 'object' ? scope.key : scope.prefix
  // `*` and `?` match other keys and `$` begins a variable; RAM has no way to write them literally. Control characters and lone
  // surrogates survive no XML or JSON parser for certain, and a leading slash is another name for some HTTP stacks.
  if (!/^[a-z0-9-]{3,63}$/.test(scope.bucket)) throw new ScopeRefused('the bucket name')
  if (path === '' || /^[/\\]/.test(path)) throw new ScopeRefused('an empty key, or one that begins with a slash')
  if (path.includes(`:${scope.bucket}/`)) throw new ScopeRefused('a key that the denial of stray keys would hit')
  if (/[*?$\p{Cc}\p{Cs}]/u.test(path)) throw new ScopeRefused('* ? $ or a character that cannot be told')
  // Without the slash, `direct/bob` would also be `direct/bobby`.
  if (scope.kind === 'prefix' && !/[^/]\/$/.test(path)) throw new ScopeRefused('a prefix that is no folder')
}
