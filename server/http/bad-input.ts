import type { ProblemDocument } from '@partway/client/contract'
import type { z } from 'zod'

type InputErrors = NonNullable<ProblemDocument['errors']>

/** More would help nobody, and a hostile body could cause thousands. */
export const MAX_INPUT_ERRORS = 20
const MAX_SEGMENT_CHARACTERS = 64
const MAX_DETAIL_CHARACTERS = 200

/**
 * What is wrong with one place of a request (`body`, `query`, `headers`), as the problem document tells it. Names what was expected, and of
 * what was sent only field names, shortened: a value could be huge, or a secret in the wrong place.
 */
export function inputErrors(place: string, error: z.ZodError): InputErrors {
  return error.issues.slice(0, MAX_INPUT_ERRORS).flatMap((issue): InputErrors => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys
        .slice(0, MAX_INPUT_ERRORS)
        .map((key) => ({ detail: 'is not a field of this request', pointer: pointerTo(place, [...issue.path, key]) }))
    }
    const inner = issue.code === 'invalid_key' ? issue.issues[0]?.message : undefined
    return [{ detail: shorten(inner ?? issue.message, MAX_DETAIL_CHARACTERS), pointer: pointerTo(place, issue.path) }]
  })
}

/** A JSON pointer (RFC 6901) into the request. */
function pointerTo(place: string, path: readonly PropertyKey[]): string {
  const segments = path.map((segment) => shorten(String(segment), MAX_SEGMENT_CHARACTERS))
  return ['', place, ...segments.map((segment) => segment.replaceAll('~', '~0').replaceAll('/', '~1'))].join('/')
}

function shorten(text: string, maxCharacters: number): string {
  const clean = text.replace(/[\p{Cc}\p{Cs}]/gu, '\u{fffd}')
  return clean.length <= maxCharacters ? clean : `${clean.slice(0, maxCharacters - 1)}…`
}
