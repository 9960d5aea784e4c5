import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { corsRule } from '../../server/cors-rule.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

test('the README prints the CORS rule that the doctor prints', () => {
  expect(readme).toContain(`\`\`\`xml\n${corsRule(['https://app.example.com'])}\n\`\`\``)
})
