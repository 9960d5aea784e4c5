import type { Schema } from './openapi.ts'

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** `text` as it can stand in HTML content and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => entities[sign] ?? sign)
}

/** Text with `code` in backticks, as descriptions in the contract are written. */
export function inline(text: string): string {
  return escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>')
}

/** What kind of value a schema takes, in words, with links to the named ones. */
export function typeHtml(schema: Schema): string {
  const { $ref, anyOf, enum: values, type, items, prefixItems, additionalProperties, properties } = schema
  if (typeof $ref === 'string') {
    const name = escapeHtml($ref.slice($ref.lastIndexOf('/') + 1))
    return `<a href="#schema-${name}">${name}</a>`
  }
  if (Array.isArray(anyOf)) return anyOf.map(typeHtml).join(' or ')
  if (Array.isArray(values)) return values.map((value) => `<code>${escapeHtml(String(value))}</code>`).join(' or ')
  if ('const' in schema) return `<code>${escapeHtml(String(schema.const))}</code>`
  if (Array.isArray(prefixItems)) return `[${prefixItems.map(typeHtml).join(', ')}]`
  if (items) return `list of ${typeHtml(items as Schema)}${boundsOf(schema.minItems, schema.maxItems, ' items')}`
  if (properties) {
    const fields = Object.entries(properties as Record<string, Schema>)
    return `{ ${fields.map(([name, field]) => `<code>${escapeHtml(name)}</code>: ${typeHtml(field)}`).join(', ')} }`
  }
  if (typeof additionalProperties === 'object' && additionalProperties !== null) {
    return `text names with values: ${typeHtml(additionalProperties as Schema)}`
  }
  if (type === 'integer') return `whole number${boundsOf(schema.minimum, schema.maximum, '')}`
  if (Array.isArray(type)) return type.map((one) => typeHtml({ ...schema, type: one })).join(' or ')
  if (type === 'null') return 'null'
  if (schema.format === 'date-time') return 'date and time'
  return type === 'string' ? 'text' : escapeHtml(String(type ?? 'anything'))
}

function boundsOf(minimum: unknown, maximum: unknown, unit: string): string {
  const low = typeof minimum === 'number' && Number.isSafeInteger(minimum - 1) ? minimum.toLocaleString('en') : null
  const high = typeof maximum === 'number' && Number.isSafeInteger(maximum + 1) ? maximum.toLocaleString('en') : null
  if (low !== null && high !== null) return `, ${low} to ${high}${unit}`
  if (high !== null) return `, at most ${high}${unit}`
  return low !== null ? `, at least ${low}${unit}` : ''
}
