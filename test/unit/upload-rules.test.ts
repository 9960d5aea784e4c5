import { MAX_OBJECT_BYTES } from '@partway/client/contract'
import { describe, expect, it } from 'vitest'
import { assertAllowed, isOfType } from '../../server/uploads/upload-rules.ts'

const free = { maxFileBytes: null, allowedContentTypes: null }
const code = (run: () => void): string | undefined => {
  try {
    run()
  } catch (error) {
    return (error as { code?: string }).code
  }
  return undefined
}

describe('assertAllowed', () => {
  it('allows the largest object of OSS and refuses one byte more', () => {
    expect(code(() => assertAllowed(free, { limits: {} }, { sizeBytes: MAX_OBJECT_BYTES }))).toBeUndefined()
    expect(code(() => assertAllowed(free, { limits: {} }, { sizeBytes: MAX_OBJECT_BYTES + 1 }))).toBe('file-too-large')
  })

  it('takes the smaller of the operator’s and the token’s limit', () => {
    const rules = { ...free, maxFileBytes: 100 }
    expect(code(() => assertAllowed(rules, { limits: { maxSizeBytes: 200 } }, { sizeBytes: 101 }))).toBe(
      'file-too-large',
    )
    expect(code(() => assertAllowed(rules, { limits: { maxSizeBytes: 50 } }, { sizeBytes: 51 }))).toBe('file-too-large')
    expect(code(() => assertAllowed(rules, { limits: { maxSizeBytes: 50 } }, { sizeBytes: 50 }))).toBeUndefined()
  })

  it('wants a content type that both the operator and the token allow', () => {
    const rules = { ...free, allowedContentTypes: ['image/*', 'video/mp4'] }
    const limits = { contentTypes: ['image/png', 'video/mp4'] }
    const allowed = (contentType?: string) =>
      code(() => assertAllowed(rules, { limits }, { sizeBytes: 1, contentType }))
    expect(allowed('image/png; charset=x')).toBeUndefined()
    expect(allowed('image/gif')).toBe('content-type-not-allowed')
    expect(allowed('text/html')).toBe('content-type-not-allowed')
    expect(allowed()).toBe('content-type-not-allowed')
  })
})

describe('isOfType', () => {
  it.each([
    ['image/png', 'image/*', true],
    ['IMAGE/PNG', 'image/png', true],
    ['imagex/png', 'image/*', false],
    ['image/png;q=1', 'image/png', true],
    ['text/image', 'image/*', false],
  ])('%s against %s: %s', (type, pattern, expected) => {
    expect(isOfType(type, pattern)).toBe(expected)
  })
})
