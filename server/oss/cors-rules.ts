/* Adding a rule to the bucket's CORS configuration. Pure. Source: OSS API reference, "PutBucketCors": a write replaces all rules, there
 * are at most 10, and the first that matches a request decides. */

export const MAX_CORS_RULES = 10

/**
 * `xml` with the rules of `added`, both CORSConfiguration documents, before its own; those stay as they stood, byte for byte, with whatever
 * else is in there. Null when there is no room.
 */
export function mergeCors(xml: string | null, added: string): string | null {
  const newRules = rulesOf(added)
  if (xml === null) return added
  const opening = /<CORSConfiguration\b[^>]*?(\/?)>/.exec(xml)
  if (!opening) throw new Error('the CORS rules of the bucket cannot be read')
  if (opening[1] === '/') return added
  if (rulesOf(xml).length + newRules.length > MAX_CORS_RULES) return null
  const start = opening.index + opening[0].length
  return `${xml.slice(0, start)}${newRules.join('')}${xml.slice(start)}`
}

function rulesOf(xml: string): string[] {
  return xml.match(/<CORSRule\b[^>]*>[\s\S]*?<\/CORSRule\s*>/g) ?? []
}
