import { OssError } from './oss-error.ts'

/* The XML that OSS speaks: elements and text, nothing else. Parsing is strict on purpose: no document type (so no entity can
 * expand), bounded depth, and garbage is MalformedXML. A list of 10,000 parts parses in a few milliseconds. */

/** An element to write: its name, then text or child elements. */
export type XmlElement = readonly [name: string, content: string | number | boolean | readonly XmlElement[]]

/** An element that was read. `text` is as it stood, and '' for elements that hold elements. */
export interface XmlNode {
  readonly name: string
  readonly text: string
  readonly children: readonly XmlNode[]
}

const MAX_DEPTH = 16

/** A document with declaration. `namespace` goes on the root, as OSS writes it on some answers. */
export function renderXml(root: XmlElement, namespace?: string): string {
  const [name, content] = root
  const open = namespace ? `<${name} xmlns="${namespace}">` : `<${name}>`
  return `<?xml version="1.0" encoding="UTF-8"?>\n${open}${renderContent(content)}</${name}>`
}

function renderContent(content: XmlElement[1]): string {
  if (typeof content !== 'object') return escapeXml(String(content))
  return content.map(([name, inner]) => `<${name}>${renderContent(inner)}</${name}>`).join('')
}

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escapeXml(text: string): string {
  // Control characters have no place in XML; OSS sends character references, and `encoding-type=url` is the cure it documents.
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these need escaping
    /[&<>"\u0000-\u0008\u000b\u000c\u000e-\u001f]/g,
    (sign) => ESCAPES[sign] ?? `&#x${sign.charCodeAt(0).toString(16)};`,
  )
}

const TOKEN =
  /<\?[\s\S]*?\?>|<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([A-Za-z_][\w.:-]*)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/y

interface OpenNode {
  name: string
  text: string
  children: XmlNode[]
}

/** Parses a document whose root is one of `roots`. Throws OssError MalformedXML on anything else. */
export function parseXml(document: string, ...roots: string[]): XmlNode {
  const top: OpenNode = { name: '', text: '', children: [] }
  const open: OpenNode[] = [top]
  TOKEN.lastIndex = document.startsWith('\ufeff') ? 1 : 0
  while (TOKEN.lastIndex < document.length) {
    const at = TOKEN.lastIndex
    const token = TOKEN.exec(document)
    const current = open.at(-1)
    if (!token || !current) throw malformedXml()
    const [, cdata, closing, name, , selfClosing, text] = token
    if (text !== undefined) current.text += decodeEntities(text)
    else if (cdata !== undefined) current.text += cdata
    else if (name === undefined) continue
    else if (closing === '/') {
      if (current.name !== name || open.length === 1) throw malformedXml()
      open.pop()
      open.at(-1)?.children.push(finish(current))
    } else if (selfClosing === '/') current.children.push({ name, text: '', children: [] })
    else if (open.length > MAX_DEPTH) throw malformedXml()
    else open.push({ name, text: '', children: [] })
    if (TOKEN.lastIndex <= at) throw malformedXml()
  }
  const [root, ...others] = top.children
  if (open.length !== 1 || !root || others.length > 0 || top.text.trim() !== '') throw malformedXml()
  if (!roots.includes(root.name)) throw malformedXml()
  return root
}

function finish(node: OpenNode): XmlNode {
  if (node.children.length > 0 && node.text.trim() !== '') throw malformedXml()
  return { name: node.name, text: node.children.length > 0 ? '' : node.text, children: node.children }
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function decodeEntities(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|([a-z]{2,4}));|&/g, (_, decimal, hex, name) => {
    const code = decimal ? Number(decimal) : hex ? Number.parseInt(hex, 16) : undefined
    if (code !== undefined && isCharacter(code)) return String.fromCodePoint(code)
    const known = name === undefined ? undefined : ENTITIES[name]
    if (known === undefined) throw malformedXml()
    return known
  })
}

function isCharacter(code: number): boolean {
  return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
}

/** The text of the first child of that name without surrounding white space, or undefined. */
export function childText(node: XmlNode, name: string): string | undefined {
  return node.children.find((child) => child.name === name)?.text.trim()
}

/** All children of that name. */
export function childrenNamed(node: XmlNode, name: string): XmlNode[] {
  return node.children.filter((child) => child.name === name)
}

/** What was read, ready to be written again. */
export function asElement(node: XmlNode): XmlElement {
  return [node.name, node.children.length > 0 ? node.children.map(asElement) : node.text]
}

export function malformedXml(): OssError {
  const message = 'The XML you provided was not well-formed or did not validate against our published schema.'
  return new OssError(400, 'MalformedXML', message, { ec: '0042-00000205' })
}
