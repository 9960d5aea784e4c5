import { escapeHtml, inline, typeHtml } from './docs-text.ts'
import type { OpenApiDocument, Operation, Parameter, Schema } from './openapi.ts'

/**
 * The OpenAPI document as one HTML page: no script, no style but docs.css beside it, readable with a keyboard, a screen reader or a
 * text browser. Everything in it is escaped.
 */
export function docsPage(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  const { info, components } = document
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(info.title)} HTTP API</title>
<link rel="stylesheet" href="docs.css">
</head>
<body>
<a class="skip" href="#main">Skip to the operations</a>
<header>
<h1>${escapeHtml(info.title)} HTTP API</h1>
<p>${inline(info.description)}</p>
<p class="quiet">Version ${escapeHtml(info.version)}. The same as a document: <a href="openapi.json">openapi.json</a>.</p>
</header>
<nav aria-label="Contents">
<ul>
${operations.map(({ path, method, operation }) => `<li><a href="#${operation.operationId}">${methodHtml(method)} <code>${escapeHtml(path)}</code></a></li>`).join('\n')}
<li><a href="#schemas">Schemas</a></li>
<li><a href="#problems">Problems</a></li>
</ul>
</nav>
<main id="main" tabindex="-1">
<section aria-labelledby="authentication">
<h2 id="authentication">Authentication</h2>
<p>Send <code>Authorization: Bearer …</code>. ${inline(String(components.securitySchemes.bearer?.description ?? ''))}</p>
</section>
${operations.map(({ path, method, operation }) => operationHtml(path, method, operation, components.schemas)).join('\n')}
<section aria-labelledby="schemas">
<h2 id="schemas">Schemas</h2>
${Object.entries(components.schemas)
  .map(([name, schema]) => schemaHtml(name, schema, components.schemas))
  .join('\n')}
</section>
<section aria-labelledby="problems">
<h2 id="problems">Problems</h2>
<p>Every answer that is not success is <code>application/problem+json</code> with one of these codes.</p>
${table(
  ['Code', 'Status', 'Meaning', 'The client'],
  Object.entries(document['x-problems']).map(([code, { status, title, client }]) => [
    `<code id="${code}">${code}</code>`,
    String(status),
    escapeHtml(title),
    inline(client),
  ]),
)}
</section>
</main>
</body>
</html>
`
}

type Schemas = Readonly<Record<string, Schema>>

function operationHtml(path: string, method: string, operation: Operation, schemas: Schemas): string {
  const { operationId, summary, description, parameters, requestBody, responses } = operation
  const body = requestBody?.content['application/json']
  return `<section class="operation" aria-labelledby="${operationId}">
<h2 id="${operationId}">${escapeHtml(summary)}</h2>
<p class="route">${methodHtml(method)} <code>${escapeHtml(path)}</code></p>
<p>${inline(description)}</p>
${parameters.length > 0 ? `<h3>Parameters</h3>\n${parametersTable(parameters, schemas)}` : ''}
${body ? `<h3>Body</h3>\n${requestBody?.required ? '' : '<p>May be left out.</p>\n'}${fieldsTable(body.schema, schemas)}` : ''}
${body?.example ? `<h4>Example</h4>\n<pre tabindex="0"><code>${escapeHtml(JSON.stringify(body.example, null, 2))}</code></pre>` : ''}
<h3>Answers</h3>
${table(
  ['Status', 'Answer'],
  Object.entries(responses).map(([status, response]) => [
    `<code>${status}</code>`,
    response.content?.['application/json']
      ? typeHtml(response.content['application/json'].schema)
      : linkedCodes(response.description),
  ]),
)}
</section>`
}

function schemaHtml(name: string, schema: Schema, schemas: Schemas): string {
  const text = typeof schema.description === 'string' ? `<p>${inline(schema.description)}</p>` : ''
  const form = schema.properties ? fieldsTable(schema, schemas) : `<p>${typeHtml(schema)}</p>`
  return `<h3 id="schema-${escapeHtml(name)}">${escapeHtml(name)}</h3>\n${text}\n${form}`
}

function parametersTable(parameters: readonly Parameter[], schemas: Schemas): string {
  return table(
    ['Name', 'In', 'Type', 'Meaning'],
    parameters.map(({ name, in: place, required, description, schema }) => [
      nameHtml(name, required),
      place,
      typeHtml(schema),
      meaningOf({ ...schema, description }, schemas),
    ]),
  )
}

function fieldsTable(schema: Schema, schemas: Schemas): string {
  const required = (schema.required ?? []) as string[]
  return table(
    ['Field', 'Type', 'Meaning'],
    Object.entries((schema.properties ?? {}) as Record<string, Schema>).map(([name, field]) => [
      nameHtml(name, required.includes(name)),
      typeHtml(field),
      meaningOf(field, schemas),
    ]),
  )
}

/** A field's own description, or that of the schema it refers to. */
function meaningOf({ description, $ref }: Schema, schemas: Schemas): string {
  const name = typeof $ref === 'string' ? $ref.slice($ref.lastIndexOf('/') + 1) : ''
  return inline(String(description ?? schemas[name]?.description ?? ''))
}

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = columns.map((column) => `<th scope="col">${column}</th>`).join('')
  const body = rows.map(
    ([first, ...rest]) => `<tr><th scope="row">${first}</th>${rest.map((cell) => `<td>${cell}</td>`).join('')}</tr>`,
  )
  return `<div class="scroll" tabindex="0" role="region" aria-label="${columns.join(', ')}"><table><thead><tr>${head}</tr></thead><tbody>\n${body.join('\n')}\n</tbody></table></div>`
}

const nameHtml = (name: string, required: boolean) =>
  `<code>${escapeHtml(name)}</code>${required ? '' : ' <span class="quiet">optional</span>'}`
const methodHtml = (method: string) => `<b class="method ${method.toLowerCase()}">${method}</b>`
const linkedCodes = (text: string) =>
  inline(text).replace(/<code>([a-z-]+)<\/code>/g, '<a href="#$1"><code>$1</code></a>')
